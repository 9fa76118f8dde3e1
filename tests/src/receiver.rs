//! A receiver of callbacks: a web server that keeps what it hears, and answers as the test says.
//!
//! It must never answer before it has read the whole request: what it kept is then all of it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::fleet::PATIENCE;

/// What a receiver does with a request.
#[derive(Debug, Clone)]
pub enum Reply {
    /// Says this and hangs up.
    Say(String),
    /// Says this again and again for as long as somebody listens.
    Flood(&'static str),
    /// Says this, and then nothing for as long as somebody waits.
    Hang(&'static str),
}

impl Reply {
    /// An answer with this status and no body.
    #[must_use]
    pub fn status(status: u16) -> Reply {
        Reply::Say(format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n"))
    }
}

/// One request.
#[derive(Debug, Clone)]
pub struct Heard {
    /// Its first line.
    pub line: String,
    /// Its headers, with names in lower case.
    pub headers: HashMap<String, String>,
    /// Its body.
    pub body: Vec<u8>,
}

/// A receiver on a free port of 127.0.0.1, until it is dropped.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    heard: watch::Receiver<Vec<Heard>>,
    listening: JoinHandle<()>,
}

impl Receiver {
    /// One that answers the `n`th request, from 0, as `reply` says.
    ///
    /// # Errors
    ///
    /// When there is no port.
    pub async fn start(
        reply: impl Fn(usize) -> Reply + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (sender, heard) = watch::channel(Vec::new());
        let (sender, reply) = (Arc::new(sender), Arc::new(reply));
        let listening = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (sender, reply) = (sender.clone(), reply.clone());
                tokio::spawn(async move {
                    // A client that goes away in the middle is no failure of the receiver's.
                    serve(stream, &sender, &*reply).await.unwrap_or_default();
                });
            }
        });
        Ok(Self {
            address,
            heard,
            listening,
        })
    }

    /// `http://127.0.0.1:port` with this behind it.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// What it has heard so far.
    #[must_use]
    pub fn so_far(&self) -> Vec<Heard> {
        self.heard.borrow().clone()
    }

    /// Waits for the `count`th request and gives them all.
    ///
    /// # Errors
    ///
    /// When it does not come.
    pub async fn heard(&self, count: usize) -> anyhow::Result<Vec<Heard>> {
        let mut heard = self.heard.clone();
        let came = heard.wait_for(|heard| heard.len() >= count);
        let came = timeout(PATIENCE, came).await;
        let all = self.so_far();
        came.with_context(|| format!("{} requests instead of {count}", all.len()))??;
        Ok(self.so_far())
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn serve(
    stream: TcpStream,
    sender: &watch::Sender<Vec<Heard>>,
    reply: &(impl Fn(usize) -> Reply + Send + Sync),
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Ok(());
    }
    let mut headers = HashMap::new();
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).await?;
        let Some((name, value)) = header.trim_end().split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length");
    let length = length.and_then(|length| length.parse().ok());
    let mut body = vec![0; length.unwrap_or_default()];
    stream.read_exact(&mut body).await?;
    let mut number = 0;
    let line = line.trim_end().to_owned();
    sender.send_modify(|heard| {
        number = heard.len();
        heard.push(Heard {
            line,
            headers,
            body,
        });
    });
    match reply(number) {
        Reply::Say(text) => {
            stream.write_all(text.as_bytes()).await?;
            stream.shutdown().await
        }
        Reply::Flood(text) => loop {
            stream.write_all(text.as_bytes()).await?;
        },
        Reply::Hang(text) => {
            stream.write_all(text.as_bytes()).await?;
            // Until the other side has had enough.
            stream.read_to_end(&mut Vec::new()).await.map(drop)
        }
    }
}
