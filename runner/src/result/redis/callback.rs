//! Whether a job that is done has had its callback sent on its way: a field of its state, which lives longer than the
//! result. It only spares receivers a second copy, so must never be written before the broker has the first.

use glovebox_schemas::job::JobId;
use glovebox_schemas::names::{STATE_TTL_SECONDS, result_key, state_key};
use glovebox_schemas::result::JobResult;

use super::{RedisStore, concerns_all};
use crate::result::Owed;

const FIELD: &str = "called_back";

impl RedisStore {
    pub(in crate::result) async fn owed(&self, id: &JobId, tenant: &str) -> Owed {
        loop {
            let mut look = redis::pipe();
            look.hget(state_key(id), FIELD)
                .hget(state_key(id), "tenant")
                .get(result_key(id));
            let found = look.query_async(&mut self.connection.clone()).await;
            let found: (Option<String>, Option<String>, Option<Vec<u8>>) = match self.noted(found) {
                Ok(found) => found,
                Err(error) if concerns_all(&error) => {
                    self.back().await;
                    continue;
                }
                Err(error) => {
                    tracing::error!(job = %id, %error, "its keys in Redis can't be used");
                    return Owed::Lost;
                }
            };
            return match found {
                (Some(_), ..) => Owed::Nothing,
                // Somebody else's message with this id: the result is not for them.
                (_, Some(owner), _) if owner != tenant => Owed::Nothing,
                (None, _, Some(document)) => JobResult::from_json(&document)
                    .inspect_err(
                        |error| tracing::error!(job = %id, %error, "its result can't be read"),
                    )
                    .map_or(Owed::Lost, |result| Owed::Callback(Box::new(result))),
                (None, _, None) => Owed::Lost,
            };
        }
    }

    pub(in crate::result) async fn called_back(&self, id: &JobId) {
        let ttl = i64::try_from(STATE_TTL_SECONDS).unwrap_or(i64::MAX);
        let mut note = redis::pipe();
        note.atomic()
            .hset(state_key(id), FIELD, 1)
            .ignore()
            .expire(state_key(id), ttl)
            .ignore();
        let noted = note.query_async::<()>(&mut self.connection.clone()).await;
        if let Err(error) = self.noted(noted) {
            tracing::warn!(job = %id, %error, "its callback may be sent again");
        }
    }
}
