//! Where the time goes between our start and the first report: said with `-v`.

use std::time::Instant;

/// Does it, and says how long that took.
pub fn timed<T>(what: &str, does: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let done = does();
    log::debug!("{what}: {:.1} ms", began.elapsed().as_secs_f64() * 1e3);
    done
}
