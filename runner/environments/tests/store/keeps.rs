//! What a store keeps, and what others see of it meanwhile.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Barrier;

use crate::common::{Place, Tar, meta, walk};
use glovebox_environments::{Meta, Package, Store, StoreError};

fn numpy() -> Tar {
    let tar = Tar::new().folder("./lib").file("./lib/a.py", "a");
    tar.entry(b'0', "./lib/run", "", 0o755, b"#!")
        .link("./lib64", "lib")
}

#[test]
fn what_was_installed_is_found_again() {
    let place = Place::new();
    let list = r#"[{"name": "numpy", "version": "2.1.0"}]"#;
    let tar = numpy()
        .folder("./.glovebox")
        .file("./.glovebox/packages.json", list);
    let added = place.add("data", &tar.end()).unwrap();
    assert_eq!(
        added.packages,
        [Package {
            name: "numpy".into(),
            version: "2.1.0".into()
        }]
    );
    assert_eq!((added.files, added.size_bytes), (3, 3 + list.len() as u64));
    assert_eq!(
        (added.language.as_str(), added.name.as_str()),
        ("python", "data")
    );
    assert_eq!(added.manifest, "numpy\n");
    assert_eq!(added.folder, place.dir().join("content").join(&added.id));
    let again = Store::open(&place.dir()).unwrap();
    assert_eq!(again.find("python", "data").unwrap(), added);
    assert_eq!(again.list().unwrap(), [added]);
}

/// A record that can't be read keeps the whole store from being used.
#[test]
fn the_largest_manifest_can_be_read_again() {
    let place = Place::new();
    // Each of its characters takes two in the record.
    let manifest = "\"".repeat(8 << 20);
    let large = Meta { manifest, ..meta() };
    let tar = numpy().end();
    let added = place.store.add("python", "data", large, tar.as_slice());
    assert_eq!(place.store.list().unwrap(), [added.unwrap()]);
}

#[test]
fn the_tree_is_read_only_and_as_it_was_sent() {
    let place = Place::new();
    let added = place
        .add("data", &numpy().hard("./copy", "./lib/run").end())
        .unwrap();
    let mut found = BTreeMap::new();
    walk(&added.folder, &mut found);
    let name = |path: &Path| {
        path.strip_prefix(&added.folder)
            .unwrap()
            .display()
            .to_string()
    };
    let seen: Vec<_> = found
        .iter()
        .map(|(path, (mode, content))| (name(path), mode & 0o7777, content.as_str()))
        .collect();
    let expected = [
        ("copy", 0o555, "#!"),
        ("lib", 0o555, ""),
        ("lib/a.py", 0o444, "a"),
        ("lib/run", 0o555, "#!"),
        ("lib64", 0o777, "lib"),
    ];
    assert_eq!(
        seen,
        expected.map(|(path, mode, content)| (path.to_owned(), mode, content))
    );
    let me = fs::metadata("/proc/self").unwrap().uid();
    for path in found.keys().chain([&added.folder]) {
        let metadata = fs::symlink_metadata(path).unwrap();
        assert_eq!(metadata.uid(), me);
        assert_eq!(metadata.nlink() > 1, metadata.is_dir());
        assert!(metadata.is_symlink() || metadata.mtime() == 315_532_800);
    }
    assert_eq!(fs::metadata(&added.folder).unwrap().mode() & 0o7777, 0o555);
}

#[test]
fn the_same_content_is_one_tree_whatever_its_order_times_and_modes() {
    let place = Place::new();
    let one = place.add("one", &numpy().end()).unwrap();
    let other = Tar::new().link("lib64", "lib").folder("lib");
    let other = other.entry(b'0', "lib/run", "", 0o711, b"#!");
    let other = other.entry(b'0', "lib/a.py", "", 0o600, b"a");
    let two = place.add("two", &other.end()).unwrap();
    assert_eq!(one.id, two.id);
    assert_eq!(one.folder, two.folder);
    let content = fs::read_dir(place.dir().join("content")).unwrap();
    assert_eq!(content.count(), 1);
    let three = place.add("three", &numpy().file("more", "").end()).unwrap();
    assert_ne!(three.id, one.id);
}

#[test]
fn gnu_tar_itself_is_understood() {
    let place = Place::new();
    let folder = tempfile::TempDir::new().unwrap();
    let long = format!("{}/{}", "d".repeat(90), "n".repeat(200));
    let file = folder.path().join(&long);
    fs::create_dir(file.parent().unwrap()).unwrap();
    fs::write(&file, "long").unwrap();
    fs::hard_link(&file, folder.path().join("twin")).unwrap();
    std::os::unix::fs::symlink(&long, folder.path().join("way")).unwrap();
    let mut tar = std::process::Command::new("tar");
    let output = tar
        .arg("-C")
        .arg(folder.path())
        .args(["-cf", "-", "."])
        .output()
        .unwrap();
    let added = place.add("data", &output.stdout).unwrap();
    for name in [long.as_str(), "twin", "way"] {
        assert_eq!(fs::read_to_string(added.folder.join(name)).unwrap(), "long");
    }
    assert_eq!(added.files, 2);
}

#[test]
fn two_builds_at_one_time() {
    let place = Place::new();
    let (same, other) = (numpy().end(), numpy().file("more", "").end());
    let start = Barrier::new(8);
    std::thread::scope(|scope| {
        for number in 0..8 {
            let (place, start) = (&place, &start);
            let tar = if number % 2 == 0 { &same } else { &other };
            scope.spawn(move || {
                start.wait();
                place.add(&format!("env{}", number / 4), tar).unwrap();
                place.store.sweep().unwrap();
            });
        }
    });
    let all = place.store.list().unwrap();
    assert_eq!(all.len(), 2);
    for one in &all {
        assert!(one.folder.join("lib/a.py").exists());
    }
    assert_eq!(
        fs::read_dir(place.dir().join("staging")).unwrap().count(),
        0
    );
}

#[test]
fn a_name_that_is_replaced_while_others_read_it() {
    let place = Place::new();
    let tars = [numpy().end(), numpy().file("more", "").end()];
    let ids = tars
        .each_ref()
        .map(|tar| place.add("data", tar).unwrap().id);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for round in 0..40 {
                place.add("data", &tars[round % 2]).unwrap();
            }
        });
        let mut seen = 0;
        while !writer.is_finished() || seen == 0 {
            let found = place.store.find("python", "data").unwrap();
            assert!(ids.contains(&found.id));
            seen += 1;
        }
    });
}

#[test]
fn a_removed_name_leaves_nothing() {
    let place = Place::new();
    let empty = place.everything();
    place.add("one", &numpy().end()).unwrap();
    place.add("two", &numpy().end()).unwrap();
    place.store.remove("python", "one").unwrap();
    assert_eq!(place.store.sweep().unwrap(), 0, "the other name needs it");
    let present = match place.store.find("python", "one").unwrap_err() {
        StoreError::Missing { present, .. } => present,
        error => panic!("{error:?}"),
    };
    assert_eq!(present, ["python:two"]);
    place.store.remove("python", "two").unwrap();
    assert_eq!(place.store.sweep().unwrap(), 1);
    let mut left = place.everything();
    left.remove(&place.dir().join("names/python"));
    assert_eq!(left, empty);
    let missing = place.store.remove("python", "two").unwrap_err();
    assert!(matches!(missing, StoreError::Missing { .. }));
}

#[test]
fn a_tree_that_is_held_stays_until_it_is_let_go() {
    let place = Place::new();
    let old = place.add("data", &numpy().end()).unwrap();
    let mut all = place.store.hold_all().unwrap();
    let (held, hold) = all.pop().unwrap();
    assert_eq!((all.len(), &held), (0, &old));
    place.add("data", &numpy().file("more", "").end()).unwrap();
    assert_eq!(place.store.sweep().unwrap(), 0);
    assert!(old.folder.join("lib/a.py").exists());
    drop(hold);
    assert_eq!(place.store.sweep().unwrap(), 1);
    assert!(!old.folder.exists());
    let gone = place.store.hold(&old).unwrap_err();
    assert!(matches!(gone, StoreError::Gone(_)));
}

#[test]
fn names_that_are_not_names_are_refused_everywhere() {
    let place = Place::new();
    for bad in ["", "..", "a/b", ".x", "Data", "x\n"] {
        for (language, name) in [("python", bad), (bad, "data")] {
            let errors = [
                place
                    .store
                    .add(language, name, meta(), &b""[..])
                    .unwrap_err(),
                place.store.find(language, name).unwrap_err(),
                place.store.remove(language, name).unwrap_err(),
            ];
            for error in errors {
                assert!(matches!(error, StoreError::Name(_)), "{bad:?}: {error:?}");
            }
        }
    }
}

#[test]
fn a_folder_that_others_may_write_to_is_not_trusted() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    for mode in [0o775, 0o777] {
        fs::set_permissions(place.dir(), fs::Permissions::from_mode(mode)).unwrap();
        let error = Store::open(&place.dir()).unwrap_err();
        assert!(matches!(error, StoreError::Untrusted(_)));
    }
    let link = place.canary().with_file_name("link");
    std::os::unix::fs::symlink(place.dir(), &link).unwrap();
    assert!(matches!(
        Store::open(&link).unwrap_err(),
        StoreError::Untrusted(_)
    ));
}

#[test]
fn a_record_with_a_path_for_an_id_leads_nowhere() {
    let place = Place::new();
    let added = place.add("data", &numpy().end()).unwrap();
    let path = place.dir().join("names/python/data.json");
    let record = fs::read_to_string(&path).unwrap();
    for id in ["../../..", "", "A", &added.id.to_uppercase()] {
        fs::write(&path, record.replace(&added.id, id)).unwrap();
        let error = place.store.find("python", "data").unwrap_err();
        assert!(
            matches!(error, StoreError::Record { .. }),
            "{id}: {error:?}"
        );
        // What can't be understood must not be taken for unneeded.
        place.store.sweep().unwrap_err();
        assert!(added.folder.exists());
    }
}

#[test]
fn reading_makes_no_store() {
    let place = Place::new();
    let dir = place.dir().join("none");
    assert!(Store::open_if_present(&dir).unwrap().is_none());
    assert!(!dir.exists());
}
