//! Whose key signs a callback, and the signature.
//!
//! Must never show a key: errors name the file, the line and the tenant, and not what stands there.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;

use ring::hmac;
use toml::{Table, Value};

/// In bytes; a key of fewer can be guessed.
const SHORTEST: usize = 16;
/// Two, so that receivers can be given a new one before the old one goes.
const MOST: usize = 2;

/// The keys of all tenants.
#[derive(Default)]
pub struct Keys {
    of: HashMap<String, Vec<Key>>,
    /// Everybody's, where there is but one.
    all: Vec<Key>,
}

/// Signs.
pub(crate) struct Key(hmac::Key);

/// Keys that can't be used.
#[derive(Debug, thiserror::Error)]
#[error("the keys of callbacks in {place}: {flaw}")]
pub struct KeysError {
    place: String,
    flaw: String,
}

impl KeysError {
    /// How the file is written.
    #[must_use]
    pub const fn hint() -> &'static str {
        "write [tenants], and below it a line for each: name = [\"KEY\"], or [\"NEW\", \"OLD\"]; \
         `openssl rand -hex 32` makes a key"
    }
}

impl Keys {
    /// One key for every tenant.
    ///
    /// # Errors
    /// When it is too short.
    pub fn one(key: &str) -> Result<Keys, KeysError> {
        let key = Key::new(key).map_err(|flaw| KeysError {
            place: "GLOVEBOX_CALLBACK_KEY".to_owned(),
            flaw,
        })?;
        Ok(Keys {
            all: vec![key],
            ..Keys::default()
        })
    }

    /// Reads the file of the tenants' keys.
    ///
    /// # Errors
    /// When it can't be read, or is not written as [`KeysError::hint`] says.
    pub fn read(file: &Path) -> Result<Keys, KeysError> {
        let error = |flaw| KeysError {
            place: file.display().to_string(),
            flaw,
        };
        let text = std::fs::read_to_string(file).map_err(|why| error(why.to_string()))?;
        Keys::parse(&text).map_err(error)
    }

    /// By hand: the messages of a parser repeat what they stumble over.
    fn parse(text: &str) -> Result<Keys, String> {
        let mut table: Table = text.parse().map_err(|error: toml::de::Error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            let line = before.map_or(1, |before| before.matches('\n').count() + 1);
            format!("line {line} is not TOML")
        })?;
        let Some(Value::Table(tenants)) = table.remove("tenants") else {
            return Err("there is no table [tenants]".to_owned());
        };
        if !table.is_empty() {
            return Err("there is more than the table [tenants]".to_owned());
        }
        let mut of = HashMap::new();
        for (tenant, value) in tenants {
            let keys = value
                .as_array()
                .filter(|keys| (1..=MOST).contains(&keys.len()));
            let keys = keys.ok_or_else(|| format!("{tenant:?} has no list of one or two keys"))?;
            let keys: Result<Vec<Key>, String> = keys
                .iter()
                .map(|key| Key::new(key.as_str().ok_or("a key is no text")?))
                .collect();
            of.insert(
                tenant.clone(),
                keys.map_err(|flaw| format!("{tenant:?}: {flaw}"))?,
            );
        }
        Ok(Keys {
            of,
            ..Keys::default()
        })
    }

    /// Empty if the tenant has none.
    pub(crate) fn of(&self, tenant: &str) -> &[Key] {
        self.of.get(tenant).unwrap_or(&self.all)
    }
}

/// Whose they are, and nothing else.
impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Keys").field(&self.of.keys()).finish()
    }
}

impl Key {
    fn new(key: &str) -> Result<Key, String> {
        let bytes = key.len();
        match bytes >= SHORTEST {
            true => Ok(Key(hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()))),
            false => Err(format!("a key has {bytes} bytes, fewer than {SHORTEST}")),
        }
    }
}

/// The value of the header: the time, and what each key makes of time and body.
pub(crate) fn signature(keys: &[Key], seconds: i64, body: &[u8]) -> String {
    let mut header = format!("t={seconds}");
    for Key(key) in keys {
        let mut signing = hmac::Context::with_key(key);
        signing.update(format!("{seconds}.").as_bytes());
        signing.update(body);
        header.push_str(",v1=");
        for byte in signing.sign().as_ref() {
            header.push_str(&format!("{byte:02x}"));
        }
    }
    header
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    /// By `printf '1700000000.{}' | openssl dgst -sha256 -hmac 0123456789abcdef`.
    const KNOWN: &str = "e4f8e2ecae2295b2ddb2f0b5584c8275e226c0ebe9b3b819e70156bb67122e3e";

    #[test]
    fn each_key_signs_time_and_body() {
        let file =
            "[tenants]\na = ['0123456789abcdef', 'fedcba9876543210']\nb = ['0123456789abcdef']";
        let keys = Keys::parse(file).unwrap();
        let header = signature(keys.of("b"), 1_700_000_000, b"{}");
        assert_eq!(header, format!("t=1700000000,v1={KNOWN}"));
        let both = signature(keys.of("a"), 1_700_000_000, b"{}");
        assert!(
            both.starts_with(&header) && both.matches(",v1=").count() == 2,
            "{both}"
        );
        assert!(keys.of("c").is_empty());
        assert_eq!(Keys::one("0123456789abcdef").unwrap().of("c").len(), 1);
    }

    #[test]
    fn what_is_wrong_is_named_and_not_repeated() {
        for (file, flaw) in [
            ("[tenants]\na = ['s3cret", "line 2 is not TOML"),
            ("[tenants]\na = s3cret", "line 2 is not TOML"),
            ("s3cret = 1", "no table"),
            ("s3cret = 1\n[tenants]\n", "more than"),
            ("[tenants]\na = 's3cret'", "\"a\" has no list"),
            ("[tenants]\na = []", "\"a\" has no list"),
            ("[tenants]\na = ['s3cret']", "\"a\": a key has 6 bytes"),
            ("[tenants]\na = [53]", "\"a\": a key is no text"),
        ] {
            let said = Keys::parse(file).unwrap_err();
            assert!(said.contains(flaw) && !said.contains("s3cret"), "{said}");
        }
        let keys = Keys::one("s3cret-s3cret-s3cret").unwrap();
        assert!(!format!("{keys:?}").contains("s3cret"));
        assert!(
            !Keys::one("s3cret")
                .unwrap_err()
                .to_string()
                .contains("s3cret")
        );
    }
}
