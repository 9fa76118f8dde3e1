//! How what a run writes is to be judged, and the plan of the program that judges it, if one does.
//!
//! A checker is planned as a job of its own is: what holds for a job's program holds for it.

use std::ffi::CString;

use glovebox_schemas::job::{Compare, Job, Rejection, TestCase, Tolerance};

use super::{Input, Plan, decide};
use crate::blueprints::Languages;

/// The files that a checker is shown, in the order of its arguments: what the program read, what it wrote, and what it
/// should have written.
pub(crate) const SHOWN: [&str; 3] = ["input.txt", "output.txt", "expected.txt"];

/// What a run has to write.
#[derive(Clone, Debug)]
pub(crate) enum Expected {
    /// Anything: how it ends says it all.
    Anything,
    /// This, compared so.
    Text(String, How),
    /// What the plan's checker accepts, which is shown this.
    Checker(String),
}

/// How outputs are compared.
#[derive(Clone, Copy, Debug)]
pub(crate) struct How {
    pub(crate) compare: Compare,
    pub(crate) tolerance: Tolerance,
}

impl Expected {
    pub(super) fn of(test: &TestCase) -> Expected {
        let how = How {
            compare: test.compare,
            tolerance: test.tolerance,
        };
        match (test.compare, &test.expected_stdout) {
            (Compare::Checker, text) => Expected::Checker(text.clone().unwrap_or_default()),
            (_, Some(text)) => Expected::Text(text.clone(), how),
            (_, None) => Expected::Anything,
        }
    }
}

/// The plan of the job's checker.
pub(super) fn checker(job: &Job, languages: &Languages) -> Result<Option<Box<Plan>>, Rejection> {
    let Some(checker) = &job.checker else {
        return Ok(None);
    };
    let own = Job {
        profile: checker.profile.clone(),
        code: Some(checker.code.clone()),
        files: checker.files.clone(),
        limits: checker.limits.clone(),
        args: SHOWN.map(str::to_owned).to_vec(),
        ..Job::new(&checker.language)
    };
    let plan = decide(&own, languages).map_err(|rejection| Rejection {
        message: format!("checker.{}", rejection.message),
        ..rejection
    })?;
    match shown([b"", b"", b""])
        .iter()
        .find(|shown| plan.files.iter().any(|file| file.conflicts(shown)))
    {
        None => Ok(Some(Box::new(plan))),
        Some(shown) => Err(Rejection::new(
            "conflicting_fields",
            format!(
                "checker.files: the checker is shown a file at {:?}",
                shown.path
            ),
            "call the file something else",
        )),
    }
}

/// What a checker is shown, as files of its cell.
pub(crate) fn shown(contents: [&[u8]; 3]) -> Vec<Input> {
    let named = SHOWN.iter().zip(contents);
    named
        .filter_map(|(name, content)| {
            Some(Input {
                path: CString::new(*name).ok()?,
                content: content.to_vec(),
                executable: false,
            })
        })
        .collect()
}
