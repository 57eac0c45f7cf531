//! The profiles that come with the auditor: one row each.

macro_rules! profiles {
    ($($name:literal,)*) => {
        /// Name and text of each, in the order in which they are tried.
        pub const BUILTIN: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../../../profiles/", $name, ".toml"))),)*];
    };
}

profiles! {
    "redis-dict-7",
    "memcached",
    "postgres-dynahash-15",
    "postgres-tuplehash-15",
    "cpython-dict-3.11",
    "glib-hashtable",
    "cpp-unordered",
    "rust-hashbrown",
}
