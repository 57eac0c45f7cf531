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
    "redis-dict-8",
    "valkey-hashtable",
    "memcached",
    "memcached-1.6.38",
    "postgres-dynahash-15",
    "postgres-dynahash-17",
    "postgres-shared-15",
    "postgres-shared-17",
    "postgres-tuplehash-15",
    "cpython-dict-3.11",
    "cpython-dict-3.12",
    "cpython-dict-3.13",
    "v8-ordered",
    "glib-hashtable",
    "cpp-unordered",
    "abseil-flat-20220623",
    "rust-hashbrown",
}
