//! `weakened LAYER[,LAYER]`: runs the job document on stdin with these layers left out (or `none`), and
//! prints the result. For the suite that shows what each layer holds.
//!
//! Must never be shipped: it is no part of the product, which has no way to leave a layer out.

use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};
use glovebox_cell::blueprint::RootPath;
use glovebox_cell::{AllowMissing, Blueprint, WardenConfig, WarmConfig, supervise};
use glovebox_policies::Catalog;
use glovebox_runner::{Wanted, prepare, run_one};
use glovebox_schemas::job::Job;

/// What the cell sees of the host when its own root is left out: the same paths at the same places.
const HOST: [&str; 6] = [
    "/etc/shadow",
    "/etc/passwd",
    "/etc/hostname",
    "/root",
    "/sys",
    "/var",
];

fn main() -> anyhow::Result<ExitCode> {
    let layers = std::env::args()
        .nth(1)
        .context("name the layers to leave out")?;
    let mut document = Vec::new();
    std::io::stdin().read_to_end(&mut document)?;
    let job = Job::parse(&document).map_err(|rejection| anyhow!("{rejection:?}"))?;
    let (languages, mut blueprints) =
        prepare(Catalog::load(None)?, Vec::new(), &Wanted::Job(&job))?;
    for blueprint in &mut blueprints {
        for layer in layers.split(',') {
            leave_out(blueprint, layer)?;
        }
    }
    let config = WardenConfig {
        blueprints,
        slots: 1,
        uid_base: None,
        allow_missing: AllowMissing::default(),
        warm: WarmConfig::default(),
    };
    let code = supervise(&config, move |link| {
        let printed = match run_one(link, languages, 1, document, Arc::new(|_, _| {})) {
            Ok((result, _)) => std::io::stdout().write_all(&result.to_json()),
            Err(error) => std::io::stderr().write_all(error.to_string().as_bytes()),
        };
        i32::from(printed.is_err())
    })?;
    Ok(ExitCode::from(u8::try_from(code)?))
}

fn leave_out(blueprint: &mut Blueprint, layer: &str) -> anyhow::Result<()> {
    let without = &mut blueprint.without;
    let field = match layer {
        "none" => return Ok(()),
        "root" => {
            blueprint.root.extend(HOST.map(of_the_host));
            return Ok(());
        }
        "seccomp" => &mut without.seccomp,
        "landlock" => &mut without.landlock,
        "identity" => &mut without.identity,
        "capabilities" => &mut without.capabilities,
        "no_new_privs" => &mut without.no_new_privs,
        "network" => &mut without.network,
        "pid_namespace" => &mut without.pid_namespace,
        "ipc_namespace" => &mut without.ipc_namespace,
        "uts_namespace" => &mut without.uts_namespace,
        "cgroup_namespace" => &mut without.cgroup_namespace,
        "cgroup" => &mut without.cgroup,
        "rlimits" => &mut without.rlimits,
        "descriptors" => &mut without.descriptors,
        "session" => &mut without.session,
        "proc" => &mut without.proc,
        "read_only" => &mut without.read_only,
        "mount_flags" => &mut without.mount_flags,
        _ => bail!("there is no layer {layer:?}"),
    };
    *field = true;
    Ok(())
}

fn of_the_host(path: &str) -> RootPath {
    RootPath {
        host: PathBuf::from(path),
        at: PathBuf::from(path),
        optional: true,
    }
}
