//! Whether both servers can be used now, for whoever asks a load balancer's question.
//!
//! It must never say yes because it was so a while ago.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::client::Client;
use crate::error::ClientError;
use crate::store::Doing;

/// A server that answers later is not ready.
const WITHIN: Duration = Duration::from_secs(3);

impl Client {
    /// Returns if RabbitMQ takes connections and Redis answers.
    ///
    /// # Errors
    ///
    /// Says which of them does not.
    pub async fn ready(&self) -> Result<(), ClientError> {
        let publisher = self.publisher.connected(Instant::now() + WITHIN);
        publisher.await.map_err(ClientError::Broker)?;
        let mut commands = redis::pipe();
        commands.cmd("PING").ignore();
        let asked = self
            .store
            .ask(Doing::of_none("asking whether it is there"), &commands);
        match timeout(WITHIN, asked).await {
            Ok(answer) => answer,
            Err(_) => Err(self.silent(WITHIN)),
        }
    }
}
