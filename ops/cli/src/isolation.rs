//! What every command that makes cells needs: profiles, blueprints and the warden's settings.

use std::path::PathBuf;
use std::process::ExitCode;

use glovebox_cell::{AllowMissing, Layer, LayerState, WardenConfig, WarmConfig};
use glovebox_environments::{Store, StoreError, default_dir};
use glovebox_policies::Catalog;
use glovebox_runner::{EmbeddedError, Environment, Languages, LaunchError, Wanted, prepare};

use crate::args::{IsolationArgs, LayerArg, ProgramArgs};
use crate::program;
use crate::report::{HOST, USAGE, fail, note};

/// The built-in profiles with those of `GLOVEBOX_POLICIES` laid over them.
pub(crate) fn catalog() -> Result<Catalog, ExitCode> {
    let dir = std::env::var_os("GLOVEBOX_POLICIES").map(PathBuf::from);
    Catalog::load(dir.as_deref()).map_err(|error| fail(USAGE, &error, ""))
}

/// What of them the program may need; all of them where that can't be told, or there is none.
pub(crate) fn catalog_for(args: &ProgramArgs) -> Result<Catalog, ExitCode> {
    let dir = std::env::var_os("GLOVEBOX_POLICIES").map(PathBuf::from);
    let Some(program) = program::known(args) else {
        return catalog();
    };
    match Catalog::load_for(dir.as_deref(), program) {
        Ok(found) if found.find_for(program).is_some() => Ok(found),
        _ => catalog(),
    }
}

/// Compiles the profiles that are wanted, and decides what the warden is started with.
pub(crate) fn warden(
    catalog: Catalog,
    wanted: &Wanted<'_>,
    slots: u16,
    args: &IsolationArgs,
) -> Result<(Languages, WardenConfig), ExitCode> {
    let (languages, blueprints) =
        prepare(catalog, environments()?, wanted).map_err(|error| fail(USAGE, &error, ""))?;
    let config = WardenConfig {
        blueprints,
        slots,
        uid_base: uid_base()?,
        allow_missing: AllowMissing {
            cgroup: args.allow_missing.contains(&LayerArg::Cgroup),
            landlock: args.allow_missing.contains(&LayerArg::Landlock),
        },
        warm: WarmConfig::default(),
    };
    Ok((languages, config))
}

/// The environments that are installed here. Their files stay where they are until this process ends, even if
/// others take their names away meanwhile: running jobs see them.
pub(crate) fn environments() -> Result<Vec<Environment>, ExitCode> {
    let Some(dir) = default_dir() else {
        return Ok(Vec::new());
    };
    let failed = |error: StoreError| fail(HOST, &error, &error.mend());
    let Some(store) = Store::open_if_present(&dir).map_err(failed)? else {
        return Ok(Vec::new());
    };
    let held = store.hold_all().map_err(failed)?;
    Ok(held
        .into_iter()
        .map(|(installed, hold)| {
            std::mem::forget(hold);
            Environment {
                language: installed.language,
                name: installed.name,
                folder: installed.folder,
            }
        })
        .collect())
}

fn uid_base() -> Result<Option<u32>, ExitCode> {
    let Ok(text) = std::env::var("GLOVEBOX_UID_BASE") else {
        return Ok(None);
    };
    match text.parse() {
        // 0 would make the runner root, and the highest stand for "no change".
        Ok(base) if (1000..u32::MAX - 2048).contains(&base) => Ok(Some(base)),
        _ => {
            note("GLOVEBOX_UID_BASE is not a number from 1000 to 4294965246");
            Err(ExitCode::from(USAGE))
        }
    }
}

/// Says which layers are weaker than they could be.
pub(crate) fn note_weaknesses(layers: &[Layer]) {
    for layer in layers
        .iter()
        .filter(|layer| layer.state != LayerState::Full)
    {
        let how = match layer.state {
            LayerState::Missing => "is missing",
            _ => "is weaker",
        };
        note(&format!(
            "the layer {} {how}: {} ({})",
            layer.name, layer.detail, layer.mend
        ));
    }
}

/// No result can be had of a job that was to run here; gives the exit code.
pub(crate) fn fail_embedded(error: &EmbeddedError) -> u8 {
    match error {
        EmbeddedError::Launch(error) => fail_launch(error),
        error => fail(HOST, error, ""),
    };
    HOST
}

/// A process of ours could not be made.
pub(crate) fn fail_supervise(error: &std::io::Error) -> ExitCode {
    fail(HOST, error, "free processes or memory on the host")
}

/// No cell can be had.
pub(crate) fn fail_launch(error: &LaunchError) -> ExitCode {
    let mend = match error {
        LaunchError::Unable { mend, .. } => mend.clone(),
        LaunchError::Step { step, .. } => step.mend().to_owned(),
        _ => "run `glovebox doctor`".to_owned(),
    };
    fail(HOST, error, &mend)
}
