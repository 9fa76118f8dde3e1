//! TLS: certificates that are not to be trusted, and ports that want none, or nothing else.

use glovebox_tests::certificates::{Clients, Flaw};
use glovebox_tests::{Certificates, Fleet, Rabbit, Redis, Services};

use crate::common::{Commands, SECRET, Wrong};

#[tokio::test]
async fn tls_that_does_not_come_about() {
    let commands = Commands::new();
    let certificates = Certificates::new().unwrap();
    let redis = Redis::start_tls(&certificates, Clients::Anyone).unwrap();
    let encrypted = format!("localhost:{}", redis.port_for_tls().unwrap());
    let authority = certificates.authority().display().to_string();
    let trusting = [("GLOVEBOX_TLS_CA", &*authority)];
    let good = Services {
        amqp_url: Services::isolated_vhost().unwrap(),
        redis_url: Services::shared_redis().unwrap(),
    };
    let _fleet = Fleet::on(good.clone()).await.unwrap();
    // The certificate is looked at first: whose it is does not matter.
    let amqp = Services {
        amqp_url: format!("amqps://guest:{SECRET}@{encrypted}/%2f"),
        ..good.clone()
    };
    let store = |scheme: &str| Services {
        redis_url: format!("{scheme}://:{SECRET}@{encrypted}/0"),
        ..good.clone()
    };

    let says = ("speaks TLS only", "rediss:// instead of redis://");
    let plain = store("redis");
    commands
        .refused(Wrong::Redis, &plain, says, &trusting)
        .await;
    let says = ("is signed by nobody who is trusted here", "GLOVEBOX_TLS_CA");
    commands.refused(Wrong::RabbitMq, &amqp, says, &[]).await;
    commands
        .refused(Wrong::Redis, &store("rediss"), says, &[])
        .await;

    for (flaw, says) in [
        (Flaw::SelfSigned, ("is signed by itself", "GLOVEBOX_TLS_CA")),
        (Flaw::WrongName, ("is made out to another name", "_URL")),
        (Flaw::Expired, ("is not valid at this time", "renew")),
    ] {
        let (certificate, key) = certificates.bad(flaw).unwrap();
        let files = [certificate, key].map(|file| file.display().to_string());
        let [certificate, key] = &files;
        redis
            .ask(&[
                "CONFIG",
                "SET",
                "tls-cert-file",
                certificate,
                "tls-key-file",
                key,
            ])
            .unwrap();
        commands
            .refused(Wrong::RabbitMq, &amqp, says, &trusting)
            .await;
        commands
            .refused(Wrong::Redis, &store("rediss"), says, &trusting)
            .await;
    }
}

#[tokio::test]
async fn rabbitmqs_port_for_tls_without_it() {
    let commands = Commands::new();
    let certificates = Certificates::new().unwrap();
    let rabbit = Rabbit::start_tls(&certificates, Clients::Anyone).unwrap();
    let services = Services {
        amqp_url: rabbit
            .url_tls()
            .unwrap()
            .replace("amqps://guest:guest@", &format!("amqp://guest:{SECRET}@")),
        redis_url: Services::shared_redis().unwrap(),
    };
    let says = ("speaks TLS only", "amqps:// instead of amqp://");
    commands
        .refused(Wrong::RabbitMq, &services, says, &[])
        .await;
}

#[tokio::test]
async fn authorities_that_cannot_be_read() {
    let commands = Commands::new();
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.pem").display().to_string();
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    let services = Services::isolated().unwrap();
    for file in [&*missing, empty.to_str().unwrap()] {
        let says = (
            &*format!("the certificate authorities of {file} cannot be read"),
            "GLOVEBOX_TLS_CA",
        );
        let variables = [("GLOVEBOX_TLS_CA", file)];
        commands
            .refused(Wrong::Redis, &services, says, &variables)
            .await;
    }
}
