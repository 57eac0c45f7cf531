//! What `GODEBUG` has changed of how the runtime treats memory (src/runtime/runtime1.go, `parsedebugvars`).

/// Whether pages are given back with `MADV_FREE`: they leave RSS when the kernel wants them, and not before.
/// From 1.16 on they are not, but with `madvdontneed=0`. It is read when the program begins: `defaults` is what
/// it was built with (`DefaultGODEBUG` of its build information), `environment` what it was started with, each
/// `NAME=VALUE` ended by a zero.
#[must_use]
pub fn gives_back_lazily(defaults: Option<&str>, environment: &str) -> bool {
    // Of two variables of one name the runtime takes the first (`gogetenv`).
    let set = environment.split('\0').find_map(|variable| variable.strip_prefix("GODEBUG="));
    let settings = [defaults, set].into_iter().flatten().flat_map(|settings| settings.split(','));
    let values = settings.filter_map(|setting| setting.strip_prefix("madvdontneed="));
    // Of two settings of one name it takes the last that is a number.
    values.filter_map(|value| value.parse::<i32>().ok()).next_back() == Some(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_given_back_lazily_only_where_the_last_setting_says_so() {
        for (defaults, environment, expected) in [
            (None, "HOME=/\0PATH=/bin\0", false),
            (None, "GODEBUG=madvdontneed=0\0", true),
            (None, "A=b\0GODEBUG=gctrace=1,madvdontneed=0,asyncpreemptoff=1\0C=d\0", true),
            (None, "GODEBUG=madvdontneed=1\0", false),
            (None, "GODEBUG=madvdontneed=0,madvdontneed=1\0", false),
            (None, "GODEBUG=madvdontneed=0,madvdontneed=x\0", true),
            (None, "GODEBUG=gctrace=1\0GODEBUG=madvdontneed=0\0", false),
            (None, "NOGODEBUG=madvdontneed=0\0", false),
            (Some("panicnil=1,madvdontneed=0"), "", true),
            (Some("madvdontneed=0"), "GODEBUG=madvdontneed=1\0", false),
        ] {
            assert_eq!(gives_back_lazily(defaults, environment), expected, "{defaults:?} {environment:?}");
        }
    }
}
