//! Builds that end in the middle: killed, or out of room.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::common::{Place, Tar, meta};
use glovebox_environments::{Store, StoreError};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

const DIR: &str = "GLOVEBOX_TEST_STORE";
const HALF: &str = "half is there";

/// Says on stdout when half was read, and never gives the rest.
struct Half(std::io::Cursor<Vec<u8>>);

impl Read for Half {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self.0.read(buffer)? {
            0 => {
                writeln!(std::io::stdout(), "{HALF}")?;
                loop {
                    std::thread::park();
                }
            }
            read => Ok(read),
        }
    }
}

#[test]
#[ignore = "not a test: the process that `a_killed_build_leaves_nothing` kills"]
fn build_for_ever() {
    let Some(dir) = std::env::var_os(DIR) else {
        return;
    };
    let tar = Tar::new()
        .folder("lib")
        .file("lib/a", "a")
        .file("lib/b", &"b".repeat(70_000));
    let half = Half(std::io::Cursor::new(tar.cut()));
    let store = Store::open(Path::new(&dir)).unwrap();
    store.add("python", "data", meta(), half).unwrap();
}

#[test]
fn a_killed_build_leaves_nothing() {
    let place = Place::new();
    let empty = place.everything();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "killed::build_for_ever",
            "--ignored",
            "--nocapture",
        ])
        .env(DIR, place.dir())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let half = lines.map(Result::unwrap).any(|line| line.contains(HALF));
    assert!(half, "it ended before it was killed");

    let staging = std::fs::metadata(place.dir().join("staging/0")).unwrap();
    assert_eq!(staging.mode() & 0o7777, 0o700);
    let folder = place.dir().join("staging/0/tree/lib");
    assert!(folder.join("b").exists());
    assert_eq!(place.store.sweep().unwrap(), 0, "its owner lives");
    assert!(folder.join("b").exists());
    // Another build does not mind.
    place.add("other", &Tar::new().end()).unwrap();
    place.store.remove("python", "other").unwrap();

    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(place.store.list().unwrap(), []);
    assert_eq!(place.store.sweep().unwrap(), 2);
    let mut left = place.everything();
    left.remove(&place.dir().join("names/python"));
    assert_eq!(left, empty);
}

#[test]
fn a_reader_that_fails_leaves_nothing() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("gone"))
        }
    }
    let place = Place::new();
    let empty = place.everything();
    let tar = Tar::new().head(b'0', "f", "", 0o644, 1_000).cut();
    let tar = std::io::Cursor::new(tar).chain(Broken);
    let error = place.store.add("python", "data", meta(), tar).unwrap_err();
    assert!(matches!(error, StoreError::Read(_)));
    assert_eq!(place.everything(), empty);
}

/// A small disk that only this thread sees, and that goes with it.
fn small_disk(at: &Path, options: &str) {
    let nothing: Option<&str> = None;
    unshare(CloneFlags::CLONE_NEWNS).unwrap();
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(nothing, "/", nothing, private, nothing).unwrap();
    mount(
        Some("small"),
        at,
        Some("tmpfs"),
        MsFlags::empty(),
        Some(options),
    )
    .unwrap();
}

fn fills(options: &str, tar: &[u8]) {
    let place = tempfile::TempDir::new().unwrap();
    small_disk(place.path(), options);
    let dir: PathBuf = place.path().join("store");
    let store = Store::open(&dir).unwrap();
    let before = store.add(
        "python",
        "data",
        meta(),
        &Tar::new().file("f", "1").end()[..],
    );
    let before = before.unwrap();
    let error = store.add("python", "data", meta(), tar).unwrap_err();
    let StoreError::Io { source, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(source.kind(), std::io::ErrorKind::StorageFull);
    assert!(error.mend().starts_with("free space"));
    assert_eq!(
        store.find("python", "data").unwrap(),
        before,
        "the old one stays"
    );
    assert_eq!(std::fs::read_dir(dir.join("staging")).unwrap().count(), 0);
}

#[test]
fn a_full_disk_leaves_all_as_it_was() {
    let large = Tar::new()
        .file("a", &"x".repeat(200_000))
        .file("b", &"x".repeat(700_000));
    fills("size=512k,mode=755", &large.end());
}

#[test]
fn a_disk_without_inodes_leaves_all_as_it_was() {
    let many = (0..100).fold(Tar::new(), |tar, number| {
        tar.file(&format!("f{number}"), "")
    });
    fills("nr_inodes=64,mode=755", &many.end());
}
