//! `glovebox gateway` as a real process, and a client of it.
//!
//! It must never outlive its test: it dies as any other command that a test runs.

use crate::cli::{Cli, Running};
use crate::http::Http;
use crate::services::Services;

/// A gateway that listens.
#[derive(Debug)]
pub struct Gateway {
    /// The process.
    pub process: Running,
    /// Where it listens: `http://…` or `https://…`.
    pub url: String,
    /// A client without a key.
    pub http: Http,
}

impl Gateway {
    /// Before a fleet.
    #[must_use]
    pub fn before(services: &Services, args: &[&str]) -> Self {
        let amqp = ("GLOVEBOX_AMQP_URL", services.amqp_url.as_str());
        Self::start(args, &[amqp, ("GLOVEBOX_REDIS_URL", &services.redis_url)])
    }

    /// With slots of its own.
    #[must_use]
    pub fn embedded(args: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::start(&[&["--embedded", "--slots", "2"], args].concat(), variables)
    }

    fn start(args: &[&str], variables: &[(&str, &str)]) -> Self {
        let common = ["gateway", "--listen", "127.0.0.1:0"];
        let mut cli = Cli::new(&[&common, args].concat());
        for (name, value) in variables {
            cli = cli.env(name, value);
        }
        Self::of(cli.spawn())
    }

    /// One that was started otherwise, once it listens.
    #[must_use]
    pub fn of(mut process: Running) -> Self {
        // The line comes whole.
        let said = process.wait_for("\n");
        let url = said.trim().trim_start_matches("listening on ").to_owned();
        Self {
            http: Http::new(&url),
            process,
            url,
        }
    }
}
