//! A client of HTTP that hides nothing: one connection a request, and every byte of the answer.
//!
//! It must never retry, follow or repair anything: what the server said is what a test sees.

use anyhow::{Context as _, bail};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{HeaderMap, Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::fleet::PATIENCE;

/// A server's place, and what every request to it has.
#[derive(Debug, Clone)]
pub struct Http {
    place: String,
    headers: Vec<(String, String)>,
}

/// What a server answered.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// An answer whose body comes bit by bit.
#[derive(Debug)]
pub struct Stream {
    /// The status.
    pub status: u16,
    body: Incoming,
    text: String,
}

impl Http {
    /// A client of the server at `http://HOST:PORT`.
    #[must_use]
    pub fn new(url: &str) -> Self {
        let place = url.trim_start_matches("http://").trim_end_matches('/');
        Self {
            place: place.to_owned(),
            headers: Vec::new(),
        }
    }

    /// `HOST:PORT`.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The same with a further header.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut with = self.clone();
        with.headers.push((name.to_owned(), value.to_owned()));
        with
    }

    /// The same with an API key.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        self.with("authorization", &format!("Bearer {key}"))
    }

    /// GET.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn get(&self, path: &str) -> anyhow::Result<Reply> {
        self.send(Method::GET, path, Bytes::new()).await
    }

    /// DELETE.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn delete(&self, path: &str) -> anyhow::Result<Reply> {
        self.send(Method::DELETE, path, Bytes::new()).await
    }

    /// POST of a JSON document.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn post(&self, path: &str, document: &Value) -> anyhow::Result<Reply> {
        let json = self.with("content-type", "application/json");
        json.send(Method::POST, path, document.to_string()).await
    }

    /// Any request.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: impl Into<Bytes>,
    ) -> anyhow::Result<Reply> {
        let request = self.request(method, path, body.into());
        let answered = timeout(PATIENCE, async {
            let response = request.await?;
            let (head, body) = response.into_parts();
            anyhow::Ok(Reply {
                status: head.status.as_u16(),
                headers: head.headers,
                body: body.collect().await?.to_bytes(),
            })
        });
        answered.await.context("no answer in time")?
    }

    /// Opens a stream of server-sent events.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn stream(&self, path: &str) -> anyhow::Result<Stream> {
        let response = self.request(Method::GET, path, Bytes::new()).await?;
        Ok(Stream {
            status: response.status().as_u16(),
            body: response.into_body(),
            text: String::new(),
        })
    }

    async fn request(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> anyhow::Result<Response<Incoming>> {
        let stream = TcpStream::connect(&self.place).await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let mut request = Request::builder().method(method).uri(path);
        request = request.header("host", &self.place);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        Ok(sender.send_request(request.body(Full::new(body))?).await?)
    }
}

impl Reply {
    /// The body as JSON.
    ///
    /// # Errors
    /// When it is none.
    pub fn json<T: DeserializeOwned>(&self) -> anyhow::Result<T> {
        serde_json::from_slice(&self.body).with_context(|| self.text())
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header; empty if there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The code of the problem that this is.
    ///
    /// # Errors
    /// When it is none.
    pub fn problem(&self) -> anyhow::Result<String> {
        if self.header("content-type") != "application/problem+json" {
            bail!("no problem document: {self:?}");
        }
        let problem: Value = self.json()?;
        let (status, code) = (&problem["status"], &problem["code"]);
        if status != self.status
            || problem["type"] != format!("urn:glovebox:problem:{}", code.as_str().unwrap_or("?"))
        {
            bail!("it contradicts itself: {self:?}");
        }
        Ok(code.as_str().unwrap_or_default().to_owned())
    }
}

/// One server-sent event.
#[derive(Debug, Clone, PartialEq)]
pub struct Sent {
    /// What it is called.
    pub name: String,
    /// Its id; empty if it has none.
    pub id: String,
    /// What it says.
    pub data: Value,
}

impl Stream {
    /// The next event; `None` at the end.
    ///
    /// # Errors
    /// When none comes, or what comes is none.
    pub async fn next(&mut self) -> anyhow::Result<Option<Sent>> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let sent = sent(event)?;
                self.text = rest.to_owned();
                match sent {
                    Some(sent) => return Ok(Some(sent)),
                    None => continue,
                }
            }
            let frame = timeout(PATIENCE, self.body.frame());
            match frame.await.context("no event in time")? {
                None => return Ok(None),
                Some(frame) => {
                    let frame = frame?;
                    let data = frame
                        .data_ref()
                        .map(|data| data.to_vec())
                        .unwrap_or_default();
                    self.text.push_str(std::str::from_utf8(&data)?);
                }
            }
        }
    }

    /// All that are left.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub async fn rest(&mut self) -> anyhow::Result<Vec<Sent>> {
        let mut all = Vec::new();
        while let Some(sent) = self.next().await? {
            all.push(sent);
        }
        Ok(all)
    }
}

/// A comment is no event.
fn sent(text: &str) -> anyhow::Result<Option<Sent>> {
    let field = |name: &str| {
        let lines = text
            .lines()
            .filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        lines.collect::<Vec<_>>().join("\n")
    };
    let data = field("data");
    if data.is_empty() {
        return Ok(None);
    }
    Ok(Some(Sent {
        name: field("event"),
        id: field("id"),
        data: serde_json::from_str(&data)?,
    }))
}
