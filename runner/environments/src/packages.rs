//! Which packages the installer says it installed.
//!
//! Read from a file that strangers' code may have written: it is shown to people and nothing is decided by it. Must
//! never fail, grow without bound, or hand on a control character.

use std::fs::File;
use std::io::Read;
use std::os::fd::BorrowedFd;

use rustix::fs::OFlags;
use serde_json::Value;

use crate::installed::Package;
use crate::unpack::open_beneath;

/// Where the installer's cell leaves its list.
const FILE: &[u8] = b".glovebox/packages.json";
const MOST_BYTES: u64 = 4 * 1024 * 1024;
const MOST_PACKAGES: usize = 5_000;
const MOST_CHARACTERS: usize = 128;

/// The packages of a tree; none where the list is absent or makes no sense.
pub(crate) fn read(tree: BorrowedFd<'_>) -> Vec<Package> {
    let Ok(fd) = open_beneath(tree, FILE, OFlags::RDONLY) else {
        return Vec::new();
    };
    let mut text = Vec::new();
    let read = File::from(fd).take(MOST_BYTES).read_to_end(&mut text);
    match read.map(|_| serde_json::from_slice(&text)) {
        Ok(Ok(list)) => packages(&list),
        _ => Vec::new(),
    }
}

/// Understands `pip list --format json` (a list) and `npm ls --json` (a tree).
fn packages(list: &Value) -> Vec<Package> {
    let mut found = Vec::new();
    let mut open: Vec<&Value> = vec![list];
    while let Some(value) = open.pop() {
        if let Some(list) = value.as_array() {
            found.extend(
                list.iter()
                    .filter_map(|item| package(item.get("name")?.as_str()?, item)),
            );
        }
        if let Some(tree) = value.get("dependencies").and_then(Value::as_object) {
            found.extend(tree.iter().filter_map(|(name, item)| package(name, item)));
            open.extend(tree.values());
        }
    }
    found.sort();
    found.dedup();
    found.truncate(MOST_PACKAGES);
    found
}

fn package(name: &str, item: &Value) -> Option<Package> {
    let version = item.get("version")?.as_str()?;
    let plain = |text: &str| -> String {
        let printable = text.chars().filter(|c| c.is_ascii_graphic());
        printable.take(MOST_CHARACTERS).collect()
    };
    let package = Package {
        name: plain(name),
        version: plain(version),
    };
    (!package.name.is_empty()).then_some(package)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn found(list: &Value) -> Vec<String> {
        let packages = packages(list).into_iter();
        packages
            .map(|one| format!("{} {}", one.name, one.version))
            .collect()
    }

    #[test]
    fn pips_list_and_npms_tree_are_understood() {
        let pip = json!([{"name": "numpy", "version": "2.1"}, {"name": "idna", "version": "3"}]);
        assert_eq!(found(&pip), ["idna 3", "numpy 2.1"]);
        let npm = json!({"name": "env", "dependencies": {
            "a": {"version": "1", "dependencies": {"ms": {"version": "2"}}}, "ms": {"version": "2"},
            "optional": {}}});
        assert_eq!(found(&npm), ["a 1", "ms 2"]);
    }

    #[test]
    fn nonsense_gives_nothing_and_terminals_are_safe() {
        for nonsense in [
            json!(null),
            json!(3),
            json!([1, {"name": 1}]),
            json!({"dependencies": []}),
        ] {
            assert_eq!(found(&nonsense), [""; 0], "{nonsense}");
        }
        let evil = json!([{"name": "\u{1b}[2Jx\n", "version": "9".repeat(1_000)}]);
        assert_eq!(found(&evil), [format!("[2Jx {}", "9".repeat(128))]);
    }
}
