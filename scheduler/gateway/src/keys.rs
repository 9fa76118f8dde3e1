//! API keys: who may ask, and for which tenant.
//!
//! Only hashes are kept. Keys are 256 random bits, so one round of SHA-256 is enough: there is nothing to guess. It must
//! never print a key but the one time when it is made, nor tell by its time how much of a guess was right.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use glovebox_schemas::names::{DEFAULT_TENANT, is_tenant};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};

/// What keys of ours begin with: whoever finds one in a repository knows what it is.
const PREFIX: &str = "gbx_";

/// Whose key it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// What the operator calls the key.
    pub name: String,
    /// Whom its jobs are counted against.
    pub tenant: String,
}

/// The keys that are let in; none at all lets everybody in, as the default tenant.
#[derive(Clone, Default)]
pub struct Keys(Vec<(Holder, [u8; 32])>);

/// Why a file of keys can't be used.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// It can't be read.
    #[error("reading the keys in {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is no file of keys.
    #[error("{} is no file of keys", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong where; never what is written there.
        #[source]
        source: Flaw,
    },
}

/// What is wrong in a file of keys. Not the parser's own words: those quote the file, and a key may stand in it by mistake.
#[derive(Debug, thiserror::Error)]
pub enum Flaw {
    /// It is not TOML with tables `[[key]]`.
    #[error("line {0} is not as `glovebox gateway key new` prints it")]
    Line(usize),
    /// A tenant that can't be one.
    #[error("the key {0:?} has no usable tenant")]
    Tenant(String),
    /// A hash that is none.
    #[error("the key {0:?} has no SHA-256 of 64 hexadecimal digits: is it the key itself?")]
    Hash(String),
    /// Two keys are the same.
    #[error("the key {0:?} is there twice")]
    Twice(String),
    /// A file of keys without keys would let nobody in.
    #[error("there is no key in it")]
    Empty,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    key: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    tenant: String,
    sha256: String,
}

impl Keys {
    /// One key, as the default tenant's: for a small gateway.
    #[must_use]
    pub fn single(key: &str) -> Self {
        let holder = Holder {
            name: "GLOVEBOX_API_KEY".to_owned(),
            tenant: DEFAULT_TENANT.to_owned(),
        };
        Self(vec![(holder, digest(key))])
    }

    /// Those in a file as [`new_key`] prints them.
    ///
    /// # Errors
    /// When it can't be read, or a line of it is wrong.
    pub fn from_file(path: &Path) -> Result<Self, KeysError> {
        let text = std::fs::read_to_string(path).map_err(|source| KeysError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::from_toml(&text).map_err(|source| KeysError::Form {
            path: path.to_owned(),
            source,
        })
    }

    /// Those in a text as [`new_key`] prints them.
    ///
    /// # Errors
    /// When a line of it is wrong.
    pub fn from_toml(text: &str) -> Result<Self, Flaw> {
        let document: Document = toml::from_str(text).map_err(|error| {
            let before = error.span().map_or(0, |span| span.start);
            Flaw::Line(text.bytes().take(before).filter(|b| *b == b'\n').count() + 1)
        })?;
        let mut keys = Self::default();
        for Entry {
            name,
            tenant,
            sha256,
        } in document.key
        {
            if !is_tenant(&tenant) {
                return Err(Flaw::Tenant(name));
            }
            let Some(hash) = from_hex(&sha256) else {
                return Err(Flaw::Hash(name));
            };
            if keys.0.iter().any(|(_, known)| *known == hash) {
                return Err(Flaw::Twice(name));
            }
            keys.0.push((Holder { name, tenant }, hash));
        }
        match keys.is_empty() {
            true => Err(Flaw::Empty),
            false => Ok(keys),
        }
    }

    /// Both together.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    /// Whether there is none, so that everybody is let in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whose key this is. All are compared, whichever it is.
    #[must_use]
    pub fn holder(&self, presented: &str) -> Option<&Holder> {
        let presented = digest(presented);
        let mut found = u64::MAX;
        for (place, (_, hash)) in (0_u64..).zip(&self.0) {
            let is_it: Choice = hash.ct_eq(&presented);
            found.conditional_assign(&place, is_it);
        }
        let (holder, _) = self.0.get(usize::try_from(found).ok()?)?;
        Some(holder)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({})", self.0.len())
    }
}

/// A new key, and the lines for the file.
///
/// # Errors
/// When the kernel gives no random bytes.
pub fn new_key(name: &str, tenant: &str) -> io::Result<(String, String)> {
    let mut random = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut random)?;
    let key = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random));
    let entry = Entry {
        name: name.to_owned(),
        tenant: tenant.to_owned(),
        sha256: to_hex(&digest(&key)),
    };
    let entry = toml::to_string(&entry).map_err(io::Error::other)?;
    Ok((key, format!("[[key]]\n{entry}")))
}

fn digest(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_key_is_known_by_the_lines_that_were_printed_with_it() {
        let (one, lines) = new_key("ci", "acme").unwrap();
        let (other, others) = new_key("dev", "beta").unwrap();
        let keys = Keys::from_toml(&format!("{lines}\n{others}")).unwrap();
        assert_eq!(keys.holder(&one).unwrap().tenant, "acme");
        assert_eq!(keys.holder(&other).unwrap().name, "dev");
        for wrong in ["", "gbx_", &one[1..], &format!("{one}="), &lines] {
            assert_eq!(keys.holder(wrong), None, "{wrong}");
        }
        assert!(!lines.contains(&one) && !format!("{keys:?}").contains("acme"));
        assert_eq!(one.len(), PREFIX.len() + 43);
        assert_ne!(one, other);
    }

    #[test]
    fn a_file_that_is_none_is_refused_without_quoting_it() {
        let hash = "0".repeat(64);
        let entry = |tenant: &str, hash: &str| {
            format!("[[key]]\nname = \"n\"\ntenant = \"{tenant}\"\nsha256 = \"{hash}\"\n")
        };
        let good = entry("a", &hash);
        assert!(Keys::from_toml(&good).is_ok());
        for bad in [
            String::new(),
            "\nsecret".to_owned(),
            entry("a", "secret"),
            entry("a", &"ä".repeat(32)),
            entry("", &hash),
            entry("a b", &hash),
            format!("{good}secret = 1\n"),
            format!("{good}{good}"),
        ] {
            let error = Keys::from_toml(&bad).unwrap_err();
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        assert!(matches!(Keys::from_toml("\n\nx"), Err(Flaw::Line(3))));
    }
}
