//! What to do about each failure, in one line that names the setting or the command.

use super::{BrokerError, Service};

impl BrokerError {
    /// What to do about it, in one line.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Url { service, .. } => format!(
                "set {} to something like {}",
                service.variable(),
                service.example_url()
            ),
            Self::Unreachable { service, .. } => format!(
                "is it running, and are host and port in {} right? `ops/up` starts RabbitMQ and Redis here",
                service.variable()
            ),
            Self::Silent { service, .. } => format!(
                "the port is open but mute: is it {service}'s, and is the server not frozen or overloaded?"
            ),
            Self::NotTheService { service, .. } => format!(
                "another program listens there: check the port in {}",
                service.variable()
            ),
            Self::Credentials {
                service: Service::Sentinel,
                ..
            } => {
                "Sentinels get a login of their own from ?sentinel_user=…&sentinel_password=… at the end of GLOVEBOX_REDIS_URL"
                    .to_owned()
            }
            Self::Credentials { service, .. } => format!(
                "check user and password in {} (special characters are percent-encoded)",
                service.variable()
            ),
            Self::VirtualHost { vhost, .. } => format!(
                "`rabbitmqctl add_vhost '{vhost}'` and `rabbitmqctl set_permissions -p '{vhost}' USER '.*' '.*' '.*'`, or another path in GLOVEBOX_AMQP_URL (%2f is the virtual host /)"
            ),
            Self::ReadOnly { .. } => {
                "set GLOVEBOX_REDIS_URL to the master; `redis-cli ROLE` on this one names it"
                    .to_owned()
            }
            Self::NoSentinel { source, .. } => source.hint(),
            Self::UnknownMaster { .. } => {
                "`redis-cli -p 26379 SENTINEL MASTERS` lists the names; GLOVEBOX_REDIS_URL has it after the hosts"
                    .to_owned()
            }
            Self::Lost { service, .. } => {
                format!("trying again may do; if not, {service}'s log says why")
            }
            Self::OtherSettings { kind, name, .. } => format!(
                "drain the {kind} and delete it (`rabbitmqctl delete_queue {name}` for a queue); it is declared anew at the next connect"
            ),
            Self::Declare { .. } => {
                "the user needs configure, write and read permission on glovebox.*".to_owned()
            }
        }
    }
}
