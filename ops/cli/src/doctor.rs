//! `glovebox doctor`: what this host can and can't isolate, and how to mend it.
//!
//! Two tables, and a trial: a real job in a real cell says more than any probe.

use std::process::ExitCode;
use std::sync::Arc;

use comfy_table::Table;
use glovebox_cell::{Layer, LayerState, probe, supervise};
use glovebox_policies::Catalog;
use glovebox_runner::{Wanted, run_one};
use glovebox_schemas::job::Job;
use glovebox_schemas::result::Status;

use crate::args::DoctorArgs;
use crate::isolation;
use crate::report::{HOST, print, table};
use crate::version::versions;

/// Trial programs of the languages that have one.
const TRIALS: [(&str, &str); 2] = [("python", "print('ok')"), ("nodejs", "console.log('ok')")];

/// Runs the command: 0 when jobs can be run here, 5 otherwise.
pub(crate) fn run(args: DoctorArgs) -> ExitCode {
    try_run(&args).unwrap_or_else(|code| code)
}

fn try_run(args: &DoctorArgs) -> Result<ExitCode, ExitCode> {
    let catalog = isolation::catalog()?;
    print(format!("{}\n\n{}\n\n", layers(&probe()), languages(&catalog)).as_bytes());
    let trial = TRIALS.into_iter().find(|(language, _)| {
        catalog
            .find(language)
            .is_some_and(|profile| profile.absent().is_none())
    });
    let Some((language, code)) = trial else {
        print(b"No trial: no interpreter is installed.\n");
        return Err(ExitCode::from(HOST));
    };
    let mut job = Job::new(language);
    job.code = Some(code.to_owned());
    let (languages, config) = isolation::warden(catalog, &Wanted::Job(&job), 1, &args.isolation)?;
    let code = supervise(&config, move |link| {
        let echo = Arc::new(|_: &'static str, _: &[u8]| {});
        match run_one(link, languages, 1, job.to_wire_json(), echo) {
            Ok((result, _)) if result.status == Status::Succeeded => {
                let took = result.times.setup_ms.unwrap_or_default();
                let line =
                    format!("Trial: a {language} job ran; its cell took {took} ms to set up.\n");
                print(line.as_bytes());
                0
            }
            Ok((result, _)) => {
                let why = result.error.map_or(String::new(), |error| {
                    format!(": {}\n  mend: {}", error.message, error.hint)
                });
                print(
                    format!(
                        "Trial: a {language} job was {}{why}\n{}",
                        result.status, result.stderr
                    )
                    .as_bytes(),
                );
                i32::from(HOST)
            }
            Err(error) => i32::from(isolation::fail_embedded(&error)),
        }
    })
    .map_err(|error| isolation::fail_supervise(&error))?;
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(HOST)))
}

fn layers(layers: &[Layer]) -> Table {
    let mut table = table(["layer", "here", "detail", "mend"]);
    for layer in layers {
        let state = match layer.state {
            LayerState::Full => "full",
            LayerState::Weaker => "weaker",
            LayerState::Missing => "missing",
        };
        table.add_row([layer.name.as_str(), state, &layer.detail, &layer.mend]);
    }
    table
}

fn languages(catalog: &Catalog) -> Table {
    let mut table = table(["language", "here", "detail", "mend"]);
    for (profile, version) in catalog.profiles().iter().zip(versions(catalog)) {
        match profile.absent() {
            None => {
                let detail = version.unwrap_or_else(|| "does not tell its version".to_owned());
                table.add_row([profile.name.as_str(), "present", &detail, ""]);
            }
            Some(absent) => {
                let detail = format!("{} is missing", absent.path.display());
                let mend = format!("apt-get install {}", absent.package);
                table.add_row([profile.name.as_str(), "absent", &detail, &mend]);
            }
        }
    }
    table
}
