//! After a passage is closed no descriptor of it is left. Alone in its program: descriptors are counted.

use std::net::{SocketAddr, TcpListener};

use glovebox_gate::{Doors, Gate, Permit, Policy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn count(folder: &str) -> std::io::Result<usize> {
    Ok(std::fs::read_dir(folder)?.count())
}

fn listen() -> std::io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

#[tokio::test]
async fn nothing_is_left_of_a_passage() {
    let (server, address) = listen().unwrap();
    let (threads_before, before_gate) = (
        count("/proc/self/task").unwrap(),
        count("/proc/self/fd").unwrap(),
    );
    let gate = Gate::start().unwrap();
    let before = count("/proc/self/fd").unwrap();
    let ((http, http_at), (socks, socks_at)) = (listen().unwrap(), listen().unwrap());
    let doors = Doors {
        http: http.into(),
        socks: socks.into(),
    };
    let policy = Policy {
        hosts: vec![vec!["127.0.0.1".parse().unwrap()]],
        ports: vec![address.port()],
        intranet: vec!["127.0.0.1".parse().unwrap()],
        upstream: None,
        connections: 100,
        bytes: 1_000,
    };
    let passage = gate.open(doors, policy, Permit::always()).unwrap();

    // A tunnel, a plain request that is not answered, a door with half a greeting, one with nothing.
    let mut tunnel = TcpStream::connect(http_at).await.unwrap();
    tunnel
        .write_all(format!("CONNECT {address} HTTP/1.1\r\n\r\n").as_bytes())
        .await
        .unwrap();
    tunnel.read_exact(&mut [0; 19]).await.unwrap();
    let mut plain = TcpStream::connect(http_at).await.unwrap();
    plain
        .write_all(format!("GET http://{address}/ HTTP/1.1\r\n\r\n").as_bytes())
        .await
        .unwrap();
    let mut half = TcpStream::connect(socks_at).await.unwrap();
    half.write_all(&[5, 1, 0, 5, 1]).await.unwrap();
    half.read_exact(&mut [0; 2]).await.unwrap();
    let idle = TcpStream::connect(socks_at).await.unwrap();
    // Both are connected to the server: nothing more is under way.
    let (first, _) = server.accept().unwrap();
    let (second, _) = server.accept().unwrap();

    assert_eq!(passage.close().await.connections.len(), 2);
    drop((tunnel, plain, half, idle, first, second));
    assert_eq!(count("/proc/self/fd").unwrap(), before);
    drop(gate);
    assert_eq!(
        (
            count("/proc/self/task").unwrap(),
            count("/proc/self/fd").unwrap()
        ),
        (threads_before, before_gate)
    );
}
