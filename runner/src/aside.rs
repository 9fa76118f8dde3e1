//! Work that may take long, out of the way of what else the runtime does.

use tokio::runtime::{Handle, RuntimeFlavor};

/// Does the work in this task. Another thread looks after the runtime's other tasks meanwhile, where
/// it has one: heartbeats and acks must not wait for what a stranger's output costs to compare.
pub(crate) fn aside<T>(work: impl FnOnce() -> T) -> T {
    match Handle::current().runtime_flavor() {
        RuntimeFlavor::MultiThread => tokio::task::block_in_place(work),
        _ => work(),
    }
}
