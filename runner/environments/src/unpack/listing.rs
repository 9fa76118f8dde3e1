//! What is in a tree, and the id that follows from it.
//!
//! The same packages must give the same id on every host: so no times, owners or modes are in it but the executable bit,
//! and the order is that of the names. Two different trees must never be written down alike: lengths stand before texts.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

/// One thing of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Folder,
    File {
        executable: bool,
        size: u64,
        sha256: [u8; 32],
    },
    Link {
        target: Vec<u8>,
    },
}

/// Everything in a tree, by its path.
#[derive(Debug, Default)]
pub(super) struct Listing(pub(super) BTreeMap<Vec<u8>, Node>);

impl Listing {
    /// The SHA-256 of the listing, in hexadecimal.
    pub(super) fn id(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(b"glovebox environment 1\n");
        for (path, node) in &self.0 {
            text(&mut hash, path);
            match node {
                Node::Folder => hash.update(b"d"),
                Node::File {
                    executable,
                    size,
                    sha256,
                } => {
                    hash.update(if *executable { b"x" } else { b"f" });
                    hash.update(size.to_le_bytes());
                    hash.update(sha256);
                }
                Node::Link { target } => {
                    hash.update(b"l");
                    text(&mut hash, target);
                }
            }
        }
        hex(&hash.finalize())
    }

    /// How many files it has, and their bytes.
    pub(super) fn files(&self) -> (u64, u64) {
        let sizes = self.0.values().filter_map(|node| match node {
            Node::File { size, .. } => Some(*size),
            _ => None,
        });
        sizes.fold((0, 0), |(files, bytes), size| (files + 1, bytes + size))
    }
}

fn text(hash: &mut Sha256, text: &[u8]) {
    hash.update((text.len() as u64).to_le_bytes());
    hash.update(text);
}

fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or_default();
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(nodes: &[(&str, Node)]) -> String {
        let nodes = nodes.iter().cloned();
        Listing(nodes.map(|(path, node)| (path.into(), node)).collect()).id()
    }

    #[test]
    fn whatever_differs_gives_another_id() {
        let file = |executable, size, byte| Node::File {
            executable,
            size,
            sha256: [byte; 32],
        };
        let link = |target: &str| Node::Link {
            target: target.into(),
        };
        let trees = [
            vec![],
            vec![("a", Node::Folder)],
            vec![("b", Node::Folder)],
            vec![("a", file(false, 1, 1))],
            vec![("a", file(true, 1, 1))],
            vec![("a", file(false, 2, 1))],
            vec![("a", file(false, 1, 2))],
            vec![("a", link("b"))],
            vec![("a", link("bb"))],
            vec![("a", link("b")), ("b", Node::Folder)],
        ];
        let ids: std::collections::BTreeSet<String> = trees.iter().map(|tree| id(tree)).collect();
        assert_eq!(ids.len(), trees.len());
    }

    #[test]
    fn the_id_stays_what_it_was() {
        // An id that changes with a version of ours would build everybody's environments anew.
        assert_eq!(
            id(&[
                ("lib", Node::Folder),
                (
                    "lib64",
                    Node::Link {
                        target: b"lib".into()
                    }
                )
            ]),
            "b995b559a46b3457f985a53ce01fde188329974a787037177589569c267e00f5"
        );
    }
}
