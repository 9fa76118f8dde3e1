//! Redis and its Sentinels: logins, places, strangers and replicas.

use glovebox_tests::{LoneSentinel, MASTER, Redis, Services};

use crate::common::{Commands, SECRET, Wrong, closed, place, web_server};

#[tokio::test]
async fn a_redis_that_cannot_be_used() {
    let commands = Commands::new();
    let amqp_url = Services::isolated_vhost().unwrap();
    let rabbit = place(&amqp_url);
    let (server, locked) = (Redis::start().unwrap(), Redis::start().unwrap());
    let replica = Redis::replica_of(&server).unwrap();
    locked
        .ask(&["CONFIG", "SET", "requirepass", "right"])
        .unwrap();
    let sentinel = LoneSentinel::start().unwrap();
    sentinel.watch(server.port()).unwrap();
    let (redis, sentinel) = (place(server.url()), sentinel.place());
    let (locked, replica) = (place(locked.url()), place(replica.url()));
    let (closed, web) = (closed(), web_server().await);
    let url = "GLOVEBOX_REDIS_URL";
    for (redis_url, says) in [
        (
            format!("redis://:{SECRET}@{locked}/0"),
            ("refused the user name or the password", url),
        ),
        (
            format!("redis://{locked}/0"),
            ("refused the user name or the password", url),
        ),
        (
            format!("redis://:{SECRET}@{closed}/0"),
            ("is out of reach: Connection refused", url),
        ),
        (
            format!("redis://:{SECRET}@no-such-host.invalid/0"),
            ("is out of reach", url),
        ),
        (format!("redis://:{SECRET}@{web}/0"), ("is not Redis", url)),
        (
            format!("redis://:{SECRET}@{rabbit}/0"),
            ("is not Redis", url),
        ),
        (
            format!("redis://{replica}/0"),
            ("is a read-only replica", "redis-cli ROLE"),
        ),
        (
            format!("redis://{sentinel}/0"),
            ("is not Redis: it is a Sentinel", url),
        ),
        (
            format!("redis+sentinel://:{SECRET}@{sentinel}/mian"),
            ("know no master \"mian\"", "SENTINEL MASTERS"),
        ),
        (
            format!("redis+sentinel://:{SECRET}@{redis}/{MASTER}"),
            ("is not Redis Sentinel", url),
        ),
        (
            format!("redis+sentinel://:{SECRET}@{closed}/{MASTER}"),
            ("could be asked for the master", url),
        ),
        (
            format!("redis+sentinel://:{SECRET}@{sentinel}"),
            ("the URL of Redis Sentinel cannot be used", url),
        ),
        (
            format!("rediss://:{SECRET}@{redis}/0"),
            ("does not speak TLS", "redis:// instead of rediss://"),
        ),
        (
            format!("amqp://:{SECRET}@{redis}/0"),
            ("the URL of Redis cannot be used", url),
        ),
        (
            format!("redis:{SECRET}"),
            ("the URL of Redis cannot be used", url),
        ),
        (String::new(), ("the URL of Redis cannot be used", url)),
    ] {
        let services = Services {
            amqp_url: amqp_url.clone(),
            redis_url,
        };
        commands.refused(Wrong::Redis, &services, says, &[]).await;
    }
}
