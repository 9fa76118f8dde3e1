//! What the network gate costs: a server on loopback, reached directly and through CONNECT, in turns.
//!
//! Client, server and gate share the cores, so the throughput is a lower bound: on two, all three compete.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::Builder;
use std::time::{Duration, Instant};

use anyhow::ensure;
use glovebox_gate::{Doors, Gate, Passage, Permit, Policy};
use serde::Serialize;

use crate::statistics::Summary;

/// Connect and first byte, and megabytes a second of one transfer, directly and through the gate.
#[derive(Debug, Serialize)]
pub(crate) struct Network {
    pub(crate) direct: Option<Summary>,
    pub(crate) through: Option<Summary>,
    pub(crate) direct_mb_s: f64,
    pub(crate) through_mb_s: f64,
}

/// One transfer.
const BYTES: u64 = 1 << 29;
const WARM_UP: usize = 10;
const CHUNK: usize = 256 * 1024;
/// Transfers each way; the best counts, since whatever else runs here only makes them slower.
const TRANSFERS: usize = 3;
/// What a client asks the server for.
const ONE_BYTE: u8 = 1;
const ALL_BYTES: u8 = 2;

/// Measures connections and transfers, directly and through the gate.
pub(crate) fn measure(turns: usize) -> anyhow::Result<Network> {
    let server = TcpListener::bind("127.0.0.1:0")?;
    let target = server.local_addr()?;
    Builder::new().spawn(move || serve(&server))?;
    let gate = Gate::start()?;
    let (door, _passage) = open(&gate, target)?;

    let (mut direct, mut through) = (Vec::new(), Vec::new());
    for _ in 0..WARM_UP {
        first_byte(target, None)?;
        first_byte(target, Some(door))?;
    }
    for _ in 0..turns {
        direct.push(first_byte(target, None)?);
        through.push(first_byte(target, Some(door))?);
    }
    let (mut direct_mb_s, mut through_mb_s) = (0.0_f64, 0.0_f64);
    for _ in 0..TRANSFERS {
        direct_mb_s = direct_mb_s.max(transfer(target, None)?);
        through_mb_s = through_mb_s.max(transfer(target, Some(door))?);
    }
    Ok(Network {
        direct: Summary::of(direct),
        through: Summary::of(through),
        direct_mb_s,
        through_mb_s,
    })
}

fn open(gate: &Gate, target: SocketAddr) -> anyhow::Result<(SocketAddr, Passage)> {
    let http = TcpListener::bind("127.0.0.1:0")?;
    let socks = TcpListener::bind("127.0.0.1:0")?;
    let door = http.local_addr()?;
    let doors = Doors {
        http: http.into(),
        socks: socks.into(),
    };
    let policy = Policy {
        hosts: vec![vec!["*".parse()?]],
        ports: vec![target.port()],
        intranet: vec!["127.0.0.1".parse()?],
        upstream: None,
        connections: u32::MAX,
        bytes: u64::MAX,
    };
    Ok((door, gate.open(doors, policy, Permit::always())?))
}

/// Serves one client after the other, until the process ends.
fn serve(server: &TcpListener) {
    for stream in server.incoming().flatten() {
        // A client that has left is followed by the next.
        answer(stream).unwrap_or_default();
    }
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut asked = [0];
    stream.read_exact(&mut asked)?;
    if asked[0] == ONE_BYTE {
        return stream.write_all(&asked);
    }
    let chunk = vec![0; CHUNK];
    for _ in 0..BYTES / CHUNK as u64 {
        stream.write_all(&chunk)?;
    }
    Ok(())
}

/// A connection to the server, by a door of the gate or directly.
fn connect(target: SocketAddr, door: Option<SocketAddr>) -> anyhow::Result<TcpStream> {
    let Some(door) = door else {
        return Ok(TcpStream::connect(target)?);
    };
    let mut stream = TcpStream::connect(door)?;
    stream.write_all(format!("CONNECT {target} HTTP/1.1\r\n\r\n").as_bytes())?;
    let mut head = [0; 128];
    let read = stream.read(&mut head)?;
    ensure!(
        head[..read].starts_with(b"HTTP/1.1 200") && head[..read].ends_with(b"\r\n\r\n"),
        "the gate said {}",
        String::from_utf8_lossy(&head[..read])
    );
    Ok(stream)
}

/// From nothing to the server's first byte.
fn first_byte(target: SocketAddr, door: Option<SocketAddr>) -> anyhow::Result<Duration> {
    let start = Instant::now();
    let mut stream = connect(target, door)?;
    stream.write_all(&[ONE_BYTE])?;
    stream.read_exact(&mut [0])?;
    Ok(start.elapsed())
}

/// Megabytes a second.
fn transfer(target: SocketAddr, door: Option<SocketAddr>) -> anyhow::Result<f64> {
    let mut stream = connect(target, door)?;
    let start = Instant::now();
    stream.write_all(&[ALL_BYTES])?;
    let mut chunk = vec![0; CHUNK];
    let mut left = BYTES;
    while left > 0 {
        let read = stream.read(&mut chunk)? as u64;
        ensure!(read > 0, "the transfer broke with {left} bytes left");
        left -= read;
    }
    Ok(BYTES as f64 / 1e6 / start.elapsed().as_secs_f64())
}
