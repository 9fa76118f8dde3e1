//! The files that a job brings, and those it wants back.
//!
//! Must never let one file stand in another's way: the cell would find that out too late.

use std::ffi::CString;

use glovebox_policies::Profile;
use glovebox_schemas::job::{Job, Rejection};

use super::text;

/// A file in a cell's working folder.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    pub(crate) path: CString,
    pub(crate) content: Vec<u8>,
    pub(crate) executable: bool,
}

/// The job's files with `code` among them, under the profile's name for it.
pub(super) fn place(job: &Job, profile: &Profile) -> Result<Vec<Input>, Rejection> {
    let mut files = Vec::with_capacity(job.files.len() + 1);
    if let Some(code) = &job.code {
        let name = job.entrypoint.as_deref().unwrap_or(&profile.source);
        if let Some(file) = job
            .files
            .iter()
            .find(|file| conflicts(file.path.as_bytes(), name.as_bytes()))
        {
            return Err(Rejection::new(
                "conflicting_fields",
                format!(
                    "code: it becomes the file {name:?}, which {:?} stands in the way of",
                    file.path
                ),
                "send the program either as `code` or as a file",
            ));
        }
        files.push(input("code", name, code.as_bytes())?);
    }
    for file in &job.files {
        files.push(input("files", &file.path, &file.content)?);
    }
    Ok(files)
}

fn input(field: &str, path: &str, content: &[u8]) -> Result<Input, Rejection> {
    Ok(Input {
        path: text(field, path)?,
        content: content.to_vec(),
        executable: false,
    })
}

impl Input {
    /// Whether the two can't both be there.
    pub(crate) fn conflicts(&self, other: &Input) -> bool {
        conflicts(self.path.as_bytes(), other.path.as_bytes())
    }
}

/// Whether two paths can't both be files: they are the same, or one would be the other's folder.
fn conflicts(one: &[u8], other: &[u8]) -> bool {
    let beneath = |a: &[u8], b: &[u8]| a.strip_prefix(b).is_some_and(|rest| rest.starts_with(b"/"));
    one == other || beneath(one, other) || beneath(other, one)
}

pub(super) fn check_outputs(globs: &[String]) -> Result<(), Rejection> {
    for (at, glob) in globs.iter().enumerate() {
        if let Err(error) = globset::Glob::new(glob) {
            return Err(Rejection::new(
                "invalid_value",
                format!("outputs[{at}]: {}", error.kind()),
                "write a glob such as `*.png` or `out/**`",
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_conflict_when_one_would_be_the_others_folder() {
        for (one, other, expected) in [
            ("main.py", "main.py", true),
            ("main.py/x", "main.py", true),
            ("a", "a/b/c", true),
            ("main.py", "main.pyc", false),
            ("a/b", "a/c", false),
        ] {
            assert_eq!(
                conflicts(one.as_bytes(), other.as_bytes()),
                expected,
                "{one} {other}"
            );
            assert_eq!(
                conflicts(other.as_bytes(), one.as_bytes()),
                expected,
                "{other} {one}"
            );
        }
    }

    #[test]
    fn a_glob_that_is_none_is_named() {
        let rejected = check_outputs(&["*.txt".to_owned(), "[a.txt".to_owned()]);
        let message = rejected.err().map(|rejection| rejection.message);
        assert!(message.is_some_and(|text| text.starts_with("outputs[1]: ")));
    }
}
