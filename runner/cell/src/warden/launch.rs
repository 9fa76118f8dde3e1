//! A launch as it arrives: unpacked and checked before anything is done with it.
//!
//! The runner is not trusted here. Whatever it asks beyond a blueprint's ceiling, or by a path that
//! leads anywhere but down, is refused.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::{Component, Path};

use rustix::io::Errno;

use crate::blueprint::Blueprint;
use crate::enter::WORK;
use crate::protocol::{LAUNCH_BYTES, Launch};
use crate::report::{Failure, at};
use crate::step::Step;
use crate::sys::image::Image;

/// A launch with its descriptors.
pub(super) struct Parcel {
    pub(super) launch: Launch,
    pub(super) image: Image,
    pub(super) stdio: [OwnedFd; 3],
    /// The memfd, and where the files' contents begin in it.
    pub(super) contents: OwnedFd,
    pub(super) contents_offset: u64,
    /// Where output files go.
    pub(super) outputs: Option<OwnedFd>,
    /// The folders that the files need, parents first.
    pub(super) folders: Vec<CString>,
    /// Whether the program is one of the job's own files: then it is the job's matter what is in it.
    pub(super) own_program: bool,
    /// What an interpreter is given besides that is kept warm.
    pub(super) template: Option<Inside>,
}

impl Parcel {
    /// That of an interpreter of ours, which has no job yet: no files, and nothing to give back.
    pub(super) fn without_job(
        launch: Launch,
        image: Image,
        stdio: [OwnedFd; 3],
        inside: Inside,
    ) -> Result<Parcel, Failure> {
        let contents = rustix::fs::memfd_create(c"nothing", rustix::fs::MemfdFlags::CLOEXEC);
        Ok(Parcel {
            launch,
            image,
            stdio,
            contents: contents.map_err(at(Step::Summon))?,
            contents_offset: 0,
            outputs: None,
            folders: Vec::new(),
            own_program: false,
            template: Some(inside),
        })
    }
}

/// What an interpreter is given besides that is kept warm.
pub(super) struct Inside {
    /// For its interpreter to load.
    pub(super) library: OwnedFd,
    /// The pid namespace that it is to be in; `None`: one of its own, as every job.
    pub(super) pids: Option<OwnedFd>,
}

/// The runner sent something that it never should.
pub(super) fn malformed() -> Failure {
    Failure {
        step: Step::Check,
        errno: Errno::INVAL,
    }
}

impl Parcel {
    /// Unpacks and checks.
    pub(super) fn open(
        launch_bytes: u64,
        descriptors: Vec<OwnedFd>,
        blueprints: &[Blueprint],
    ) -> Result<Parcel, Failure> {
        let mut descriptors = descriptors.into_iter();
        // The kernel leaves out those that this process has no room for (unix(7)).
        let mut next = || descriptors.next().ok_or(at(Step::Check)(Errno::MFILE));
        let stdio = [next()?, next()?, next()?];
        let contents = File::from(next()?);
        let outputs = descriptors.next();
        let mut launch = read_launch(&contents, launch_bytes)?;
        let blueprint = blueprints
            .get(usize::from(launch.blueprint))
            .ok_or_else(malformed)?;
        if launch.limits.first_above(&blueprint.ceilings).is_some()
            || launch.outputs.is_empty() != outputs.is_none()
        {
            return Err(malformed());
        }
        let length = contents.metadata().map_err(|_| malformed())?.len();
        let folders = check_files(&launch, length.checked_sub(launch_bytes))?;
        let own_program = launch.argv.first().is_some_and(|program| {
            Path::new(program.to_str().unwrap_or_default()).starts_with(work())
        });
        let image = Image::new(
            std::mem::take(&mut launch.argv),
            std::mem::take(&mut launch.env),
        )
        .ok_or_else(malformed)?;
        Ok(Parcel {
            launch,
            image,
            stdio,
            contents: OwnedFd::from(contents),
            contents_offset: launch_bytes,
            outputs,
            folders,
            own_program,
            template: None,
        })
    }
}

impl Parcel {
    /// What is to be handed back: globs, how many bytes, and where to.
    pub(super) fn outputs(self) -> Option<(Vec<String>, u64, OwnedFd)> {
        let Launch {
            outputs,
            outputs_bytes,
            ..
        } = self.launch;
        self.outputs.map(|pipe| (outputs, outputs_bytes, pipe))
    }
}

fn work() -> &'static Path {
    Path::new(WORK.to_str().unwrap_or("/work"))
}

pub(crate) fn read_launch(memfd: &File, bytes: u64) -> Result<Launch, Failure> {
    if bytes > LAUNCH_BYTES {
        return Err(malformed());
    }
    let mut buffer = vec![0; usize::try_from(bytes).map_err(|_| malformed())?];
    memfd
        .read_exact_at(&mut buffer, 0)
        .map_err(|_| malformed())?;
    postcard::from_bytes(&buffer).map_err(|_| malformed())
}

/// Checks paths and sizes; gives the folders to make.
pub(crate) fn check_files(
    launch: &Launch,
    available: Option<u64>,
) -> Result<Vec<CString>, Failure> {
    let mut folders = BTreeSet::new();
    let mut total: u64 = 0;
    for file in &launch.files {
        total = total.checked_add(file.size).ok_or_else(malformed)?;
        let text = file.path.to_str().map_err(|_| malformed())?;
        let path = Path::new(text);
        let downwards = path.components().all(|c| matches!(c, Component::Normal(_)));
        // Components are compared as text, too: `a//b` and `a/.` have only normal ones.
        let literal = text.split('/').all(|name| !matches!(name, "" | "." | ".."));
        if !downwards || !literal {
            return Err(malformed());
        }
        folders.extend(
            path.ancestors()
                .skip(1)
                .filter(|ancestor| !ancestor.as_os_str().is_empty())
                .map(Path::to_owned),
        );
    }
    if available != Some(total) {
        return Err(malformed());
    }
    folders
        .into_iter()
        .map(|folder| CString::new(folder.into_os_string().into_encoded_bytes()))
        .collect::<Result<_, _>>()
        .map_err(|_| malformed())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blueprint::Limits;
    use crate::protocol::FileSpec;
    use std::time::Duration;

    fn launch(paths: &[&str]) -> Launch {
        Launch {
            blueprint: 0,
            limits: Limits {
                wall: Duration::from_secs(1),
                cpu: Duration::from_secs(1),
                memory: 1,
                disk: 1,
                processes: 1,
            },
            argv: vec![],
            env: vec![],
            files: paths
                .iter()
                .map(|path| FileSpec {
                    path: CString::new(*path).unwrap_or_default(),
                    size: 1,
                    executable: false,
                })
                .collect(),
            outputs: vec![],
            outputs_bytes: 0,
            warm: false,
        }
    }

    #[test]
    fn folders_come_parents_first_and_once() {
        let launch = launch(&["a/b/c.txt", "a/d.txt", "e.txt"]);
        let folders = check_files(&launch, Some(3)).ok();
        assert_eq!(folders, Some(vec![c"a".to_owned(), c"a/b".to_owned()]));
    }

    #[test]
    fn paths_that_lead_elsewhere_are_refused() {
        for path in [
            "../x", "/x", "a/../b", "a//b", "a/./b", "./a", "a/", "", ".",
        ] {
            assert!(
                check_files(&launch(&[path]), Some(1)).is_err(),
                "{path:?} was accepted"
            );
        }
    }

    #[test]
    fn contents_must_be_exactly_there() {
        let launch = launch(&["a"]);
        assert!(check_files(&launch, Some(0)).is_err());
        assert!(check_files(&launch, Some(2)).is_err());
        assert!(check_files(&launch, None).is_err());
        assert!(check_files(&launch, Some(1)).is_ok());
    }
}
