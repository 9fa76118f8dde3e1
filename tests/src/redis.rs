//! A Redis of one's own, to be killed, frozen, filled and flushed.
//!
//! It must never be used where the shared one would do: ids are unique, so
//! tests do not meet each other there.

use crate::supervised::Supervised;

/// A private Redis that keeps nothing on disk. It ends when this is dropped.
#[derive(Debug)]
pub struct Redis(Supervised);

impl Redis {
    /// Starts one on a free port and waits until it answers.
    ///
    /// # Errors
    ///
    /// When redis-server is not installed or does not start.
    pub fn start() -> anyhow::Result<Self> {
        Supervised::start("redis").map(Self)
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> &str {
        self.0.url()
    }

    /// Kills it, as a crash would; its data are gone.
    ///
    /// # Errors
    ///
    /// When the supervisor is gone.
    pub fn kill(&self) -> anyhow::Result<()> {
        self.0.order("kill")
    }

    /// Starts it again after [`kill`](Self::kill): same port, empty.
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub fn restart(&self) -> anyhow::Result<()> {
        self.0.order("start")
    }

    /// Stops it from running, with its connections open.
    ///
    /// # Errors
    ///
    /// When it is not running.
    pub fn freeze(&self) -> anyhow::Result<()> {
        self.0.order("freeze")
    }

    /// Lets it run on after [`freeze`](Self::freeze).
    ///
    /// # Errors
    ///
    /// When it is not running.
    pub fn thaw(&self) -> anyhow::Result<()> {
        self.0.order("thaw")
    }
}
