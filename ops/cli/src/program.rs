//! From the command line to a job. Reads the files that it names, before any privilege is given up.

use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};

use glovebox_policies::{Catalog, Program};
use glovebox_schemas::job::{Job, JobFile, LimitsRequest, MAX_JOB_BYTES, Network, Rejection};

use crate::args::{NetworkArg, ProgramArgs};

/// Why there is no job.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProgramError {
    #[error("reading {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{0} is larger than a job may be ({MAX_JOB_BYTES} bytes)")]
    TooLarge(String),
    #[error("{0} has no name that ends in a known language's suffix; name it with --language")]
    UnknownSuffix(String),
    #[error("{0} is not UTF-8")]
    NotText(String),
    #[error("--limit {0}: {1}")]
    Limit(String, &'static str),
    #[error(transparent)]
    Rejected(#[from] Rejection),
}

impl ProgramError {
    pub(crate) fn mend(&self) -> String {
        match self {
            ProgramError::Rejected(rejection) => rejection.hint.clone(),
            _ => String::new(),
        }
    }
}

/// The job that the arguments describe, checked as a runner would.
pub(crate) fn job(args: &ProgramArgs, catalog: &Catalog) -> Result<Job, ProgramError> {
    if let Some(path) = &args.job {
        return Ok(Job::parse_submission(&read(path)?)?);
    }
    let path = args.file.as_deref().unwrap_or(Path::new("-"));
    let of_profile = args.profile.as_ref().and_then(|name| name.split_once(':'));
    let language = match (&args.language, of_profile) {
        (Some(language), _) => language.clone(),
        (None, Some((language, _))) => language.to_owned(),
        (None, None) => language_of(path, catalog)
            .ok_or_else(|| ProgramError::UnknownSuffix(path.display().to_string()))?,
    };
    let mut job = Job::new(language);
    // The program keeps its own name, so that a traceback names the file that the user knows.
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or("main");
    job.files = vec![JobFile {
        path: name.to_owned(),
        content: read(path)?,
    }];
    job.entrypoint = Some(name.to_owned());
    job.profile.clone_from(&args.profile);
    job.args = args.args.clone();
    job.network = match args.network {
        NetworkArg::None => Network::None,
        NetworkArg::Proxy => Network::Proxy,
    };
    if let Some(stdin) = &args.stdin {
        job.stdin = String::from_utf8(read(stdin)?)
            .map_err(|_| ProgramError::NotText(stdin.display().to_string()))?;
    }
    job.limits = limits(&args.limits)?;
    Ok(job.checked()?)
}

/// What can be said of the program's language before the profiles are read.
pub(crate) fn known(args: &ProgramArgs) -> Option<Program<'_>> {
    let of_profile = args.profile.as_ref().and_then(|name| name.split_once(':'));
    let language = args
        .language
        .as_deref()
        .or(of_profile.map(|(language, _)| language));
    let suffix = || args.file.as_ref()?.extension()?.to_str();
    language
        .map(Program::Language)
        .or_else(|| suffix().map(Program::Suffix))
}

/// The language whose programs end as this file does.
fn language_of(path: &Path, catalog: &Catalog) -> Option<String> {
    let suffix = Program::Suffix(path.extension()?.to_str()?);
    catalog.find_for(suffix).map(|profile| profile.name.clone())
}

fn read(path: &Path) -> Result<Vec<u8>, ProgramError> {
    let failed = |source| ProgramError::Read {
        path: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    // One byte more than is allowed tells "too large" from "just fits".
    let most = MAX_JOB_BYTES as u64 + 1;
    if path == Path::new("-") {
        std::io::stdin()
            .take(most)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
    } else {
        let file = std::fs::File::open(path).map_err(failed)?;
        file.take(most).read_to_end(&mut bytes).map_err(failed)?;
    }
    if bytes.len() > MAX_JOB_BYTES {
        return Err(ProgramError::TooLarge(path.display().to_string()));
    }
    Ok(bytes)
}

fn limits(given: &[String]) -> Result<LimitsRequest, ProgramError> {
    let mut limits = LimitsRequest::default();
    for text in given {
        let wrong = |why| ProgramError::Limit(text.clone(), why);
        let (name, value) = text.split_once('=').ok_or(wrong("write NAME=VALUE"))?;
        let value: u64 = value
            .parse()
            .map_err(|_| wrong("the value is a whole number"))?;
        let target = match name {
            "wall_ms" => &mut limits.wall_ms,
            "cpu_ms" => &mut limits.cpu_ms,
            "memory_bytes" => &mut limits.memory_bytes,
            "disk_bytes" => &mut limits.disk_bytes,
            "output_bytes" => &mut limits.output_bytes,
            "processes" => &mut limits.processes,
            _ => {
                return Err(wrong(
                    "the name is one of wall_ms, cpu_ms, memory_bytes, disk_bytes, output_bytes, processes",
                ));
            }
        };
        *target = Some(value);
    }
    Ok(limits)
}
