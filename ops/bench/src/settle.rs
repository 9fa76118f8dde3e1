//! Until the machine has nothing to do: what one batch leaves behind (a pool that fills up again) must never be paid for
//! by the next.

use std::time::{Duration, Instant};

/// Looks that have to find nobody running but this process.
const QUIET_LOOKS: usize = 5;
const BETWEEN: Duration = Duration::from_millis(1);
/// Whatever else runs here is not ours to wait for.
const PATIENCE: Duration = Duration::from_millis(400);

/// Waits.
pub(crate) fn settle() {
    let begun = Instant::now();
    let mut quiet = 0;
    while quiet < QUIET_LOOKS && begun.elapsed() < PATIENCE {
        std::thread::sleep(BETWEEN);
        quiet = if is_quiet() { quiet + 1 } else { 0 };
    }
}

/// proc_loadavg(5): the fourth field is how many processes are runnable, and how many there are.
fn is_quiet() -> bool {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let field = text.split_whitespace().nth(3).unwrap_or_default();
    field.starts_with("1/")
}
