//! How bytes travel in JSON: as text where they are UTF-8, as base64 where they are not.
//!
//! Bytes always arrive whole: nothing here may replace, drop or normalise a single one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// How a text field holds its bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Encoding {
    /// The text is the content.
    #[default]
    #[serde(rename = "utf-8")]
    Utf8,
    /// The text is the content in base64: the standard alphabet, padded, without line breaks.
    #[serde(rename = "base64")]
    Base64,
}

/// A text that is not base64.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("not base64")]
pub struct InvalidBase64 {
    #[source]
    source: base64::DecodeError,
}

impl Encoding {
    /// The name as written in documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Base64 => "base64",
        }
    }

    /// The bytes that a text stands for.
    ///
    /// # Errors
    /// When the text should be base64 and is not.
    pub fn decode(self, text: String) -> Result<Vec<u8>, InvalidBase64> {
        match self {
            Self::Utf8 => Ok(text.into_bytes()),
            Self::Base64 => STANDARD
                .decode(text)
                .map_err(|source| InvalidBase64 { source }),
        }
    }
}

/// One content as text, base64 if it is not UTF-8.
#[must_use]
pub fn encode_content(content: &[u8]) -> (String, Encoding) {
    match std::str::from_utf8(content) {
        Ok(text) => (text.to_owned(), Encoding::Utf8),
        Err(_) => (STANDARD.encode(content), Encoding::Base64),
    }
}

/// Both outputs of a program as text, both in base64 if either is not UTF-8.
#[must_use]
pub fn encode_output(stdout: &[u8], stderr: &[u8]) -> (String, String, Encoding) {
    match (std::str::from_utf8(stdout), std::str::from_utf8(stderr)) {
        (Ok(out), Ok(err)) => (out.to_owned(), err.to_owned(), Encoding::Utf8),
        _ => (
            STANDARD.encode(stdout),
            STANDARD.encode(stderr),
            Encoding::Base64,
        ),
    }
}

/// An output that was cut at a byte, without the piece of a character that the cut may have left at its end.
///
/// Only a character that lacks its end is dropped; what was never UTF-8 stays as it is.
#[must_use]
pub fn without_cut_character(output: &[u8]) -> &[u8] {
    match std::str::from_utf8(output) {
        Err(error) if error.error_len().is_none() => &output[..error.valid_up_to()],
        _ => output,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn one_output_that_is_not_text_makes_both_base64() {
        assert_eq!(
            encode_output(b"a", "ä".as_bytes()),
            ("a".into(), "ä".into(), Encoding::Utf8)
        );
        assert_eq!(
            encode_output(b"a", b"\xff"),
            ("YQ==".into(), "/w==".into(), Encoding::Base64)
        );
    }

    #[test]
    fn contents_come_back_whole() {
        for content in [&b""[..], b"text\0", b"\xff\xfe", "ü".as_bytes()] {
            let (text, encoding) = encode_content(content);
            assert_eq!(encoding.decode(text).unwrap(), content);
        }
        assert_eq!(
            Encoding::Base64
                .decode("YQ".into())
                .unwrap_err()
                .to_string(),
            "not base64"
        );
    }

    #[test]
    fn only_a_cut_character_is_dropped() {
        let whole = "aé€".as_bytes();
        assert_eq!(without_cut_character(whole), whole);
        assert_eq!(without_cut_character(&whole[..5]), "aé".as_bytes());
        assert_eq!(without_cut_character(b"a\xffb"), b"a\xffb");
    }
}
