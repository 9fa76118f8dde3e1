//! The client's connection to Redis, made at first use.
//!
//! It must never write a result.

use glovebox_broker::{Redis, connect_redis};
use glovebox_schemas::job::JobId;
use redis::{FromRedisValue, Pipeline};
use tokio::sync::OnceCell;

use crate::error::ClientError;

pub(crate) struct Store {
    pub(crate) url: String,
    connection: OnceCell<Redis>,
}

impl Store {
    pub(crate) fn new(url: String) -> Self {
        Self {
            url,
            connection: OnceCell::new(),
        }
    }

    /// Sends the commands in one packet and reads their answers.
    pub(crate) async fn ask<T: FromRedisValue>(
        &self,
        id: &JobId,
        doing: &'static str,
        commands: &Pipeline,
    ) -> Result<T, ClientError> {
        let connect = || async { connect_redis(&self.url).await.map_err(ClientError::Broker) };
        let mut connection = self.connection.get_or_try_init(connect).await?.clone();
        commands
            .query_async(&mut connection)
            .await
            .map_err(|source| ClientError::Store {
                doing,
                id: id.clone(),
                source,
            })
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Store")
            .field(&glovebox_broker::without_password(&self.url))
            .finish()
    }
}
