//! The client's connection to Redis, made at first use.
//!
//! It must never write a result over another one; the only result that a client
//! writes at all is that of a job which was cancelled before it began.

use std::sync::Arc;

use glovebox_broker::{BrokerError, Redis, connect_redis, without_password};
use glovebox_schemas::job::JobId;
use redis::{
    ErrorKind, FromRedisValue, Pipeline, RedisError, RedisResult, Script, ScriptInvocation,
    ServerErrorKind,
};

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
        let mut connection = self.connection().await.map_err(ClientError::Broker)?;
        let asked = commands.query_async(&mut connection).await;
        asked.map_err(|source| doing.failed(source))
    }

    /// Runs a script: what it does, it does in one step.
    pub(crate) async fn run<T: FromRedisValue>(
        &self,
        doing: Doing<'_>,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, ClientError> {
        let mut connection = self.connection().await.map_err(ClientError::Broker)?;
        let ran = script.invoke_async(&mut connection).await;
        ran.map_err(|source| doing.failed(source))
    }

    /// Runs a script once for each of these jobs, in one packet: each time in one step, but others' commands may come
    /// in between. One that fails does not keep the next from running.
    pub(crate) async fn run_each<T: FromRedisValue>(
        &self,
        what: &'static str,
        script: &Script,
        each: &[(&JobId, ScriptInvocation<'_>)],
    ) -> Vec<Result<T, ClientError>> {
        let mut connection = match self.connection().await {
            Ok(connection) => connection,
            Err(error) => {
                let failed = || Err(ClientError::Broker(Arc::clone(&error)));
                return each.iter().map(|_| failed()).collect();
            }
        };
        let all: Vec<_> = each.iter().map(|(_, invocation)| invocation).collect();
        let mut ran = invoke(&mut connection, &all).await;
        let is_missing = |ran: &RedisResult<T>| ran.as_ref().is_err_and(no_script);
        let missing: Vec<usize> = (0..ran.len()).filter(|at| is_missing(&ran[*at])).collect();
        // An error that stays is told by the second try.
        if !missing.is_empty() && script.load_async(&mut connection).await.is_ok() {
            let again: Vec<_> = missing.iter().map(|at| all[*at]).collect();
            for (at, outcome) in missing.iter().zip(invoke(&mut connection, &again).await) {
                ran[*at] = outcome;
            }
        }
        let ran = each.iter().zip(ran);
        let failed = |id, source| Doing::of(id, what).failed(source);
        ran.map(|((id, _), ran)| ran.map_err(|source| failed(id, source)))
            .collect()
    }

    async fn connection(&self) -> Result<Redis, Arc<BrokerError>> {
        let url = self.url.clone();
        let connect = || async move { connect_redis(&url).await };
        // It mends itself.
        self.connection.get(|_| true, connect).await
    }
}

/// One outcome for each. Without an answer to one there is none to any.
async fn invoke<T: FromRedisValue>(
    connection: &mut Redis,
    each: &[&ScriptInvocation<'_>],
) -> Vec<RedisResult<T>> {
    let mut commands = redis::pipe();
    commands.ignore_errors();
    for invocation in each {
        commands.invoke_script(invocation);
    }
    match commands.query_async(connection).await {
        Ok(outcomes) => outcomes,
        Err(error) => each.iter().map(|_| Err(error.clone())).collect(),
    }
}

fn no_script(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Store")
            .field(&without_password(&self.url))
            .finish()
    }
}
