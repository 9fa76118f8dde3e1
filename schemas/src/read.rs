//! Bytes to a document as written: size first, then strict JSON, then an explanation of whatever was wrong.
//!
//! Nothing is parsed before its size was checked, and nothing here judges what a field means: that is the work of
//! the types that are made from a document.

mod explain;
mod probe;

use serde::de::DeserializeOwned;

use crate::codes;
use crate::rejection::Rejection;
use crate::strict::Object;

/// The version of every document that this release reads and writes.
pub(crate) const VERSION: u32 = 1;

/// The version of a document that names none.
pub(crate) const fn version() -> u32 {
    VERSION
}

/// Reads one document, called `what` in messages, of at most `max_bytes`.
pub(crate) fn document<T: DeserializeOwned>(
    bytes: &[u8],
    max_bytes: usize,
    what: &str,
) -> Result<T, Rejection> {
    if bytes.len() > max_bytes {
        let found = bytes.len();
        return Err(Rejection::new(
            codes::TOO_LARGE,
            format!("the {what} is too large: {found} bytes, at most {max_bytes} are read"),
            "send less: let the program fetch or make large inputs itself, or split the work",
        ));
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let read = serde_path_to_error::deserialize::<_, Object<T>>(&mut json)
        .map_err(|error| explain::rejection(what, error.path(), error.inner()))
        .and_then(|Object(document)| {
            json.end()
                .map_err(|error| explain::not_json(what, &error))
                .map(|()| document)
        });
    read.map_err(|rejection| {
        // Another version may well have other fields: then that is what to say, not which field is strange.
        let probe = probe::probe(bytes);
        let rejection = match probe.version {
            Some(found) if found != u64::from(VERSION) => unsupported_version(found, what),
            _ => rejection,
        };
        rejection.with_id(probe.id)
    })
}

/// Refuses every version but [`VERSION`].
pub(crate) fn check_version(found: u32, what: &str) -> Result<(), Rejection> {
    if found == VERSION {
        Ok(())
    } else {
        Err(unsupported_version(found.into(), what))
    }
}

fn unsupported_version(found: u64, what: &str) -> Rejection {
    Rejection::new(
        codes::UNSUPPORTED_VERSION,
        format!("version: this Glovebox reads a {what} of version {VERSION}, found {found}"),
        format!("send the {what} as version {VERSION}, or upgrade Glovebox first"),
    )
}
