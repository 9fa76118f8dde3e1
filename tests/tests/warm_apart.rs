//! Two warm jobs share nothing that either could notice: not in what the first left in their slot, not in their
//! randomness, and not through their template; and one that is lost costs time and nothing else.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashSet;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::PathBuf;

use glovebox_tests::probe::{Word, beside, spoke};
use glovebox_tests::processes::Process;
use glovebox_tests::warm::{Line, Start};
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_warm");

fn python(code: &str) -> Value {
    json!({"id": "test", "language": "python", "code": code})
}

/// The program, which must come from a template, and what it printed.
fn printed(line: &mut Line, code: &str) -> String {
    let answer = line.run(&python(code));
    assert!(answer.warm, "{:#}", answer.document);
    assert_eq!(answer.result.stderr, "", "{:#}", answer.document);
    answer.result.stdout
}

#[test]
fn the_next_in_the_slot_finds_nothing_of_the_last() {
    for start in [Start::Cold, Start::Warm] {
        let mut line = Line::start(BINARY, start);
        let probes = beside("leftovers");
        assert!(probes.len() >= 14, "{}", probes.len());
        for probe in probes {
            let mut run = |word: &str| {
                let content = include_str!("../probes/probe.py");
                let mut job = python(&probe.code);
                job["args"] = json!([word]);
                job["files"] = json!([{"path": "probe.py", "content": content}]);
                let answer = line.run(&job);
                assert_eq!(answer.warm, start == Start::Warm, "{}", probe.name);
                answer
            };
            run("leave");
            let found = run("look");
            assert_eq!(
                spoke(&found.result),
                Some(Word::Contained),
                "{start:?}: {}: {:#}",
                probe.name,
                found.document
            );
        }
    }
}

#[test]
fn what_is_soiled_is_soiled_for_nobody_else() {
    let soils = fs::read_to_string(folder("warm/soils.py")).unwrap();
    let looks = fs::read_to_string(folder("warm/looks.py")).unwrap();
    for start in [Start::Cold, Start::Warm] {
        let mut line = Line::start(BINARY, start);
        let mut run = |code: &str| {
            let answer = line.run(&python(code));
            assert_eq!(answer.warm, start == Start::Warm);
            assert_eq!(answer.result.stderr, "", "{:#}", answer.document);
            answer
        };
        let clean = run(&looks);
        for _ in 0..3 {
            assert_eq!(run(&soils).result.stdout, "soiled\n");
            let next = run(&looks);
            assert_eq!(next.result.stdout, clean.result.stdout);
            // Counters of the group, which the one before has driven up.
            let usage = next.result.usage.unwrap();
            assert!(usage.memory_peak_bytes < 50 << 20, "{usage:?}");
            assert!(usage.processes_peak < 4, "{usage:?}");
            assert!(usage.cpu_user_ms + usage.cpu_system_ms < 250.0, "{usage:?}");
        }
    }
}

/// From outside: all that has the uid of a slot's jobs after one that has soiled it.
#[test]
fn nothing_on_the_host_is_the_last_jobs() {
    let soils = fs::read_to_string(folder("warm/soils.py")).unwrap();
    for start in [Start::Cold, Start::Warm] {
        let mut line = Line::start(BINARY, start);
        let uid = line.run(&python("import os\nprint(os.getuid())"));
        let uid = uid.result.stdout.trim().to_owned();
        line.run(&python(&soils));
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Ok(pid) = entry.file_name().to_string_lossy().parse() else {
                continue;
            };
            let (process, is_its) = (Process(pid), |ids: String| ids.starts_with(&uid));
            if process.status("Uid").is_ok_and(is_its) {
                // The one that waits for the next job; or it is on its way to be that.
                let name = process.name().unwrap_or_default();
                assert!(
                    start == Start::Warm && name.starts_with("glovebox-"),
                    "{pid}: {name}"
                );
            }
        }
        for folder in ["/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue", "/run/lock"] {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let owner = entry.metadata().map_or(0, |metadata| metadata.uid());
                assert_ne!(owner.to_string(), uid, "{:?}", entry.path());
            }
        }
    }
}

/// What a template has open, and what a cell that waits: the names that /proc gives to it, by number.
fn open_files(process: Process) -> Vec<(i32, String)> {
    let entries = fs::read_dir(format!("/proc/{}/fd", process.0)).unwrap();
    let mut open: Vec<_> = entries
        .flatten()
        .map(|entry| {
            let target = fs::read_link(entry.path()).unwrap_or_default();
            let kind = target
                .to_string_lossy()
                .split(':')
                .next()
                .unwrap()
                .to_owned();
            (entry.file_name().to_string_lossy().parse().unwrap(), kind)
        })
        .collect();
    open.sort();
    open
}

fn is_found_in(process: Process, wanted: &[u8]) -> bool {
    let maps = fs::read_to_string(format!("/proc/{}/maps", process.0)).unwrap();
    let memory = File::open(format!("/proc/{}/mem", process.0)).unwrap();
    maps.lines().any(|line| {
        let (from, to) = line
            .split_whitespace()
            .next()
            .unwrap()
            .split_once('-')
            .unwrap();
        let number = |text| u64::from_str_radix(text, 16).unwrap();
        let mut bytes = vec![0; usize::try_from(number(to) - number(from)).unwrap()];
        // What has no pages (vvar) can't be read, and holds nothing of ours.
        memory.read_exact_at(&mut bytes, number(from)).is_ok()
            && bytes.windows(wanted.len()).any(|window| window == wanted)
    })
}

#[test]
fn a_template_holds_nothing_of_the_runners_and_shares_nothing() {
    let secret = "of-the-runner-and-nobody-else";
    let mut line = Line::with(BINARY, Start::Warm, &[("GLOVEBOX_SECRET", secret)]);
    line.until_warm();
    let template = line.template().expect("there is a template");
    let waiting = loop {
        if let Some(waiting) = line.waiting().first().copied() {
            break waiting;
        }
        std::thread::yield_now();
    };
    let kinds = |process| -> Vec<String> {
        open_files(process)
            .into_iter()
            .map(|(_, kind)| kind)
            .collect()
    };
    assert_eq!(kinds(template), ["socket", "pipe", "pipe"]);
    assert_eq!(kinds(waiting), ["pipe", "pipe", "pipe", "socket"]);
    // Not even the means that it prints by.
    assert!(
        is_found_in(line.process(), secret.as_bytes()),
        "the test can find it"
    );
    for process in [template, waiting] {
        assert!(!is_found_in(process, secret.as_bytes()), "{process:?}");
        let maps = fs::read_to_string(format!("/proc/{}/maps", process.0)).unwrap();
        let shared = maps
            .lines()
            .find(|line| line.contains("rw-s") || line.contains("-w-s"));
        assert_eq!(shared, None, "{process:?}");
        for (field, value) in [("NoNewPrivs", "1"), ("Seccomp", "2"), ("Groups", "")] {
            assert_eq!(
                process.status(field).unwrap(),
                value,
                "{process:?}: {field}"
            );
        }
        for field in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert_eq!(
                process.status(field).unwrap(),
                "0000000000000000",
                "{process:?}: {field}"
            );
        }
    }
    // The cell's own, which its init made; the user namespace is that of all cells of this kind.
    let init = waiting.parent().unwrap();
    let namespace = |process: Process, name: &str| {
        fs::read_link(format!("/proc/{}/ns/{name}", process.0)).unwrap()
    };
    for name in ["mnt", "pid", "ipc", "uts", "net", "user"] {
        assert_eq!(namespace(waiting, name), namespace(init, name), "{name}");
    }
    for name in ["mnt", "pid", "ipc", "uts", "net", "user", "cgroup"] {
        assert_ne!(
            namespace(waiting, name),
            namespace(template, name),
            "{name}"
        );
    }
    assert_ne!(
        template.status("Uid").unwrap(),
        waiting.status("Uid").unwrap()
    );
}

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

#[test]
fn no_two_jobs_draw_the_same() {
    let code = "
import os, random, secrets, ssl, tempfile, uuid, hashlib, multiprocessing
print(random.random(), random.SystemRandom().random(), random.Random().random())
print(secrets.token_hex(), uuid.uuid4(), uuid.uuid1(), os.urandom(8).hex())
print(ssl.RAND_bytes(8).hex(), tempfile.mktemp(), multiprocessing.current_process().authkey.hex())
";
    let mut line = Line::start(BINARY, Start::Warm);
    let mut seen = HashSet::new();
    for _ in 0..20 {
        for word in printed(&mut line, code).split_whitespace() {
            assert!(seen.insert(word.to_owned()), "{word} twice");
        }
    }
    assert_eq!(seen.len(), 20 * 10);
}
