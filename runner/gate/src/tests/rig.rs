//! What the tests share: a gate with one passage, servers to reach, and a client's moves.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::keeper::Patience;
use crate::{Account, Doors, Gate, HostPattern, Passage, Permit, Policy, Verdict};

/// A gate, open for one job.
pub(super) struct Rig {
    pub(super) passage: Option<Passage>,
    pub(super) http: SocketAddr,
    pub(super) socks: SocketAddr,
    pub(super) lookups: Arc<AtomicUsize>,
    /// Whether the job may still have a network.
    pub(super) permitted: Arc<AtomicBool>,
    pub(super) gate: Gate,
}

/// Names and what they resolve to.
pub(super) type Names = &'static [(&'static str, &'static [&'static str])];

pub(super) fn patterns(all: &[&str]) -> Vec<HostPattern> {
    all.iter().map(|one| one.parse().unwrap()).collect()
}

/// Opens every host on `port`, and loopback to those that are called `home`.
pub(super) fn policy(port: u16) -> Policy {
    Policy {
        hosts: vec![patterns(&["*"])],
        ports: vec![port],
        intranet: patterns(&["home"]),
        upstream: None,
        connections: 10_000,
        bytes: u64::MAX,
    }
}

/// No test waits for these.
pub(super) const IMPATIENT: Patience = Patience {
    head: Duration::from_millis(100),
    lookup: Duration::from_millis(100),
    connect: Duration::from_secs(10),
};

impl Rig {
    pub(super) fn open(policy: Policy, names: Names) -> Rig {
        Rig::open_with(policy, names, Patience::default())
    }

    pub(super) fn open_with(policy: Policy, names: Names, patience: Patience) -> Rig {
        let names: HashMap<&str, Vec<IpAddr>> = names
            .iter()
            .map(|(name, all)| (*name, all.iter().map(|ip| ip.parse().unwrap()).collect()))
            .collect();
        let gate = Gate::start().unwrap();
        let (http, socks) = (listen("127.0.0.1:0"), listen("127.0.0.1:0"));
        let lookups = Arc::new(AtomicUsize::new(0));
        let counted = lookups.clone();
        let lookup = Arc::new(move |name: &str| {
            counted.fetch_add(1, Ordering::SeqCst);
            names
                .get(name)
                .cloned()
                .ok_or_else(|| std::io::Error::other("no such name"))
        });
        let addresses = (http.local_addr().unwrap(), socks.local_addr().unwrap());
        let doors = Doors {
            http: http.into(),
            socks: socks.into(),
        };
        let permitted = Arc::new(AtomicBool::new(true));
        let asked = permitted.clone();
        let permit = Permit::new(move || asked.load(Ordering::SeqCst));
        let passage = gate
            .open_with(doors, policy, permit, patience, lookup)
            .unwrap();
        Rig {
            passage: Some(passage),
            http: addresses.0,
            socks: addresses.1,
            lookups,
            permitted,
            gate,
        }
    }

    pub(super) async fn close(mut self) -> Account {
        self.passage.take().unwrap().close().await
    }

    /// The verdicts, in order.
    pub(super) async fn verdicts(self) -> Vec<Verdict> {
        let account = self.close().await;
        account.connections.iter().map(|one| one.verdict).collect()
    }

    /// Sends `bytes` to the HTTP door, and gives all that comes back until it closes.
    pub(super) async fn raw(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut stream = TcpStream::connect(self.http).await.unwrap();
        stream.write_all(bytes.as_ref()).await.unwrap();
        stream.shutdown().await.unwrap();
        read_all(&mut stream).await
    }

    /// A tunnel, and the status line that came with it.
    pub(super) async fn connect(&self, target: &str) -> (TcpStream, String) {
        let mut stream = TcpStream::connect(self.http).await.unwrap();
        let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let head = read_head(&mut stream).await;
        let status = head.lines().next().unwrap_or_default().to_owned();
        (stream, status)
    }
}

pub(super) fn listen(address: &str) -> TcpListener {
    TcpListener::bind(address).unwrap()
}

/// Reads until the end, however it comes.
pub(super) async fn read_all(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        all.extend_from_slice(&buffer[..read]);
    }
    String::from_utf8_lossy(&all).into_owned()
}

/// To a server that echoes and back.
pub(super) async fn ping(stream: &mut TcpStream) {
    stream.write_all(b"x").await.unwrap();
    stream.read_exact(&mut [0]).await.unwrap();
}

/// Reads up to an empty line, and nothing beyond.
pub(super) async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8_lossy(&head).into_owned()
}

/// A server that sends back what it gets, on any number of connections.
pub(super) struct Echo {
    pub(super) port: u16,
    pub(super) accepted: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Echo {
    pub(super) fn start() -> Echo {
        let listener = listen("127.0.0.1:0");
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = accepted.clone();
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    tokio::io::copy(&mut from, &mut to)
                        .await
                        .unwrap_or_default();
                });
            }
        });
        Echo {
            port,
            accepted,
            task,
        }
    }

    pub(super) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A server that answers each connection with `answer` after its head, and gives the heads and what came after.
pub(super) struct Site {
    pub(super) port: u16,
    task: JoinHandle<Vec<String>>,
    stop: tokio::sync::oneshot::Sender<()>,
}

impl Site {
    pub(super) fn start(answer: &'static str) -> Site {
        let listener = listen("127.0.0.1:0");
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let (stop, mut stopped) = tokio::sync::oneshot::channel();
        let task = tokio::spawn(async move {
            let mut seen = Vec::new();
            loop {
                let mut stream = tokio::select! {
                    came = listener.accept() => came.unwrap().0,
                    _ = &mut stopped => return seen,
                };
                let mut said = read_head(&mut stream).await;
                stream.write_all(answer.as_bytes()).await.unwrap();
                stream.shutdown().await.unwrap();
                said.push_str(&read_all(&mut stream).await);
                seen.push(said);
            }
        });
        Site { port, task, stop }
    }

    /// All that each connection said.
    pub(super) async fn seen(self) -> Vec<String> {
        self.stop.send(()).unwrap();
        self.task.await.unwrap()
    }
}
