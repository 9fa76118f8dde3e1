//! How much memory a runner keeps interpreters warm with.
//!
//! Must never take so much by itself that jobs lack it: whoever wants more says so.

use glovebox_cell::{WarmConfig, available_memory};

/// Bytes, if nobody says how many.
const USUAL: u64 = 512 << 20;
/// The part of what is available that is taken then at the most.
const SHARE: u64 = 4;

/// What is kept warm with `asked` bytes. Decided once, and told.
pub(crate) fn config(asked: Option<u64>) -> WarmConfig {
    let libraries = Some(glovebox_inside::LIBRARIES).filter(|libraries| !libraries.fork.is_empty());
    let memory = match (libraries, asked) {
        (None, _) => 0,
        (Some(_), Some(asked)) => asked,
        (Some(_), None) => usual(),
    };
    match memory {
        0 => tracing::info!("nothing is kept warm: every job's interpreter starts anew"),
        warm_memory_bytes => tracing::info!(
            warm_memory_bytes,
            "interpreters are kept warm within this memory (--warm-memory)"
        ),
    }
    WarmConfig {
        libraries: libraries.filter(|_| memory > 0),
        memory,
        ..WarmConfig::default()
    }
}

fn usual() -> u64 {
    match available_memory() {
        Ok(available) => share(available),
        Err(error) => {
            tracing::warn!(
                %error,
                "how much memory is available can't be read: say how much may be kept warm with --warm-memory"
            );
            0
        }
    }
}

fn share(available: u64) -> u64 {
    USUAL.min(available / SHARE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_host_keeps_less_warm() {
        assert_eq!(share(1 << 30), 256 << 20);
        assert_eq!(share(64 << 30), USUAL);
    }

    #[test]
    fn what_is_asked_for_counts() {
        for asked in [0, 1 << 20, 1 << 40] {
            let config = config(Some(asked));
            assert_eq!(
                (config.memory, config.libraries.is_some()),
                (asked, asked > 0)
            );
        }
    }
}
