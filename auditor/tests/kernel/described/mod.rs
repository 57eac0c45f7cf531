//! Hash maps of programs that people run: Redis, PostgreSQL, memcached, Python, C++, Rust, GLib, Abseil. Each is
//! loaded for real and asked for its own figures, which are the truth here.
//!
//! `program.rs`, `suite.rs`, `resp.rs`, `redis.rs`, `postgres.rs` and `memcached.rs` start them, make them do one
//! step after another and ask them; `words.rs` reads their memory by hand. `family.rs` looks at a server with all its processes, `shared.rs` at
//! what these share. `layouts.rs` holds the pages
//! docs/runtimes/ against the truth, without the auditor: if that fails, a program has changed and not the auditor.
//! `page.rs`, `harmless.rs`, `noted.rs`, `forks.rs` and `plugs.rs` have programs of their own, with profiles that are not built in.

mod audited;
mod family;
mod forks;
mod harmless;
mod layouts;
mod memcached;
mod noted;
mod page;
mod plugs;
mod postgres;
pub(crate) mod program;
mod redis;
mod resp;
mod shared;
mod suite;
mod words;
