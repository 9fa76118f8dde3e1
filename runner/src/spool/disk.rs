//! Results as files: written whole and synced before they count, one file each, named by their order.
//!
//! The folder belongs to this runner alone. Must never take a half-written file for a result: it is written under
//! another name first (fsync(2), rename(2), and fsync of the folder).

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use glovebox_schemas::names::DEFAULT_TENANT;
use glovebox_schemas::result::JobResult;
use serde::{Deserialize, Serialize};

use crate::result::Letter;

const SUFFIX: &str = "json";
const UNFINISHED: &str = "part";

/// A result in the folder.
#[derive(Clone, Debug)]
pub(super) struct File {
    path: PathBuf,
    pub(super) bytes: u64,
}

/// The folder.
pub(super) struct Disk {
    folder: Arc<PathBuf>,
    next: AtomicU64,
}

/// What a file holds: a result, and the process that wrote it.
#[derive(Serialize, Deserialize)]
struct Document {
    instance: String,
    #[serde(default = "default_tenant")]
    tenant: String,
    result: Box<JobResult>,
}

/// Of a file that an earlier release left.
fn default_tenant() -> String {
    DEFAULT_TENANT.to_owned()
}

/// Makes the folder `name` beneath `base` for the runner of that name, and moves into it what runners left that have
/// died. For the process with the power to: the worker is given the folder.
///
/// # Errors
/// When a folder can't be made or given.
pub fn claim(base: &Path, name: &str, owner: Option<u32>) -> io::Result<(PathBuf, fs::File)> {
    make_reachable(base)?;
    let own = base.join(name);
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&own)?;
    let lock = fs::File::open(&own)?;
    lock.try_lock()?;
    for other in fs::read_dir(base)?.flatten() {
        if other.path() != own && other.file_type()?.is_dir() {
            adopt(&other.path(), &own)?;
        }
    }
    std::os::unix::fs::chown(&own, owner, owner)?;
    for file in fs::read_dir(&own)?.flatten() {
        // A worker that was taken over may have left anything here: a link to a file of somebody else's, say.
        let metadata = file.metadata()?;
        if metadata.is_file() && metadata.nlink() == 1 {
            std::os::unix::fs::lchown(file.path(), owner, owner)?;
        }
    }
    Ok((own, lock))
}

/// Makes a folder that the worker can pass, whatever the umask: it is nobody's user there.
fn make_reachable(path: &Path) -> io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        make_reachable(parent)?;
    }
    match fs::create_dir(path) {
        Ok(()) => fs::set_permissions(path, fs::Permissions::from_mode(0o755)),
        // Another runner was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Takes over the files of a runner that is gone: one that lives holds a lock on its folder (flock(2)).
fn adopt(other: &Path, own: &Path) -> io::Result<()> {
    let lock = fs::File::open(other)?;
    if lock.try_lock().is_err() {
        return Ok(());
    }
    for file in fs::read_dir(other)?.flatten() {
        // Its number, and what nothing else is called: it may be taken over many times, and meet others.
        let name = file.file_name();
        let number = name.to_string_lossy();
        let number = number.split('.').next().unwrap_or_default();
        let name = format!("{number}.{}.{SUFFIX}", uuid::Uuid::now_v7());
        match is_result(&file.path()) {
            true => fs::rename(file.path(), own.join(name))?,
            false => fs::remove_file(file.path())?,
        }
    }
    fs::remove_dir(other)
}

fn is_result(path: &Path) -> bool {
    path.extension().is_some_and(|suffix| suffix == SUFFIX)
}

impl Disk {
    /// The folder and the results that are in it, in order.
    pub(super) fn open(folder: &Path) -> io::Result<(Disk, Vec<File>)> {
        let mut left = Vec::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if is_result(&path) {
                let bytes = fs::metadata(&path)?.len();
                left.push(File { path, bytes });
            } else {
                fs::remove_file(&path)?;
            }
        }
        left.sort_by(|a, b| a.path.cmp(&b.path));
        // After what was left, whatever the clock said then.
        let names = left.iter().filter_map(|file| {
            let name = file.path.file_name()?.to_str()?;
            name.split('.').next()?.parse::<u64>().ok()
        });
        let disk = Disk {
            folder: Arc::new(folder.to_owned()),
            next: AtomicU64::new(names.max().map_or(1, |last| last.saturating_add(1))),
        };
        Ok((disk, left))
    }

    /// Writes a result; when this returns it survives the machine's end.
    pub(super) async fn write(&self, letter: &Letter) -> io::Result<File> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let folder = Arc::clone(&self.folder);
        let letter = letter.clone();
        off_the_runtime(move || {
            let document = Document {
                instance: letter.instance,
                tenant: letter.tenant,
                result: Box::new(JobResult::from_json(&letter.document)?),
            };
            let content = serde_json::to_vec(&document)?;
            let path = folder.join(format!("{number:020}.{SUFFIX}"));
            let unfinished = path.with_extension(UNFINISHED);
            let written = write_synced(&unfinished, &content)
                .and_then(|()| fs::rename(&unfinished, &path))
                .and_then(|()| fs::File::open(&*folder)?.sync_all());
            if written.is_err() {
                // Whichever of the two is there; the error is told.
                fs::remove_file(&unfinished).ok();
                fs::remove_file(&path).ok();
            }
            written.map(|()| File {
                path,
                bytes: content.len() as u64,
            })
        })
        .await
    }

    /// Reads one back; `None` if it is no result any more, which is logged.
    pub(super) async fn read(&self, file: &File) -> Option<Letter> {
        let path = file.path.clone();
        let read = off_the_runtime(move || {
            let document: Document = serde_json::from_slice(&fs::read(&path)?)?;
            Ok(Letter::new(
                &document.result,
                &document.tenant,
                &document.instance,
            ))
        });
        let logged = |error| {
            tracing::error!(file = %file.path.display(), %error, "a spooled result can't be read");
        };
        read.await.map_err(logged).ok()
    }

    /// It is stored elsewhere now.
    pub(super) async fn remove(&self, file: &File) {
        let path = file.path.clone();
        if let Err(error) = off_the_runtime(move || fs::remove_file(path)).await {
            // Stored again by the next process, which does no harm: the first result stands.
            tracing::warn!(file = %file.path.display(), %error, "a spooled result stays");
        }
    }
}

fn write_synced(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = fs::File::create(path)?;
    file.write_all(content)?;
    file.sync_all()
}

async fn off_the_runtime<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|panicked| Err(io::Error::other(panicked)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn files(folder: &Path) -> Vec<Vec<u8>> {
        let files = fs::read_dir(folder).unwrap();
        let mut contents: Vec<_> = files
            .map(|file| fs::read(file.unwrap().path()).unwrap())
            .collect();
        contents.sort();
        contents
    }

    #[test]
    fn what_is_taken_over_again_and_again_keeps_a_name_that_fits_and_is_its_own() {
        let base = tempfile::tempdir().unwrap();
        let long = "n".repeat(100);
        for round in ["a", "b", "c", "d"] {
            // Each under the same number, for one runner after the other.
            let (left, lock) = claim(base.path(), &long, None).unwrap();
            fs::write(left.join("00000000000000000001.json"), round).unwrap();
            drop(lock);
            let (own, _lock) = claim(base.path(), "next", None).unwrap();
            assert!(!left.exists() && files(&own).contains(&round.into()));
        }
        let (own, _lock) = claim(base.path(), &long, None).unwrap();
        assert_eq!(files(&own), [b"a", b"b", b"c", b"d"]);
    }
}
