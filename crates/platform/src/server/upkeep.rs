//! What a server does beside requests, so that it takes no more room than they need.

use std::time::Duration;

use super::metrics;
use crate::memory;

/// Often enough that numbers of a busy server stay few, and seldom enough that nobody notices.
const INTERVAL: Duration = Duration::from_secs(5);

/// Goes on until it is dropped.
pub(super) async fn run() {
    loop {
        tokio::time::sleep(INTERVAL).await;
        metrics::tidy_up();
        // It fails where the runtime ends, and then so does everything.
        let _ = tokio::task::spawn_blocking(memory::give_back).await;
    }
}
