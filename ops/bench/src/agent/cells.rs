//! Batches of cells in kept slots, asked for as the runner asks the warden: one supervisor and one warden for the whole
//! session.

use std::collections::{HashMap, VecDeque};
use std::ffi::CString;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, bail, ensure};
use glovebox_cell::protocol::{self, Event, Request};
use glovebox_cell::{
    AllowMissing, Blueprint, Ending, FileSpec, Launch, Limits, Link, WardenConfig, WarmConfig,
    supervise,
};
use glovebox_policies::Catalog;
use glovebox_runner::{Environment, Wanted, prepare};

use super::{Batch, Order, Outset, Starts};
use crate::program::{IN_CELL, Program};
use crate::report::complain;

/// What templates and waiting cells may use: enough for every slot.
const WARM_BYTES: u64 = 4 << 30;
/// With few in flight the next job finds another slot than the last, as in a runner with this many.
const SLOTS_AT_LEAST: usize = 4;

/// Makes the warden, and runs batches in the process beside it.
pub(super) fn run(outset: &Outset, warm: bool) -> anyhow::Result<ExitCode> {
    let programs = outset.programs.clone();
    let blueprints = programs
        .iter()
        .map(|program| blueprint(program, &outset.policies))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let config = WardenConfig {
        blueprints: blueprints.iter().map(|(one, _)| one.clone()).collect(),
        slots: outset.most.max(u16::try_from(SLOTS_AT_LEAST)?),
        uid_base: None,
        allow_missing: AllowMissing::default(),
        warm: WarmConfig {
            libraries: warm.then_some(glovebox_inside::LIBRARIES),
            memory: WARM_BYTES,
            ..WarmConfig::default()
        },
    };
    let code = supervise(&config, move |link| {
        let served = Cells::open(link, programs, blueprints, warm)
            .and_then(|mut cells| super::serve(&mut cells));
        match served {
            Ok(()) => 0,
            Err(error) => {
                complain(&error);
                1
            }
        }
    })?;
    Ok(ExitCode::from(u8::try_from(code)?))
}

/// The only blueprint that the program's job needs, and the limits that it gets.
fn blueprint(program: &Program, policies: &Path) -> anyhow::Result<(Blueprint, Limits)> {
    let of = |name: &String| {
        let packages = program.packages.as_ref()?;
        Some(Environment {
            language: program.language.clone(),
            name: name.clone(),
            folder: packages.folder.clone(),
        })
    };
    let environments = program.environment.iter().filter_map(of).collect();
    let job = program.job("");
    let catalog = Catalog::load(Some(policies))?;
    let absent = || format!("{} has no profile here", program.name);
    let defaults = catalog
        .find(&program.language)
        .with_context(absent)?
        .defaults;
    let limits = Limits {
        wall: defaults.wall,
        cpu: defaults.cpu,
        memory: defaults.memory,
        disk: defaults.disk,
        processes: defaults.processes,
    };
    let (_, blueprints) = prepare(catalog, environments, &Wanted::Job(&job))?;
    let only = blueprints.into_iter().next().with_context(absent)?;
    Ok((only, limits))
}

/// A line to the warden.
struct Cells {
    warden: OwnedFd,
    programs: Vec<Program>,
    blueprints: Vec<(Blueprint, Limits)>,
    warm: bool,
    ticket: u64,
}

/// A cell under way.
struct Running {
    slot: u16,
    begun: Instant,
    /// stdout and stderr.
    output: [File; 2],
}

impl Cells {
    /// Waits until the warden is ready.
    fn open(
        link: Link,
        programs: Vec<Program>,
        blueprints: Vec<(Blueprint, Limits)>,
        warm: bool,
    ) -> anyhow::Result<Cells> {
        let socket = link.into_socket();
        let warden = Link::next_warden(socket.as_fd())?;
        match protocol::receive(warden.as_fd())? {
            Some((Event::Ready { .. }, _)) => {}
            other => bail!("the warden is not ready: {other:?}"),
        }
        Ok(Cells {
            warden,
            programs,
            blueprints,
            warm,
            ticket: 0,
        })
    }

    fn launch(&mut self, number: usize, slot: u16) -> anyhow::Result<Running> {
        let begun = Instant::now();
        let (program, (blueprint, limits)) = (&self.programs[number], &self.blueprints[number]);
        let launch = launch_of(program, blueprint, self.warm)?;
        let launch = Launch {
            blueprint: u16::try_from(number)?,
            limits: *limits,
            ..launch
        };
        self.ticket += 1;
        let content: &[&[u8]] = match self.warm {
            true => &[program.code.as_bytes()],
            false => &[],
        };
        let (memfd, launch_bytes) = protocol::pack(&launch, content)?;
        let stdin = OwnedFd::from(File::open("/dev/null")?);
        let (out, out_end) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
        let (err, err_end) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
        let request = Request::Launch {
            slot,
            ticket: self.ticket,
            launch_bytes,
        };
        let beside = [&stdin, &out_end, &err_end, &memfd].map(AsFd::as_fd);
        protocol::send(self.warden.as_fd(), &request, &beside)?;
        Ok(Running {
            slot,
            begun,
            output: [File::from(out), File::from(err)],
        })
    }

    /// The next cell that has ended, how, and whether it came from a template.
    fn next_ended(&self) -> anyhow::Result<(u64, Ending, bool)> {
        loop {
            let (event, _) =
                protocol::receive(self.warden.as_fd())?.context("the warden is gone")?;
            match event {
                Event::Ended {
                    ticket,
                    evidence,
                    warm,
                } => return Ok((ticket, evidence.ending, warm)),
                Event::Doors { .. } => {}
                Event::Cold { name, reason } => bail!("{name} is not warm: {reason}"),
                other => bail!("no cell: {other:?}"),
            }
        }
    }
}

impl Starts for Cells {
    fn batch(&mut self, order: Order) -> anyhow::Result<Batch> {
        let slots = order.in_flight.max(SLOTS_AT_LEAST);
        let least = if order.warm_up { slots } else { 1 };
        let mut free: VecDeque<u16> = (0..u16::try_from(slots)?).collect();
        let (mut under_way, mut each, mut from_template) = (HashMap::new(), Vec::new(), 0);
        let begun = Instant::now();
        loop {
            let goes_on = each.len() + under_way.len() < least.max(order.in_flight)
                || begun.elapsed() < order.least;
            while goes_on && under_way.len() < order.in_flight {
                let slot = free.pop_front().context("no slot is free")?;
                let running = self.launch(order.program, slot)?;
                under_way.insert(self.ticket, running);
            }
            if under_way.is_empty() {
                break;
            }
            let (ticket, ending, warm) = self.next_ended()?;
            from_template += usize::from(warm);
            let running: Running = under_way.remove(&ticket).context("a cell of nobody's")?;
            let mut output = Vec::new();
            for mut pipe in running.output {
                pipe.read_to_end(&mut output)?;
            }
            each.push(running.begun.elapsed());
            ensure!(
                ending == Ending::Code(0)
                    && output == self.programs[order.program].prints.as_bytes(),
                "the cell ended as {ending:?}: {}",
                String::from_utf8_lossy(&output)
            );
            free.push_back(running.slot);
        }
        Ok(Batch {
            took: begun.elapsed(),
            each,
            warm: from_template,
        })
    }
}

/// What to launch: the command that is also started bare, or the job's program, which can be had warm.
fn launch_of(program: &Program, blueprint: &Blueprint, warm: bool) -> anyhow::Result<Launch> {
    let texts = |all: Vec<String>| all.into_iter().map(CString::new).collect::<Result<_, _>>();
    let cold = Launch {
        blueprint: 0,
        limits: blueprint.ceilings,
        argv: texts(program.argv.clone())?,
        env: texts(program.env(|_| IN_CELL.into()))?,
        files: vec![],
        outputs: vec![],
        outputs_bytes: 0,
        warm: false,
    };
    if !warm {
        return Ok(cold);
    }
    let Some(kept) = &blueprint.warm else {
        bail!("its profile keeps nothing warm");
    };
    let file = FileSpec {
        path: kept.argv.last().context("an empty command")?.clone(),
        size: program.code.len() as u64,
        executable: false,
    };
    let warm = Launch {
        argv: kept.argv.clone(),
        env: kept.env.clone(),
        files: vec![file],
        warm: true,
        ..cold
    };
    Ok(warm)
}
