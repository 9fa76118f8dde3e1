//! A web server and HTTP proxy that is as small as can be, for jobs to reach through the gate.
//!
//! It answers `/bytes/N` with N bytes, `/hang` with the beginning of an answer, any other path with that path, and
//! it makes tunnels for CONNECT. Must never listen where another host could reach it, unless the test says so.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Nobody who lives is silent for as long.
const SILENCE: Duration = Duration::from_secs(60);

/// Not 127.0.0.1: that is the cell itself for a program that asks a proxy for the rest.
pub const OUTSIDE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// The file `reach.py` of a job that is to speak to the gate.
pub const REACH: &str = include_str!("../programs/reach.py");

/// When somebody asked, and the first line of the request.
pub type Asked = (Instant, String);

/// A server that listens until it is dropped.
#[derive(Debug)]
pub struct Site {
    address: SocketAddr,
    over: Arc<AtomicBool>,
    asked: Arc<Mutex<Vec<Asked>>>,
    hung: Receiver<()>,
    listening: Option<JoinHandle<()>>,
}

impl Site {
    /// One on a free port of this host's loopback.
    #[must_use]
    pub fn start() -> Site {
        Site::at(OUTSIDE)
    }

    /// One on a free port of another address.
    #[must_use]
    pub fn at(address: IpAddr) -> Site {
        let listener = TcpListener::bind((address, 0)).expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (sender, hung) = channel();
        let over = Arc::new(AtomicBool::new(false));
        let (log, ends) = (asked.clone(), over.clone());
        Site {
            address,
            over,
            asked,
            hung,
            listening: Some(thread(move || listen(&listener, &ends, &log, &sender))),
        }
    }

    /// A program that knows this server as `HOST` and `PORT`, and how to speak to the gate.
    #[must_use]
    pub fn program(&self, code: &str) -> String {
        let (host, port) = (self.address.ip(), self.port());
        format!("from reach import *\nHOST, PORT = '{host}', {port}\n{code}")
    }

    /// `host:port`.
    #[must_use]
    pub fn place(&self) -> String {
        self.address.to_string()
    }

    /// The port that it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The first line of each request so far.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.iter().map(|(_, line)| line.clone()).collect()
    }

    /// What was asked since the last call, with the times.
    #[must_use]
    pub fn take_asked(&self) -> Vec<Asked> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *asked)
    }

    /// Waits until somebody who asked for `/hang` has gone.
    pub fn wait_for_the_end_of_a_hung_answer(&self) {
        self.hung.recv_timeout(SILENCE).expect("somebody hung up");
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // Wakes the listener, which looks whether it is over.
        if TcpStream::connect(self.address).is_ok()
            && let Some(listening) = self.listening.take()
        {
            drop(listening.join());
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a thread of a server of the test's; nothing forks here"
)]
fn thread(work: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    std::thread::spawn(work)
}

fn listen(
    listener: &TcpListener,
    over: &AtomicBool,
    asked: &Arc<Mutex<Vec<Asked>>>,
    hung: &Sender<()>,
) {
    for stream in listener.incoming().flatten() {
        if over.load(Ordering::Relaxed) {
            return;
        }
        let (asked, hung) = (asked.clone(), hung.clone());
        // A client that goes away in the middle is no failure of the server's.
        thread(move || serve(stream, &asked, &hung).unwrap_or_default());
    }
}

fn serve(stream: TcpStream, asked: &Mutex<Vec<Asked>>, hung: &Sender<()>) -> io::Result<()> {
    stream.set_read_timeout(Some(SILENCE))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut lines = reader.by_ref().lines();
    let Some(first) = lines.next().transpose()? else {
        return Ok(());
    };
    while lines
        .next()
        .transpose()?
        .is_some_and(|line| !line.is_empty())
    {}
    let mut log = asked.lock().unwrap_or_else(PoisonError::into_inner);
    log.push((Instant::now(), first.clone()));
    drop(log);
    match first.split(' ').collect::<Vec<_>>()[..] {
        ["CONNECT", target, _] => tunnel(&stream, target),
        [_, "/hang", _] => {
            let answered = hang(&stream);
            // The test may be over.
            hung.send(()).unwrap_or_default();
            answered
        }
        [_, path, _] => answer(&stream, path),
        _ => Ok(()),
    }
}

fn answer(mut stream: &TcpStream, path: &str) -> io::Result<()> {
    let bytes = path.strip_prefix("/bytes/").and_then(|n| n.parse().ok());
    let body = bytes.map_or_else(|| path.as_bytes().to_vec(), |n| vec![b'x'; n]);
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(&body)
}

/// Begins an answer and waits for the client to go.
fn hang(mut stream: &TcpStream) -> io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbegun")?;
    // It says no more; what ends this is the end of the connection, in order or not.
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).map(drop)
}

fn tunnel(mut client: &TcpStream, target: &str) -> io::Result<()> {
    let host = TcpStream::connect(target)?;
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
    let (from, to) = (client.try_clone()?, host.try_clone()?);
    let there = thread(move || pass(from, to));
    pass(host, client.try_clone()?);
    drop(there.join());
    Ok(())
}

/// Passes bytes on in one direction until they end.
fn pass(mut from: TcpStream, mut to: TcpStream) {
    let passed = io::copy(&mut from, &mut to).map(drop);
    passed
        .and_then(|()| to.shutdown(Shutdown::Write))
        .unwrap_or_default();
}
