//! What stands around the parts: head, policy, the way to each part, style and script.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{Part, opening};
use crate::audit::report::Report;
use crate::render::escape;

const STYLE: &str = include_str!("../../../assets/report.css");
const SCRIPT: &str = include_str!("../../../assets/report.js");

/// SHA-256 of the script: the browser runs no other one. A test holds it.
const SCRIPT_HASH: &str = "sha256-WCCkrv0r7gnAj6XN5EDuI2edXwwaMbPPw3QCISBSTwY=";

/// Cells of the target's name in the title.
const NAME: usize = 40;

/// The document.
pub(super) fn page(report: &Report, parts: &[Part]) -> Markup {
    let comm = escape::visible(&report.target.comm, NAME);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy());
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                title { (comm) " (" (report.target.pid.0) "): hash maps and memory" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#summary" { "To the summary" }
                (opening::header(report))
                nav aria-label="Parts of this report" {
                    @for part in parts { a href={ "#" (part.id) } { (part.short) } " " }
                }
                main {
                    (opening::summary(report))
                    @for part in parts {
                        section id=(part.id) aria-labelledby={ (part.id) "-title" } {
                            h2 id={ (part.id) "-title" } { (part.title) }
                            (part.body)
                        }
                    }
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
}

/// Nothing is fetched, sent or framed, and no script runs but ours. Styles of elements are widths that we write.
fn policy() -> String {
    format!(
        "default-src 'none'; script-src '{SCRIPT_HASH}'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_style_or_script_ends_its_element_or_asks_for_anything() {
        for text in [STYLE, SCRIPT] {
            for forbidden in ["</", "<!--", "http:", "https:", "url(", "@import", "fetch(", "eval("] {
                assert!(!text.contains(forbidden), "{forbidden}");
            }
        }
    }

    #[test]
    fn the_policy_names_the_script_that_is_there() {
        let hash = format!("sha256-{}", base64(&sha256(SCRIPT.as_bytes())));
        assert_eq!(SCRIPT_HASH, hash, "after a change of the script, this is its hash");
        assert_eq!(base64(&sha256(b"abc")), "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=", "FIPS 180-4");
    }

    use crate::render::html::data::base64;

    /// The first bits of the fractional parts of roots of the first primes: of cube roots, of square roots.
    fn roots() -> ([u32; 64], [u32; 8]) {
        let is_prime = |number: &u64| (2..*number).all(|divisor| !number.is_multiple_of(divisor));
        let primes: Vec<u64> = (2..).filter(is_prime).take(64).collect();
        let root = |prime: u64, power: u32| {
            // The largest r with r^power <= prime * 2^(32 * power); its low half is what is asked for.
            let whole = u128::from(prime) << (32 * power).min(120);
            let fits = |root: u128| root.checked_pow(power).is_some_and(|product| product <= whole);
            let bits = (0..36)
                .rev()
                .fold(0_u128, |root, bit| if fits(root | 1 << bit) { root | 1 << bit } else { root });
            (bits & 0xffff_ffff) as u32
        };
        (std::array::from_fn(|at| root(primes[at], 3)), std::array::from_fn(|at| root(primes[at], 2)))
    }

    /// FIPS 180-4, 6.2.
    fn sha256(message: &[u8]) -> Vec<u8> {
        let (constants, mut state) = roots();
        let mut padded = message.to_vec();
        padded.push(0x80);
        padded.resize((message.len() + 9).div_ceil(64) * 64 - 8, 0);
        padded.extend((message.len() as u64 * 8).to_be_bytes());
        for block in padded.chunks(64) {
            let mut words: Vec<u32> =
                block.chunks(4).map(|word| u32::from_be_bytes(word.try_into().unwrap())).collect();
            for at in 16..64 {
                let (early, late) = (words[at - 15], words[at - 2]);
                let small = early.rotate_right(7) ^ early.rotate_right(18) ^ (early >> 3);
                let large = late.rotate_right(17) ^ late.rotate_right(19) ^ (late >> 10);
                words.push(
                    [words[at - 16], small, words[at - 7], large].into_iter().fold(0, u32::wrapping_add),
                );
            }
            let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = state;
            for at in 0..64 {
                let large = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
                let choice = (e & f) ^ (!e & g);
                let first =
                    [h, large, choice, constants[at], words[at]].into_iter().fold(0, u32::wrapping_add);
                let small = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
                let second = small.wrapping_add((a & b) ^ (a & c) ^ (b & c));
                (h, g, f, e) = (g, f, e, d.wrapping_add(first));
                (d, c, b, a) = (c, b, a, first.wrapping_add(second));
            }
            for (kept, added) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
                *kept = kept.wrapping_add(added);
            }
        }
        state.iter().flat_map(|word| word.to_be_bytes()).collect()
    }
}
