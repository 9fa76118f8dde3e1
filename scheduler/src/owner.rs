//! Whose job it is, and what was asked for under its id: for one who serves several tenants.
//!
//! It must never let one tenant take an id that another has used.

use glovebox_schemas::job::JobId;
use glovebox_schemas::names::{STATE_TTL_SECONDS, claim_key, state_key};

use crate::client::Client;
use crate::error::ClientError;
use crate::store::Doing;

impl Client {
    /// The tenant whose job this is. `None` if nobody has sent it, if that is too long ago to be remembered (two
    /// days), or if it came by a way on which nobody writes that down.
    ///
    /// # Errors
    ///
    /// When Redis fails.
    pub async fn owner(&self, id: &JobId) -> Result<Option<String>, ClientError> {
        let mut commands = redis::pipe();
        commands.hget(state_key(id), "tenant");
        let doing = Doing::of(id, "looking whose it is");
        let (owner,): (Option<String>,) = self.store.ask(doing, &commands).await?;
        Ok(owner)
    }

    /// Notes what is asked for under this id, and tells whether it is what was asked for first. So whoever derives
    /// the id from a key of the caller's finds out that the key was used for another request.
    ///
    /// # Errors
    ///
    /// When Redis fails.
    pub async fn claim(&self, id: &JobId, fingerprint: &str) -> Result<bool, ClientError> {
        let key = claim_key(id);
        let mut commands = redis::pipe();
        let mut first = redis::cmd("SET");
        first.arg(&key).arg(fingerprint).arg("NX");
        first.arg("EX").arg(STATE_TTL_SECONDS);
        commands.add_command(first).ignore().get(&key);
        let doing = Doing::of(id, "noting what was asked for");
        let (claimed,): (Option<String>,) = self.store.ask(doing, &commands).await?;
        Ok(claimed.as_deref() == Some(fingerprint))
    }
}
