//! Waiting for a file descriptor to become readable.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Waits for a descriptor: the ring buffer's, or a pidfd, which is readable when its process has
/// ended.
#[derive(Debug)]
pub struct Readiness(AsyncFd<OwnedFd>);

impl Readiness {
    /// Watches a duplicate, so that it does not matter who closes the original when. Must be called
    /// inside a tokio runtime.
    ///
    /// # Errors
    /// When it cannot be duplicated or watched.
    pub fn of(descriptor: impl AsFd) -> io::Result<Self> {
        let own = descriptor.as_fd().try_clone_to_owned()?;
        // SAFETY: the descriptor is owned by what watches it, so it is open as long as it is watched.
        let watched = unsafe { AsyncFd::register_with_interest(own, Interest::READABLE) };
        watched.map(Self).map_err(Into::into)
    }

    /// Waits until it is readable, and forgets that it was. Cancel safe.
    pub async fn once(&self) {
        if let Ok(mut guard) = self.0.readable().await {
            guard.clear_ready();
        }
    }
}
