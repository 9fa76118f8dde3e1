//! The contract: what a job, a result and a cancellation look like on the wire, and how queues and keys are called.
//!
//! This crate is pure. It must never open a socket, read a file or know how a job is run: clients, runners and the
//! command line all depend on it, so whatever enters here enters everywhere.

pub mod callback;
pub mod codes;
pub mod control;
pub mod encoding;
mod id;
pub mod job;
pub mod language;
pub mod names;
mod read;
mod rejection;
pub mod result;
mod strict;
mod text;
pub mod topology;

use schemars::Schema;
use schemars::generate::SchemaSettings;

/// The JSON Schemas of every document, as `(file name, pretty JSON)`.
///
/// They are checked in under `schemas/json/`; `glovebox schemas` writes them there and a test compares them.
#[must_use]
pub fn json_schemas() -> Vec<(&'static str, String)> {
    vec![
        ("job.v1.json", pretty(&job::json_schema())),
        (
            "result.v1.json",
            pretty(
                &SchemaSettings::draft2020_12()
                    .for_serialize()
                    .into_generator()
                    .into_root_schema_for::<result::JobResult>(),
            ),
        ),
        (
            "callback.v1.json",
            pretty(
                &SchemaSettings::draft2020_12()
                    .for_serialize()
                    .into_generator()
                    .into_root_schema_for::<callback::Notice>(),
            ),
        ),
        (
            "cancel.v1.json",
            pretty(
                &SchemaSettings::draft2020_12()
                    .into_generator()
                    .into_root_schema_for::<control::Cancel>(),
            ),
        ),
        (
            "serve.v1.json",
            pretty(
                &SchemaSettings::draft2020_12()
                    .into_generator()
                    .into_root_schema_for::<control::Serve>(),
            ),
        ),
    ]
}

fn pretty(schema: &Schema) -> String {
    format!("{:#}\n", schema.as_value())
}
