//! One file per kernel event.

mod hook;
mod look;
mod rss;
mod syscall;
mod task;
