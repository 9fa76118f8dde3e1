//! `glovebox schemas`: writes the generated JSON Schemas and the gateway's OpenAPI document, which are checked in and compared in CI.

use std::process::ExitCode;

use crate::args::SchemasArgs;
use crate::report::{USAGE, fail, print};

/// Runs the command.
pub(crate) fn run(args: SchemasArgs) -> ExitCode {
    let openapi = (
        "openapi.json",
        glovebox_gateway::openapi_document().to_owned(),
    );
    let schemas = glovebox_schemas::json_schemas().into_iter();
    for (name, text) in schemas.chain([openapi]) {
        let path = args.out.join(name);
        if let Err(error) = std::fs::write(&path, text) {
            let mend = format!("run it in the repository, or make {}", args.out.display());
            return fail(USAGE, &error, &mend);
        }
        print(format!("{}\n", path.display()).as_bytes());
    }
    ExitCode::SUCCESS
}
