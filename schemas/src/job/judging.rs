//! Tests of a job: what each is given, and how what it writes is judged.
//!
//! Only what can be known from the document is checked here; whether a checker's language exists is for the runner.

use std::collections::HashSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::caps::MAX_TEST_NAME_BYTES;
use super::check::{check_language, check_limits, check_profile, files, name};
use super::wire::{CheckerDocument, TestDocument};
use super::{JobFile, LimitsRequest, arguments};
use crate::codes;
use crate::rejection::Rejection;
use crate::strict::Object;
use crate::text::quote;

/// One run of a job's program with its own input.
#[derive(Debug, Clone, PartialEq)]
pub struct TestCase {
    /// What it is called in the result; no two tests of a job share a name.
    pub name: String,
    /// What the program reads.
    pub stdin: String,
    /// The program's arguments.
    pub args: Vec<String>,
    /// What it has to write; absent if only its exit code counts, or the checker needs no such text.
    pub expected_stdout: Option<String>,
    /// How exactly it has to write that.
    pub compare: Compare,
    /// How far off numbers may be, if they are compared as such.
    pub tolerance: Tolerance,
}

/// How a test's output is compared with what was expected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Compare {
    /// Byte by byte.
    Exact,
    /// Without white space at the end of each line and of the whole.
    #[default]
    Trimmed,
    /// Word by word, whatever white space is between them.
    Tokens,
    /// As tokens, of which those that are numbers may differ by the test's `tolerance`.
    Floats,
    /// Line by line in any order, without white space at their ends; blank lines do not count.
    UnorderedLines,
    /// By the job's `checker`.
    Checker,
}

/// How far a number may be from the one expected: near enough is what is within either. Without this, both are 1e-6;
/// one that is left out beside the other is 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tolerance {
    /// The largest difference.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub absolute: f64,
    /// The largest difference as a part of the number expected.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub relative: f64,
}

impl Default for Tolerance {
    fn default() -> Self {
        Self {
            absolute: 1e-6,
            relative: 1e-6,
        }
    }
}

/// A program that judges what the job's program has written.
///
/// It is run for each test that is compared by it, in a cell of its own, with three arguments: the paths of files with
/// the test's input, the program's output, and the output expected. It exits with 0 to accept, with 1 to say that the
/// output is wrong, and writes why. Whatever else becomes of it is its own fault, and the program is not judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checker {
    /// A profile's name or alias.
    pub language: String,
    /// A package environment of that language, as `python:NAME`.
    pub profile: Option<String>,
    /// The checker, as the one file that the profile names.
    pub code: String,
    /// Files beside it.
    pub files: Vec<JobFile>,
    /// Lower limits than the profile's.
    pub limits: LimitsRequest,
}

/// Checks the tests; the job's environment takes `env_bytes` of what their arguments may take.
pub(super) fn tests(
    documents: Vec<Object<TestDocument>>,
    env_bytes: usize,
) -> Result<Vec<TestCase>, Rejection> {
    let mut names = HashSet::with_capacity(documents.len());
    for (index, Object(test)) in documents.iter().enumerate() {
        check_name(index, &test.name)?;
        if !names.insert(test.name.as_str()) {
            return Err(Rejection::new(
                codes::INVALID_VALUE,
                format!(
                    "tests[{index}].name: {} is also the name of another test",
                    quote(&test.name)
                ),
                "give each test a name of its own",
            ));
        }
        arguments::check_args(format_args!("tests[{index}].args"), &test.args.0, env_bytes)?;
        check_tolerance(index, test)?;
    }
    let checked = documents.into_iter().map(|Object(test)| TestCase {
        name: test.name,
        stdin: test.stdin,
        args: test.args.0,
        expected_stdout: test.expected_stdout,
        compare: test.compare.0,
        tolerance: test.tolerance.0,
    });
    Ok(checked.collect())
}

fn check_name(index: usize, written: &str) -> Result<(), Rejection> {
    let valid =
        (1..=MAX_TEST_NAME_BYTES).contains(&written.len()) && !written.contains(char::is_control);
    let field = format!("tests[{index}].name");
    name(
        &field,
        written,
        valid,
        "1 to 200 bytes without control characters",
    )
}

fn check_tolerance(index: usize, test: &TestDocument) -> Result<(), Rejection> {
    let Tolerance { absolute, relative } = test.tolerance.0;
    for (name, value) in [("absolute", absolute), ("relative", relative)] {
        if value < 0.0 {
            return Err(Rejection::new(
                codes::INVALID_VALUE,
                format!("tests[{index}].tolerance.{name}: {value} is less than 0"),
                "use 0 or more",
            ));
        }
    }
    if test.compare.0 != Compare::Floats && test.tolerance.0 != Tolerance::default() {
        return Err(Rejection::new(
            codes::CONFLICTING_FIELDS,
            format!("tests[{index}].tolerance: the test does not compare numbers"),
            "add \"compare\": \"floats\", or leave \"tolerance\" out",
        ));
    }
    Ok(())
}

/// Checks that whoever is to judge is there, and has something to judge.
pub(super) fn checker(
    document: Option<Object<CheckerDocument>>,
    tests: &[TestCase],
) -> Result<Option<Checker>, Rejection> {
    let asked = |test: &TestCase| test.compare == Compare::Checker;
    let document = match (document, tests.iter().position(asked)) {
        (None, None) => return Ok(None),
        (Some(Object(document)), Some(_)) => document,
        (None, Some(index)) => {
            return Err(Rejection::new(
                codes::MISSING_FIELD,
                format!("tests[{index}].compare: the job has no \"checker\""),
                "put the program that judges the output into \"checker\"",
            ));
        }
        (Some(_), None) => {
            return Err(Rejection::new(
                codes::CONFLICTING_FIELDS,
                "checker: no test is compared by it",
                "add \"compare\": \"checker\" to the tests that it is to judge, or leave \"checker\" out",
            ));
        }
    };
    check_language("checker.language", &document.language)?;
    check_profile("checker.profile", document.profile.as_deref())?;
    check_limits("checker.limits", &document.limits.0)?;
    Ok(Some(Checker {
        language: document.language,
        profile: document.profile,
        code: document.code,
        files: files("checker.files", document.files.0)?,
        limits: document.limits.0,
    }))
}

/// Checks what says how the tests are run.
pub(super) fn check_order(
    parallel: Option<u32>,
    stop_on_failure: bool,
    has_tests: bool,
) -> Result<(), Rejection> {
    if parallel == Some(0) {
        return Err(Rejection::new(
            codes::INVALID_VALUE,
            "parallel: zero would let nothing run",
            "use 1 or more, or leave it out for as many as the runner has room for",
        ));
    }
    let without_tests = [
        ("parallel", parallel.is_some()),
        ("stop_on_failure", stop_on_failure),
    ];
    match without_tests.into_iter().find(|(_, is_set)| *is_set) {
        Some((name, _)) if !has_tests => Err(Rejection::new(
            codes::CONFLICTING_FIELDS,
            format!("{name}: the job has no tests"),
            format!("add \"tests\", or leave \"{name}\" out"),
        )),
        _ => Ok(()),
    }
}
