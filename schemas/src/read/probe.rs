//! Finds the id and the version of a document that could not be read, so that its sender can be told.
//!
//! It keeps nothing but these two and must never fail: what cannot be found is simply not there.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::id::JobId;
use crate::strict::Object;

/// What can be said about a document that is wrong elsewhere.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Probe {
    /// Its id, when it has exactly one and that is valid.
    pub(super) id: Option<JobId>,
    /// Its version, when it is a whole number.
    pub(super) version: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Found {
    id: Scalar,
    version: Scalar,
}

/// Looks through a whole document; one that is not JSON has neither.
pub(super) fn probe(bytes: &[u8]) -> Probe {
    let found =
        serde_json::from_slice::<Object<Found>>(bytes).map_or_else(|_| Found::default(), |o| o.0);
    Probe {
        id: if let Scalar::Id(id) = found.id {
            Some(id)
        } else {
            None
        },
        version: if let Scalar::Number(version) = found.version {
            Some(version)
        } else {
            None
        },
    }
}

/// One value of any kind, of which only what the probe wants is kept.
#[derive(Default)]
enum Scalar {
    Id(JobId),
    Number(u64),
    #[default]
    Other,
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ReadScalar)
    }
}

struct ReadScalar;

impl<'de> Visitor<'de> for ReadScalar {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Scalar, E> {
        Ok(text.parse().map_or(Scalar::Other, Scalar::Id))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Scalar, E> {
        Ok(Scalar::Number(number))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Scalar, E> {
        Ok(Scalar::Other)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Scalar, E> {
        Ok(Scalar::Other)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Scalar, E> {
        Ok(Scalar::Other)
    }

    fn visit_unit<E: Error>(self) -> Result<Scalar, E> {
        Ok(Scalar::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Scalar, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_id_wherever_the_rest_is_wrong() {
        let id = |json: &str| probe(json.as_bytes()).id.map(String::from);
        assert_eq!(
            id(r#"{"files": 3, "id": "a", "x": [[{}]], "version": {}}"#).as_deref(),
            Some("a")
        );
        for none in [
            r#"{"id": "a", "id": "b"}"#,
            r#"{"id": "a/b"}"#,
            r#"{"id": 7}"#,
            r#"{"id": "a""#,
            r#"["a"]"#,
        ] {
            assert_eq!(id(none), None, "{none}");
        }
    }

    #[test]
    fn finds_the_version_only_where_it_is_a_number() {
        assert_eq!(
            probe(br#"{"version": 99999999999, "id": []}"#).version,
            Some(99_999_999_999)
        );
        for none in [
            "{}",
            r#"{"version": "2"}"#,
            r#"{"version": -1}"#,
            r#"{"version": 1.5}"#,
            r#"{"version": null}"#,
        ] {
            assert_eq!(probe(none.as_bytes()).version, None, "{none}");
        }
    }
}
