//! What a slot keeps from one job for the next, and from whoever started the runner: nothing, even of what only a profile
//! of the operator's own lets a job do, and whether the job starts cold or was kept warm.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use glovebox_schemas::result::{Limit, Status};
use glovebox_tests::policies::{POLICIES, Policies};
use glovebox_tests::processes::Process;
use glovebox_tests::warm::{Line, Start};
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_warm");

fn python(code: &str) -> Value {
    json!({"id": "test", "language": "python", "code": code})
}

/// No process need hold any of these, and the uid of the slot's next job is the same. (POSIX queues no profile can allow:
/// Landlock knows no folder that they are in. Keys neither: `dangerous.toml`.)
#[test]
fn shared_memory_semaphores_and_queues_go_with_their_job() {
    let soils = "
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
CREATE = 0o1600
made = [libc.shmget(7, 4096, CREATE), libc.semget(7, 1, CREATE), libc.msgget(7, CREATE)]
print(sum(one >= 0 for one in made), sum(len(open(f'/proc/sysvipc/{kind}').readlines()) - 1 for kind in ('shm', 'sem', 'msg')))
";
    let looks = "
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
found = [libc.shmget(7, 0, 0), libc.semget(7, 0, 0), libc.msgget(7, 0)]
print(sum(one >= 0 for one in found), sum(len(open(f'/proc/sysvipc/{kind}').readlines()) - 1 for kind in ('shm', 'sem', 'msg')))
";
    let allow = "[syscalls]\nallow = [\"shmget\", \"semget\", \"msgget\"]\n\n[env]\n";
    let policies = Policies::changed("python", &[("[env]\n", allow)]);
    for start in [Start::Cold, Start::Warm] {
        let mut line = Line::with(BINARY, start, &[(POLICIES, policies.path())]);
        for (code, wanted) in [(soils, "3 3\n"), (looks, "0 0\n"), (soils, "3 3\n")] {
            let answer = line.run(&python(code));
            assert_eq!(answer.warm, start == Start::Warm);
            assert_eq!(
                answer.result.stdout, wanted,
                "{start:?}: {:#}",
                answer.document
            );
        }
    }
}

/// The counters that tell of it are the slot's group's, or are made anew.
#[test]
fn what_ends_one_job_does_not_end_the_next() {
    let bomb = "x = []\nwhile True: x.append(bytearray(1 << 20))";
    let forks = "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass";
    let fills = "f = open('x', 'wb')\nwhile True: f.write(bytes(1 << 16))";
    for start in [Start::Cold, Start::Warm] {
        let mut line = Line::start(BINARY, start);
        for (code, limits, limit) in [
            (bomb, json!({"memory_bytes": 64 << 20}), Limit::Memory),
            (forks, json!({"processes": 16}), Limit::Processes),
            ("while True: pass", json!({"cpu_ms": 100}), Limit::CpuTime),
            (fills, json!({"disk_bytes": 4 << 20}), Limit::Disk),
        ] {
            let mut job = python(code);
            job["limits"] = limits;
            let answer = line.run(&job);
            assert_eq!(
                answer.result.limit,
                Some(limit),
                "{start:?}: {:#}",
                answer.document
            );
            let next = line.run(&python(
                "import os\nos.wait() if os.fork() == 0 else print(1)",
            ));
            let told = (next.result.status, next.result.stdout.as_str(), next.warm);
            let wanted = (Status::Succeeded, "1\n", start == Start::Warm);
            assert_eq!(
                told, wanted,
                "{start:?} after {limit:?}: {:#}",
                next.document
            );
        }
    }
}

/// Groups have survived a change of uid in other runners.
#[test]
fn no_group_of_whoever_started_the_runner_comes_along() {
    let asks = "import os\nprint(os.getgroups())";
    for (language, start) in [
        ("python", Start::Cold),
        ("python", Start::Warm),
        ("nodejs", Start::Warm),
    ] {
        let variables = [("WARM_LANGUAGE", language)];
        let through = ["setpriv", "--groups", "4,27"];
        let mut line = Line::through(&through, BINARY, start, &variables);
        let code = match language {
            "python" => asks,
            _ => "console.log(JSON.stringify(process.getgroups()))",
        };
        let answer = line.run(&json!({"id": "test", "language": language, "code": code}));
        assert_eq!(answer.warm, start == Start::Warm);
        // Node counts the group that every process has.
        let groups: Vec<u32> = serde_json::from_str(&answer.result.stdout).unwrap();
        assert!(groups.iter().all(|group| *group >= 1 << 30), "{groups:?}");

        // The next is on its way to be there.
        while start == Start::Warm && line.waiting().is_empty() {
            std::thread::yield_now();
        }
        let supervisor = line.process();
        assert_eq!(
            supervisor.status("Groups").unwrap(),
            "4 27",
            "the test sees them"
        );
        let mut of_ours = 0;
        for process in all(supervisor) {
            let ids = process.status("Uid").unwrap_or_default();
            let is_ours = |id: &str| id.parse::<u32>().is_ok_and(|id| id >= 1 << 30);
            if ids.split_whitespace().all(is_ours)
                // One that has ended meanwhile has no groups.
                && let Ok(groups) = process.status("Groups")
            {
                assert_eq!(groups, "", "{process:?} {:?}", process.name());
                of_ours += 1;
            }
        }
        // The worker at least, and what is kept warm.
        assert!(of_ours > usize::from(start == Start::Warm), "{of_ours}");
    }
}

/// Those that `ops/lib/vm/units/glovebox-runner.service` has, and no more: not CAP_SYS_PTRACE.
#[test]
fn a_hardened_service_keeps_warm_what_root_does() {
    let unit = include_str!("../../ops/lib/vm/units/glovebox-runner.service");
    let line = unit
        .lines()
        .find_map(|line| line.strip_prefix("CapabilityBoundingSet="));
    let names = line.unwrap().replace("CAP_", "+").to_lowercase();
    let bounding = format!("--bounding-set=-all,{}", names.replace(' ', ","));
    let through = [
        "setpriv",
        "--no-new-privs",
        "--inh-caps=-all",
        bounding.as_str(),
    ];
    let mut line = Line::through(&through, BINARY, Start::Warm, &[]);
    line.until_warm();
}

/// All that come from it.
fn all(process: Process) -> Vec<Process> {
    let mut all = vec![process];
    let mut next = 0;
    while let Some(one) = all.get(next) {
        all.extend(one.children().unwrap());
        next += 1;
    }
    all
}
