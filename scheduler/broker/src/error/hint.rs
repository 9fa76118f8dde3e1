//! What to do about each failure, in one line that names the setting or the command.

use super::{BrokerError, Flaw, Service};

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
            Self::Certificate { service, flaw, .. } => match flaw {
                Flaw::UnknownIssuer => {
                    "name the file with your authority's certificate (PEM) in GLOVEBOX_TLS_CA"
                        .to_owned()
                }
                Flaw::WrongName => format!(
                    "write the host in {} as the certificate has it, or have one made for this name",
                    service.variable()
                ),
                Flaw::WrongTime => {
                    "renew the server's certificate; if it is not that, is this host's clock right?"
                        .to_owned()
                }
                Flaw::SelfSigned => {
                    "have an authority sign one for the server, and name the authority's (PEM) in GLOVEBOX_TLS_CA"
                        .to_owned()
                }
                Flaw::Unusable => {
                    "have one made for a server, with its name in subjectAltName".to_owned()
                }
            },
            Self::CertificateWanted { service, .. } => {
                let setting = match service {
                    Service::RabbitMq => "ssl_options.fail_if_no_peer_cert = false",
                    Service::Redis | Service::Sentinel => "tls-auth-clients no",
                };
                format!("Glovebox shows none: `{setting}` in {service}'s configuration, and a password instead")
            }
            Self::NoTls { service, .. } => {
                let (plain, tls) = service.schemes();
                format!(
                    "use its port for TLS in {}, or {plain} instead of {tls}",
                    service.variable()
                )
            }
            Self::TlsWanted { service, .. } => {
                let (plain, tls) = service.schemes();
                format!("write {tls} instead of {plain} in {}", service.variable())
            }
            Self::Authorities { .. } => {
                "GLOVEBOX_TLS_CA names a readable PEM file; without it the system's are used (`apt-get install ca-certificates`)"
                    .to_owned()
            }
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
            Self::OtherSettings { kind, name, .. } => {
                let delete = match *kind {
                    "queue" => format!("drain it and `rabbitmqctl delete_queue {name}`"),
                    kind => format!("`rabbitmqadmin delete {kind} name={name}`"),
                };
                format!("{delete} (-p or -V for a virtual host); it is declared anew at the next connect")
            }
            Self::Declare { .. } => {
                "the user needs configure, write and read permission on glovebox.*".to_owned()
            }
        }
    }
}
