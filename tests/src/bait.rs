//! What a job must not reach: files, a process, sockets, shared memory and a key of the host.
//!
//! All of it belongs to one process in a pid namespace of its own (`programs/bait.py`), which takes it
//! away when it ends; it ends with its stdin, and so with the test. A job is told where things are, and
//! never the secret in them.

use std::io::{BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Map, Value};

const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/programs/bait.py");
/// The shell stays as the namespace's process 1: from there on signals are as everywhere else.
const START: &str =
    "setpriv --bounding-set=-all --inh-caps=-all /usr/bin/python3 -I \"$0\"; exit $?";

/// The bait, for as long as this lives.
#[derive(Debug)]
pub struct Bait {
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    places: Map<String, Value>,
    secret: String,
}

impl Bait {
    /// Lays it out.
    #[must_use]
    pub fn new() -> Bait {
        let secret = format!("bait {}", uuid::Uuid::now_v7().simple());
        let mut child = Command::new("unshare")
            .args(["--pid", "--fork", "sh", "-c", START, PROGRAM])
            .env("BAIT_SECRET", &secret)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Whoever kills the test and its group must not kill what clears up after it.
            .process_group(0)
            .spawn()
            .expect("unshare starts");
        let orders = child.stdin.take();
        let mut answers = BufReader::new(child.stdout.take().expect("a pipe was asked for"));
        let Value::Object(places) = read(&mut answers) else {
            panic!("the bait does not say where it is");
        };
        Bait {
            child,
            orders,
            answers,
            places,
            secret,
        }
    }

    /// Where it is, as variables for a job. Within its own pid namespace its process has another number.
    #[must_use]
    pub fn env(&self, within: bool) -> Map<String, Value> {
        let mut env = Map::new();
        for (name, value) in &self.places {
            let text = value.as_str().map_or(value.to_string(), str::to_owned);
            env.insert(format!("BAIT_{}", name.to_uppercase()), text.into());
        }
        if within {
            let pid = env.get("BAIT_PID_WITHIN").cloned().unwrap_or_default();
            env.insert("BAIT_PID".to_owned(), pid);
        }
        env
    }

    /// What no job may print.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// The words before a command that run it in the bait's pid namespace.
    #[must_use]
    pub fn enter(&self) -> [String; 4] {
        let pid = self.places["pid"].to_string();
        ["nsenter", "--target", &pid, "--pid"].map(str::to_owned)
    }

    /// What was changed or visited so far.
    #[must_use]
    pub fn touched(&mut self) -> Vec<String> {
        let orders = self.orders.as_mut().expect("it is closed only at the end");
        writeln!(orders, "look").expect("the bait lives");
        serde_json::from_value(read(&mut self.answers)).expect("a list of texts")
    }
}

impl Default for Bait {
    fn default() -> Self {
        Self::new()
    }
}

fn read(answers: &mut impl std::io::BufRead) -> Value {
    let mut line = String::new();
    answers.read_line(&mut line).expect("a pipe can be read");
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("the bait said {line:?}: {error}"))
}

impl Drop for Bait {
    fn drop(&mut self) {
        drop(self.orders.take());
        let status = self.child.wait().expect("a child can be waited for");
        assert!(
            status.success() || std::thread::panicking(),
            "the bait could not be taken away: {status}"
        );
    }
}
