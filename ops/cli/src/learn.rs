//! `glovebox policy learn`: what a program needs beyond its profile, as lines to add to it.
//!
//! The program runs again and again, each time with what it was refused before allowed, until it asks for nothing
//! new. It is isolated each time. What the dangerous group forbids is never allowed, and never printed as a line.

use std::fs::File;
use std::io::{Read, Seek};
use std::process::ExitCode;

use glovebox_cell::supervise;
use glovebox_policies::{Catalog, Learned, Lesson, Profile, learn};
use glovebox_runner::{Recording, RefusedCall, Wanted, record};
use glovebox_schemas::job::Job;
use glovebox_schemas::result::{JobResult, Status};
use nix::sys::memfd::{MFdFlags, memfd_create};

use crate::args::LearnArgs;
use crate::report::{HOST, NOT_SUCCEEDED, USAGE, fail, note, print};
use crate::{isolation, program};

/// A program that asks for something new each time is stopped here.
const MOST_ROUNDS: usize = 40;

/// Runs the command.
pub(crate) fn run(args: LearnArgs) -> ExitCode {
    try_run(&args).unwrap_or_else(|code| code)
}

fn try_run(args: &LearnArgs) -> Result<ExitCode, ExitCode> {
    let catalog = isolation::catalog()?;
    let job = program::job(&args.program, &catalog)
        .map_err(|error| fail(USAGE, &error, &error.mend()))?;
    let Some(profile) = catalog.find(&job.language).cloned() else {
        note(&format!("there is no language {:?} here", job.language));
        return Err(ExitCode::from(USAGE));
    };
    let mut known = Known::default();
    for round in 1..=MOST_ROUNDS {
        let widened = catalog.clone().with(known.widen(&profile));
        let recording = one_round(args, widened, &job)?;
        if let Some(error) = &recording.result.error {
            note(&format!("{}\n  mend: {}", error.message, error.hint));
            return Err(ExitCode::from(USAGE));
        }
        if !known.take(&profile, &recording) || round == MOST_ROUNDS {
            print(known.report(&profile, round).as_bytes());
            return Ok(conclude(&recording.result));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// One run of the program. The worker writes down what it saw: a pipe might fill while nobody reads.
fn one_round(args: &LearnArgs, catalog: Catalog, job: &Job) -> Result<Recording, ExitCode> {
    let wanted = Wanted::Job(job);
    let (languages, config) = isolation::warden(catalog, &wanted, 1, &args.isolation)?;
    let notes = memfd_create(c"glovebox-learn", MFdFlags::MFD_CLOEXEC)
        .map_err(|error| fail(HOST, &error, "free descriptors on the host"))?;
    let mut notes = File::from(notes);
    let writer = &notes;
    let code = supervise(&config, move |link| {
        let written = match record(link, &languages, job) {
            Ok(Recording {
                result,
                compile,
                run,
            }) => serde_json::to_writer(writer, &(result, compile, run)),
            Err(error) => return i32::from(isolation::fail_embedded(&error)),
        };
        i32::from(written.is_err())
    })
    .map_err(|error| isolation::fail_supervise(&error))?;
    let mut text = Vec::new();
    let read = notes.rewind().and_then(|()| notes.read_to_end(&mut text));
    let parsed: Result<(JobResult, Vec<RefusedCall>, Vec<RefusedCall>), _> =
        serde_json::from_slice(&text);
    match (code, read, parsed) {
        (0, Ok(_), Ok((result, compile, run))) => Ok(Recording {
            result,
            compile,
            run,
        }),
        _ => Err(ExitCode::from(HOST)),
    }
}

/// What all rounds so far were refused, and what follows from that.
#[derive(Default)]
struct Known {
    run: Part,
    compile: Part,
}

#[derive(Default)]
struct Part {
    refused: Vec<RefusedCall>,
    lesson: Lesson,
}

impl Known {
    /// Learns from a round; false if it brought nothing new.
    fn take(&mut self, profile: &Profile, recording: &Recording) -> bool {
        let before = (self.run.lesson.add.clone(), self.compile.lesson.add.clone());
        self.run.refused.extend_from_slice(&recording.run);
        self.run.lesson = learn(&profile.syscalls, &self.run.refused);
        self.compile.refused.extend_from_slice(&recording.compile);
        if let Some(compile) = &profile.compile {
            self.compile.lesson = learn(&compile.syscalls, &self.compile.refused);
        }
        before != (self.run.lesson.add.clone(), self.compile.lesson.add.clone())
    }

    /// The profile with everything that was learned.
    fn widen(&self, profile: &Profile) -> Profile {
        let mut widened = profile.clone();
        let run = &self.run.lesson.add;
        widened.syscalls = widened.syscalls.with_lessons(run);
        if let Some(proxy) = &mut widened.proxy {
            proxy.syscalls = proxy.syscalls.with_lessons(run);
        }
        if let Some(compile) = &mut widened.compile {
            compile.syscalls = compile.syscalls.with_lessons(&self.compile.lesson.add);
        }
        widened
    }

    fn report(&self, profile: &Profile, rounds: usize) -> String {
        let mut text = String::new();
        for (section, lesson) in [
            ("[syscalls]", &self.run.lesson),
            ("[compile.syscalls]", &self.compile.lesson),
        ] {
            if !lesson.add.is_empty() {
                text += &format!(
                    "# for profiles/{}.toml, after {rounds} runs; say why you trust each line\n{section}\nallow = [\n{}]\n",
                    profile.name,
                    lines(&lesson.add),
                );
            }
            for (call, why) in &lesson.not_offered {
                text += &format!("# not offered: {call}: {why}\n");
            }
        }
        if text.is_empty() {
            text = format!(
                "# the profile {:?} refuses this program nothing\n",
                profile.name
            );
        }
        text
    }
}

fn lines(add: &[Learned]) -> String {
    add.iter().map(|one| format!("    {one},\n")).collect()
}

/// How the last run ended, with all of these lines in force.
fn conclude(result: &JobResult) -> ExitCode {
    note(&format!("with these lines the program {}", ending(result)));
    match result.status {
        Status::Succeeded => ExitCode::SUCCESS,
        _ => ExitCode::from(NOT_SUCCEEDED),
    }
}

fn ending(result: &JobResult) -> String {
    let code = result
        .exit_code
        .map(|code| format!(" with exit code {code}"));
    let limit = result.limit.map(|limit| format!(" ({limit})"));
    format!(
        "{}{}{}",
        result.status,
        code.unwrap_or_default(),
        limit.unwrap_or_default()
    )
}
