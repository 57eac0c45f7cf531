//! What stands around the parts: head, policy, the way to each part, style and script.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{Part, opening};
use crate::audit::report::Report;
use crate::render::escape;

const STYLE: &str = include_str!("../../../assets/report.css");
const SCRIPT: &str = include_str!("../../../assets/report.js");

/// SHA-256 of the script: the browser runs no other one. A test holds it.
const SCRIPT_HASH: &str = "sha256-Mf8S9bABFJRmpiA+uePMuANshVJ3U7AP4oIlCiWKm5Q=";

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
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    use sha2::{Digest as _, Sha256};

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
        let hash = format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(SCRIPT)));
        assert_eq!(SCRIPT_HASH, hash, "after a change of the script, this is its hash");
    }
}
