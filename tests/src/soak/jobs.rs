//! The jobs of a soak: what each manner of job is as a document, and how it may end.
//!
//! Must be cheap: what a soak tries is not the interpreter.

use std::time::Duration;

use glovebox_schemas::job::{Job, JobId, Network};
use glovebox_schemas::result::Status;
use jiff::Timestamp;

use super::ledger::Entry;
use super::plan::Manner;
use crate::site::Site;

/// Tells the site again and again that it runs: which job, and which execution of it.
const EFFECTS: &str = "
import os, socket, sys, time
run = os.urandom(4).hex()
for _ in range(int(TIMES)):
    door = socket.create_connection(('127.0.0.1', 3128))
    door.sendall(f'GET http://HOST:PORT/{sys.argv[1]}/{run} HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n'.encode())
    while door.recv(4096): pass
    door.close()
    time.sleep(0.15)
";
/// Takes the job's id for its process's name (prctl(2), `PR_SET_NAME`), by which it is found: the command line of one
/// that was kept warm is that of its template.
const WAITS: &str = "
import ctypes, sys, time
ctypes.CDLL(None).prctl(15, sys.argv[1].encode())
time.sleep(50)";

/// A job of a soak. `seconds` is how long most of them work.
pub(super) fn job(id: JobId, manner: Manner, seconds: f64, site: &Site) -> Job {
    let steps = |seconds: f64| format!("{:.0}", (seconds / 0.16).max(2.0));
    let effects = |seconds| {
        EFFECTS
            .replace("TIMES", &steps(seconds))
            .replace("HOST:PORT", &site.place())
    };
    let (language, code) = match manner {
        Manner::Python => ("python", format!("import time\ntime.sleep({seconds})")),
        Manner::Fails => ("bash", format!("sleep {seconds}; exit 3")),
        Manner::Effects => ("python", effects(seconds)),
        Manner::Long => ("python", effects(6.0)),
        Manner::Deadly => ("python", WAITS.to_owned()),
        _ => ("bash", format!("sleep {seconds}")),
    };
    let mut job = Job::new(language);
    job.args = vec![id.to_string()];
    job.id = id;
    job.code = Some(code);
    job.limits.wall_ms = Some(60_000);
    if matches!(manner, Manner::Effects | Manner::Long) {
        job.network = Network::Proxy;
    }
    if let Manner::Expires(ms) = manner {
        job.expires_at = Some(Timestamp::now() + Duration::from_millis(ms));
    }
    job
}

/// What is expected of it.
pub(super) fn entry(manner: Manner) -> Entry {
    let may_end = match manner {
        Manner::Fails => vec![Status::Failed],
        Manner::Cancelled(_) => vec![Status::Cancelled, Status::Succeeded],
        Manner::Expires(_) => vec![Status::Expired, Status::Succeeded],
        Manner::Deadly => vec![Status::Error],
        _ => vec![Status::Succeeded],
    };
    Entry {
        may_end,
        is_deadly: manner == Manner::Deadly,
        ..Entry::default()
    }
}
