//! The client's connection to Redis, made at first use.
//!
//! It must never write a result over another one; the only result that a client
//! writes at all is that of a job which was cancelled before it began.

use glovebox_broker::{Redis, connect_redis, without_password};
use glovebox_schemas::job::JobId;
use redis::{FromRedisValue, Pipeline, RedisError, ScriptInvocation};

use crate::attempt::Attempt;
use crate::error::ClientError;

pub(crate) struct Store {
    pub(crate) url: String,
    connection: Attempt<Redis>,
}

/// What is done in Redis, for the error that says that it failed.
#[derive(Clone, Copy)]
pub(crate) struct Doing<'a> {
    what: &'static str,
    id: Option<&'a JobId>,
}

impl<'a> Doing<'a> {
    /// `what` is followed by "of job …".
    pub(crate) fn of(id: &'a JobId, what: &'static str) -> Self {
        Self { what, id: Some(id) }
    }

    pub(crate) fn of_none(what: &'static str) -> Self {
        Self { what, id: None }
    }

    fn failed(self, source: RedisError) -> ClientError {
        ClientError::Store {
            doing: self.what,
            id: self.id.cloned(),
            source,
        }
    }
}

impl Store {
    pub(crate) fn new(url: String) -> Self {
        Self {
            url,
            connection: Attempt::new(),
        }
    }

    /// Sends the commands in one packet and reads their answers.
    pub(crate) async fn ask<T: FromRedisValue>(
        &self,
        doing: Doing<'_>,
        commands: &Pipeline,
    ) -> Result<T, ClientError> {
        let mut connection = self.connection().await?;
        let asked = commands.query_async(&mut connection).await;
        asked.map_err(|source| doing.failed(source))
    }

    /// Runs a script: what it does, it does in one step.
    pub(crate) async fn run<T: FromRedisValue>(
        &self,
        doing: Doing<'_>,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, ClientError> {
        let mut connection = self.connection().await?;
        let ran = script.invoke_async(&mut connection).await;
        ran.map_err(|source| doing.failed(source))
    }

    async fn connection(&self) -> Result<Redis, ClientError> {
        let url = self.url.clone();
        let connect = || async move { connect_redis(&url).await };
        // It mends itself.
        let connection = self.connection.get(|_| true, connect).await;
        connection.map_err(ClientError::Broker)
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Store")
            .field(&without_password(&self.url))
            .finish()
    }
}
