//! Where a job's end is told: the wish as written, and checked.
//!
//! What can be known without a network is checked here; whether the host may be reached is for whoever connects. Must
//! never show more of a URL or a header than its name: both may hold secrets.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::caps::{MAX_CALLBACK_HEADER_BYTES, MAX_CALLBACK_HEADERS, MAX_CALLBACK_URL_BYTES};
use crate::codes;
use crate::rejection::Rejection;
use crate::strict::Map;
use crate::text::quote;

/// Lower-case names that belong to the connection, to the sender, or to the signature (RFC 9110, 7.6.1).
const RESERVED: [&str; 14] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];
const OWN: &str = "glovebox-";

/// Where and how a job's end is to be told.
#[derive(Clone, PartialEq, Eq)]
pub struct Callback {
    /// An absolute URL, `http` or `https`, without user and fragment.
    pub url: String,
    /// To be sent along.
    pub headers: BTreeMap<String, String>,
    /// Whether the result itself is sent, if it is small enough.
    pub include_result: bool,
}

impl Callback {
    /// One to this URL, with the result and without headers.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            headers: BTreeMap::new(),
            include_result: true,
        }
    }
}

/// Without what may be a secret.
impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callback")
            .field("headers", &self.headers.keys())
            .field("include_result", &self.include_result)
            .finish_non_exhaustive()
    }
}

/// Where to tell that the job is done, by a signed POST.
#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Callback")]
pub(super) struct CallbackDocument {
    /// An absolute URL, `http` or `https`, without user and fragment. Internal addresses are closed unless the operator
    /// opens them.
    #[schemars(length(max = MAX_CALLBACK_URL_BYTES), regex(pattern = r"^https?://[!-.0-~][!-~]*$"))]
    url: String,
    /// Headers to send along, at most 8 KiB of them. Not those of the connection, nor what describes the body.
    #[serde(default, skip_serializing_if = "is_empty")]
    #[schemars(extend("default" = {}, "propertyNames" = { "pattern": "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$" }))]
    headers: Map<MAX_CALLBACK_HEADERS>,
    /// Whether the result itself is sent, if it has at most 256 KiB.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    include_result: bool,
}

impl From<&Callback> for CallbackDocument {
    fn from(callback: &Callback) -> Self {
        Self {
            url: callback.url.clone(),
            headers: Map(callback.headers.clone()),
            include_result: callback.include_result,
        }
    }
}

impl CallbackDocument {
    pub(super) fn checked(self) -> Result<Callback, Rejection> {
        check_url(&self.url)?;
        check_headers(&self.headers.0)?;
        Ok(Callback {
            url: self.url,
            headers: self.headers.0,
            include_result: self.include_result,
        })
    }
}

/// What another reader of the text might take for another URL is refused: white space, backslashes, other alphabets.
pub(crate) fn check_url(text: &str) -> Result<(), Rejection> {
    let bytes = text.len();
    if bytes > MAX_CALLBACK_URL_BYTES {
        return Err(Rejection::new(
            codes::TOO_LONG,
            format!("callback.url: {bytes} bytes, at most {MAX_CALLBACK_URL_BYTES} are allowed"),
            "shorten it; what the receiver needs to know may be in \"metadata\"",
        ));
    }
    let refuse = |why, hint| {
        let message = format!("callback.url: {why}");
        Err(Rejection::new(codes::INVALID_VALUE, message, hint))
    };
    let is_plain = text.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    let rest = text
        .strip_prefix("http://")
        .or(text.strip_prefix("https://"));
    // Which the parser takes as if they were fewer.
    let is_web = rest.is_some_and(|rest| !rest.starts_with('/'));
    let url = match Url::parse(text) {
        Ok(url) if is_plain && is_web && url.has_host() && url.port() != Some(0) => url,
        _ => {
            return refuse(
                "it is not an absolute URL of http or https",
                "write it as \"https://host/path\", other characters than ASCII percent-encoded",
            );
        }
    };
    if !url.username().is_empty() || url.password().is_some() {
        let hint = "send it as a header instead: \"headers\": {\"Authorization\": \"…\"}";
        return refuse("it has a user or password in it", hint);
    }
    if url.fragment().is_some() {
        return refuse("it has a fragment, which is never sent", "leave out \"#…\"");
    }
    Ok(())
}

pub(crate) fn check_headers(headers: &BTreeMap<String, String>) -> Result<(), Rejection> {
    let mut seen = BTreeSet::new();
    let mut bytes = 0;
    for (name, value) in headers {
        bytes += name.len() + value.len();
        let lower = name.to_ascii_lowercase();
        let refuse = |why, hint| {
            let message = format!("callback.headers: {} {why}", quote(name));
            Err(Rejection::new(codes::INVALID_VALUE, message, hint))
        };
        if name.is_empty() || !name.bytes().all(is_token) {
            return refuse("cannot be a header's name", "use letters, digits and \"-\"");
        }
        if RESERVED.contains(&lower.as_str()) || lower.starts_with(OWN) {
            let hint = "leave it out: it is the connection's, or the callback's own";
            return refuse("is not the job's to set", hint);
        }
        if !value.bytes().all(|b| matches!(b, b' '..=b'~')) || value.trim() != value {
            let hint = "use printable ASCII, without spaces at its ends";
            return refuse("has a value that cannot be sent", hint);
        }
        if !seen.insert(lower) {
            return refuse("is there twice", "header names are the same in either case");
        }
    }
    if bytes > MAX_CALLBACK_HEADER_BYTES {
        return Err(Rejection::new(
            codes::TOO_LONG,
            format!(
                "callback.headers: {bytes} bytes, at most {MAX_CALLBACK_HEADER_BYTES} are allowed"
            ),
            "put what the receiver needs to know into \"metadata\", which is in the body",
        ));
    }
    Ok(())
}

/// RFC 9110, 5.6.2.
fn is_token(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)
}

fn is_empty(headers: &Map<MAX_CALLBACK_HEADERS>) -> bool {
    headers.0.is_empty()
}

fn yes() -> bool {
    true
}

fn is_yes(value: &bool) -> bool {
    *value
}
