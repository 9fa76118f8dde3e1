//! Names in a tar: which are taken, and where GNU tar puts those that do not fit into a header.
//!
//! Must never make a name acceptable by changing it: `./` before and `/` behind are all that is taken off.

use std::io::Read;

use tar::{Entry, EntryType};

use super::refuse;
use crate::error::{Refusal, StoreError};

const MOST_PATH: usize = 1_000;
const MOST_PART: usize = 255;
const MOST_DEPTH: usize = 100;
/// The longest target of a link: what the kernel takes.
const MOST_TARGET: usize = 4_095;

/// A path relative to the tree's root, of plain parts; empty for the root itself.
pub(super) fn plain_path(name: &[u8], folder: bool) -> Result<Vec<u8>, Refusal> {
    let name = match name {
        b"." | b"./" if folder => return Ok(Vec::new()),
        [b'/', ..] => return Err(Refusal::Absolute),
        [b'.', b'/', rest @ ..] => rest,
        name => name,
    };
    let name = match name.strip_suffix(b"/") {
        Some(rest) if folder => rest,
        _ => name,
    };
    let parts = || name.split(|byte| *byte == b'/');
    if name.len() > MOST_PATH || parts().count() > MOST_DEPTH {
        return Err(Refusal::TooLong);
    }
    for part in parts() {
        match part {
            b".." => return Err(Refusal::Upwards),
            b"" | b"." => return Err(Refusal::NoName),
            part if part.contains(&0) => return Err(Refusal::NoName),
            part if part.len() > MOST_PART => return Err(Refusal::TooLong),
            _ => {}
        }
    }
    Ok(name.to_owned())
}

/// The target of a link: any text, since nothing here follows it and a cell follows it within its own root.
pub(super) fn plain_target(target: Vec<u8>) -> Result<Vec<u8>, Refusal> {
    match target.len() {
        0 => Err(Refusal::NoName),
        _ if target.contains(&0) => Err(Refusal::NoName),
        1..=MOST_TARGET => Ok(target),
        _ => Err(Refusal::TooLong),
    }
}

/// GNU tar's entries that hold the name or target of the entry after them.
#[derive(Debug, Default)]
pub(super) struct LongNames {
    name: Option<Vec<u8>>,
    target: Option<Vec<u8>>,
}

impl LongNames {
    /// Keeps the entry if it is a long name; false if it is anything else.
    pub(super) fn take(&mut self, entry: &mut Entry<'_, impl Read>) -> Result<bool, StoreError> {
        let place = match entry.header().entry_type() {
            EntryType::GNULongName => &mut self.name,
            EntryType::GNULongLink => &mut self.target,
            _ => return Ok(false),
        };
        let size = entry.header().entry_size().map_err(StoreError::Read)?;
        if place.is_some() {
            return Err(refuse(b"a long name", Refusal::Contradiction));
        }
        if size > MOST_TARGET as u64 + 1 {
            return Err(refuse(b"a long name", Refusal::TooLong));
        }
        let mut text = Vec::new();
        entry.read_to_end(&mut text).map_err(StoreError::Read)?;
        if text.len() as u64 != size {
            return Err(StoreError::Truncated);
        }
        // Ends with a zero; another one within is refused with the name.
        if text.last() == Some(&0) {
            text.pop();
        }
        *place = Some(text);
        Ok(true)
    }

    /// The name of the entry that came after.
    pub(super) fn name(&mut self, entry: &Entry<'_, impl Read>) -> Vec<u8> {
        let own = || entry.header().path_bytes().into_owned();
        self.name.take().unwrap_or_else(own)
    }

    /// Its target.
    pub(super) fn target(&mut self, entry: &Entry<'_, impl Read>) -> Vec<u8> {
        let own = || {
            entry
                .header()
                .link_name_bytes()
                .unwrap_or_default()
                .into_owned()
        };
        self.target.take().unwrap_or_else(own)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.name.is_none() && self.target.is_none()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn plain_names_are_taken_as_they_are() {
        assert_eq!(plain_path(b"./a/b", false).unwrap(), b"a/b");
        assert_eq!(plain_path(b"a/b/", true).unwrap(), b"a/b");
        assert_eq!(plain_path(b"./", true).unwrap(), b"");
        assert_eq!(plain_path(b"...", false).unwrap(), b"...");
        assert_eq!(plain_path(b"\xff\n", false).unwrap(), b"\xff\n");
    }

    #[test]
    fn all_others_are_refused() {
        use Refusal::{Absolute, NoName, TooLong, Upwards};
        let cases: [(&[u8], Refusal); 11] = [
            (b"/etc/passwd", Absolute),
            (b".//etc/passwd", NoName),
            (b"../x", Upwards),
            (b"a/../../x", Upwards),
            (b"a/..", Upwards),
            (b"", NoName),
            (b".", NoName),
            (b"a//b", NoName),
            (b"a/./b", NoName),
            (b"a/", NoName),
            (b"a\0b", NoName),
        ];
        for (name, refusal) in cases {
            let refused = plain_path(name, false).unwrap_err();
            assert_eq!(refused, refusal, "{:?}", String::from_utf8_lossy(name));
        }
        let long = "x".repeat(256);
        let many = ["x".repeat(200).as_str(); 6].join("/");
        for name in [long, many, "a/".repeat(101) + "a"] {
            assert_eq!(plain_path(name.as_bytes(), false), Err(TooLong));
        }
    }
}
