//! Environments from the command line to the job: built through the gate, used by programs, and gone when they fail.
//!
//! What is large is built once and kept beside the binary, for all of these tests and for their next run.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};

use glovebox_schemas::result::Status;
use glovebox_tests::cli::{Cli, Ended};
use glovebox_tests::glovebox_bin;
use glovebox_tests::run::{Outcome, Run};
use glovebox_tests::warm::{Line, Start};
use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The test's own server. Not 127.0.0.1: that is the cell itself for a program that asks a proxy for the rest.
const OUTSIDE: &str = "127.0.0.2";
const STORE: &str = "GLOVEBOX_ENVIRONMENTS";
const SCIENCE: &str = "numpy\npandas\nrequests\npillow\nmatplotlib\n";
const TINY: &str = r#"{"dependencies": {"is-number": "7.0.0", "ms": "2.1.3"}}"#;

fn glovebox(store: &Path, args: &[&str]) -> Cli {
    Cli::new(args).env(STORE, store.to_str().unwrap())
}

fn build(store: &Path, name: &str, language: &str, manifest: (&str, &str)) -> Ended {
    let args = ["env", "build", name, "--language", language, "--json"];
    let cli = glovebox(store, &args).file(manifest.0, manifest.1);
    cli.spawn().finish()
}

fn list(store: &Path) -> Vec<Value> {
    let listed = glovebox(store, &["env", "list", "--json"]);
    let listed = listed.spawn().finish();
    assert_eq!(listed.code(), 0, "{listed}");
    serde_json::from_slice(listed.stdout()).unwrap()
}

/// The store that the tests share, with this environment in it. Built by the first that asks; the others wait.
fn shared(name: &str, language: &str, manifest: (&str, &str)) -> PathBuf {
    let store = glovebox_bin().unwrap().with_file_name("environments");
    let lock = File::create(store.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    let is_there = |one: &Value| {
        (&one["language"], &one["name"], &one["manifest"])
            == (&json!(language), &json!(name), &json!(manifest.1))
    };
    if !list(&store).iter().any(is_there) {
        let built = build(&store, name, language, manifest);
        assert_eq!(built.code(), 0, "{built}");
    }
    store
}

fn science(code: &str) -> Run {
    let store = shared("science", "python", ("requirements.txt", SCIENCE));
    Run::python(code)
        .with("profile", "python:science")
        .variable(STORE, store.to_str().unwrap())
}

fn tiny(code: &str) -> Run {
    let store = shared("tiny", "nodejs", ("package.json", TINY));
    Run::node(code)
        .with("profile", "nodejs:tiny")
        .variable(STORE, store.to_str().unwrap())
}

/// It ran to its end and printed this.
fn printed(outcome: &Outcome, expected: &str) {
    let result = &outcome.result;
    assert_eq!(result.status, Status::Succeeded, "{result:?}");
    assert_eq!(result.stdout, expected, "{result:?}");
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect()
}

// ---- python

#[test]
fn numpy_computes() {
    let run = science("import numpy as np\nprint(np.linalg.solve([[2.0, 0], [0, 4]], [2, 4]))");
    printed(&run.result(), "[1. 1.]\n");
}

/// Preloaded, and forked: what it draws must not be what another job draws.
#[test]
fn numpy_in_a_warm_cell_is_as_in_a_cold_one() {
    let store = shared("science", "python", ("requirements.txt", SCIENCE));
    let policies = tempfile::tempdir().unwrap();
    fs::create_dir(policies.path().join("profiles")).unwrap();
    let profile = include_str!("../../policies/profiles/python.toml");
    let warm = "[warm]\nenvironments = { science = [\"numpy\", \"pandas\"] }\n";
    let profile = profile.replace("[warm]\n", warm);
    fs::write(policies.path().join("profiles/python.toml"), profile).unwrap();
    let variables = [
        (STORE, store.to_str().unwrap()),
        ("GLOVEBOX_POLICIES", policies.path().to_str().unwrap()),
        ("WARM_PROFILE", "python:science"),
    ];
    let [mut warm, mut cold] = [Start::Warm, Start::Cold]
        .map(|start| Line::with(env!("CARGO_BIN_EXE_warm"), start, &variables));
    let job = |code: &str| json!({"id": "test", "language": "python", "profile": "python:science", "code": code});
    let draws = "import numpy as np\nprint(np.random.rand(), np.random.default_rng().random(), np.random.RandomState().rand())";
    let mut drawn = HashSet::new();
    for _ in 0..5 {
        let answer = warm.run(&job(draws));
        assert!(answer.warm, "{:#}", answer.document);
        for number in answer.result.stdout.split_whitespace() {
            assert!(drawn.insert(number.to_owned()), "{number} twice");
        }
    }
    assert_eq!(drawn.len(), 15);
    for code in [
        "import numpy as np\nnp.random.seed(1)\nprint(np.random.rand(), np.random.default_rng(1).random(), np.get_printoptions())",
        "import numpy as np\nprint(np.linalg.inv(np.eye(300) * 2).sum(), np.geterr(), np.show_config.__module__)",
        "import pandas as pd\nframe = pd.DataFrame({'a': [1, 2], 'b': ['x', None]})\nprint(frame.describe(), frame.groupby('a').count())",
        "import numpy as np\nnp.array([1, 2]).reshape(3)",
        "import numpy as np\nprint(np.float64(1) / 0)",
        "import multiprocessing as m, numpy as np\nif __name__ == '__main__':\n    with m.Pool(2) as pool: print(pool.map(np.sqrt, [1, 4]))",
        "import sys\nprint(sys.argv, sys.path, sys.prefix, sys.executable, sys.flags)",
    ] {
        let [one, other] = [warm.run(&job(code)), cold.run(&job(code))];
        assert_eq!((one.warm, other.warm), (true, false));
        assert_eq!(one.normalised(), other.normalised());
    }
}

#[test]
fn the_command_line_names_an_environment() {
    let store = shared("science", "python", ("requirements.txt", SCIENCE));
    let args = ["run", "--profile", "python:science", "main.py"];
    let cli = glovebox(&store, &args).file("main.py", "import numpy; print(numpy.arange(3))");
    let ended = cli.spawn().finish();
    assert_eq!(ended.stdout_text(), "[0 1 2]\n", "{ended}");
}

#[test]
fn pandas_reads_and_groups() {
    let run = science(
        "import io, pandas as pd\n\
         table = pd.read_csv(io.StringIO('k,v\\na,1\\nb,2\\na,3\\n'))\n\
         print(table.groupby('k').v.sum().to_dict())",
    );
    printed(&run.result(), "{'a': 4, 'b': 2}\n");
}

#[test]
fn pillow_draws_and_reads_back() {
    let run = science(
        "from PIL import Image\n\
         Image.new('RGB', (8, 6), (1, 2, 3)).save('i.png')\n\
         again = Image.open('i.png'); print(again.size, again.getpixel((7, 5)))",
    );
    printed(&run.result(), "(8, 6) (1, 2, 3)\n");
}

#[test]
fn matplotlibs_picture_comes_back() {
    let run = science(
        "import matplotlib.pyplot as plt\nplt.plot([1, 3, 2]); plt.title('α'); plt.savefig('plot.png')",
    );
    let outcome = run.with("outputs", json!(["*.png"])).result();
    printed(&outcome, "");
    let [file] = outcome.result.files.as_slice() else {
        panic!("{:?}", outcome.result);
    };
    assert_eq!(file.path, "plot.png");
    assert!(file.size > 1_000);
    // The first eight bytes of every PNG, in base64.
    assert!(file.content.starts_with("iVBORw0KGgo"));
}

#[test]
fn requests_reaches_what_the_policy_opens() {
    let server = TcpListener::bind((OUTSIDE, 0)).unwrap();
    let port = server.local_addr().unwrap().port();
    let policies = policies_that_open(port);
    let code = format!(
        "import requests\nanswer = requests.get('http://{OUTSIDE}:{port}/x')\nprint(answer.status_code, answer.text)"
    );
    let run = science(&code)
        .with("network", "proxy")
        .variable("GLOVEBOX_POLICIES", policies.path().to_str().unwrap());
    let outcome = std::thread::scope(|scope| {
        scope.spawn(|| answer_one(&server));
        let outcome = run.result();
        // If nothing came, this is what the server waits for.
        drop(TcpStream::connect(server.local_addr().unwrap()));
        outcome
    });
    printed(&outcome, "200 from outside\n");
}

/// The shipped policy, with one more place to reach.
fn policies_that_open(port: u16) -> TempDir {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies/profiles/python.toml");
    let shipped = fs::read_to_string(shipped).unwrap();
    let opened = shipped.replace(
        "ports = [80, 443]",
        &format!("ports = [{port}]\nintranet = [\"{OUTSIDE}\"]"),
    );
    assert_ne!(opened, shipped);
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("profiles")).unwrap();
    fs::write(folder.path().join("profiles/python.toml"), opened).unwrap();
    folder
}

fn answer_one(server: &TcpListener) {
    let (mut stream, _) = server.accept().unwrap();
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    while lines
        .next()
        .is_some_and(|line| line.is_ok_and(|line| !line.is_empty()))
    {}
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\nConnection: close\r\n\r\n";
    // Nobody is there if the job never came.
    write!(stream, "{head}from outside").unwrap_or_default();
}

#[test]
fn a_job_can_change_nothing_of_its_environment() {
    let run = science(
        "import os, numpy\n\
         def tried(what, *args):\n\
         \x20   try: what(*args); return 'done'\n\
         \x20   except OSError as error: return os.strerror(error.errno)\n\
         path = numpy.__file__\n\
         print(tried(open, '/env/x', 'w'), tried(open, path, 'a'), tried(os.unlink, path), tried(os.chmod, path, 0o666))",
    );
    let outcome = run.result();
    assert_eq!(outcome.result.status, Status::Succeeded);
    assert!(
        !outcome.result.stdout.contains("done"),
        "{:?}",
        outcome.result
    );
    assert!(outcome.result.stdout.contains("Read-only file system"));
}

// ---- nodejs

#[test]
fn npms_packages_are_required() {
    let run = tiny("console.log(require('is-number')('5'), require('ms')('1h'))");
    printed(&run.result(), "true 3600000\n");
}

#[test]
fn npms_packages_are_imported() {
    let run = tiny(
        "import isNumber from 'is-number'; import ms from 'ms'; console.log(isNumber('x'), ms('2s'));",
    );
    printed(&run.result(), "false 2000\n");
}

// ---- the store

#[test]
fn the_same_packages_are_one_tree_that_goes_with_its_last_name() {
    let store = TempDir::new().unwrap();
    let store = store.path();
    let made = |name| -> Value {
        let built = build(store, name, "node", ("package.json", TINY));
        assert_eq!(built.code(), 0, "{built}");
        serde_json::from_slice(built.stdout()).unwrap()
    };
    let (one, two) = (made("one"), made("two"));
    assert_eq!(one["id"], two["id"]);
    assert_eq!(
        one["packages"],
        json!([{"name": "is-number", "version": "7.0.0"}, {"name": "ms", "version": "2.1.3"}])
    );
    assert_eq!(list(store), [one.clone(), two]);

    let shown = glovebox(store, &["env", "show", "js:one"]).spawn().finish();
    assert_eq!(shown.code(), 0, "{shown}");
    for part in [
        "nodejs:one",
        "is-number",
        "7.0.0",
        one["id"].as_str().unwrap(),
    ] {
        assert!(shown.stdout_text().contains(part), "{shown}");
    }
    for name in ["nodejs:one", "nodejs:two"] {
        assert!(!names_in(&store.join("content")).is_empty());
        let removed = glovebox(store, &["env", "remove", name]).spawn().finish();
        assert_eq!(removed.code(), 0, "{removed}");
    }
    assert_eq!(names_in(&store.join("content")), [""; 0]);
    let again = glovebox(store, &["env", "remove", "nodejs:one"])
        .spawn()
        .finish();
    assert_eq!(again.code(), 2, "{again}");
}

#[test]
fn a_running_job_keeps_what_was_removed_meanwhile() {
    let store = TempDir::new().unwrap();
    let store = store.path();
    let built = build(store, "one", "nodejs", ("package.json", TINY));
    assert_eq!(built.code(), 0, "{built}");
    let code =
        "process.once('SIGUSR2', () => { console.log(require('ms')('1h')); process.exit(); });
                setInterval(() => {}, 1000); console.log('waits');";
    let job = json!({"language": "nodejs", "profile": "nodejs:one", "code": code});
    let cli = glovebox(store, &["run", "--job", "-"]).stdin(job.to_string());
    let mut running = cli.spawn();
    running.wait_for("waits");
    let removed = glovebox(store, &["env", "remove", "nodejs:one"]);
    let removed = removed.spawn().finish();
    assert_eq!(removed.code(), 0, "{removed}");
    assert!(removed.stderr().contains("stay for now"), "{removed}");
    for pid in running.processes_named("node") {
        kill_process(pid, Signal::USR2).unwrap();
    }
    let ended = running.finish();
    assert_eq!(ended.stdout_text(), "waits\n3600000\n", "{ended}");
    // The next that comes clears away.
    let again = glovebox(store, &["env", "build", "x", "-l", "nodejs"]).file("package.json", "{}");
    assert_eq!(again.spawn().finish().code(), 0);
    assert!(
        names_in(&store.join("content"))
            .iter()
            .all(|name| !name.ends_with(".lock"))
    );
    assert_eq!(list(store).len(), 1);
}

#[test]
fn a_lock_file_beside_package_json_is_obeyed() {
    let store = TempDir::new().unwrap();
    let lock = json!({"name": "x", "lockfileVersion": 3, "requires": true, "packages": {
        "": {"dependencies": {"ms": "^2.0.0"}}, "node_modules/ms": {"version": "2.1.1"}}});
    let args = ["env", "build", "locked", "--language", "nodejs", "--json"];
    let built = glovebox(store.path(), &args)
        .file(
            "package.json",
            r#"{"name": "x", "dependencies": {"ms": "^2.0.0"}}"#,
        )
        .file("package-lock.json", lock.to_string())
        .spawn()
        .finish();
    assert_eq!(built.code(), 0, "{built}");
    let made: Value = serde_json::from_slice(built.stdout()).unwrap();
    assert_eq!(
        made["packages"],
        json!([{"name": "ms", "version": "2.1.1"}])
    );
}

#[test]
fn what_does_not_resolve_is_said_by_the_installer_and_leaves_nothing() {
    let cases = [
        (
            "python",
            ("requirements.txt", "idna==99999\n"),
            "No matching distribution found for idna==99999",
        ),
        (
            "nodejs",
            ("package.json", r#"{"dependencies": {"ms": "99999.0.0"}}"#),
            "No matching version found for ms@99999.0.0",
        ),
    ];
    for (language, manifest, words) in cases {
        let store = TempDir::new().unwrap();
        let built = build(store.path(), "bad", language, manifest);
        assert_eq!(built.code(), 3, "{built}");
        assert_eq!(built.stdout_text(), "");
        assert!(built.stderr().contains(words), "{built}");
        assert!(built.stderr().contains("nothing was kept"), "{built}");
        assert!(!built.stderr().contains("sealing"), "{built}");
        for folder in ["content", "names", "staging"] {
            assert_eq!(names_in(&store.path().join(folder)), [""; 0], "{folder}");
        }
    }
}

#[test]
fn an_installation_that_is_stopped_or_killed_leaves_nothing() {
    let installing = |store: &Path| {
        let args = ["env", "build", "stopped", "--language", "python"];
        let cli = glovebox(store, &args).file("requirements.txt", SCIENCE);
        let running = cli.spawn();
        running.wait_for_processes("python3", 1);
        running
    };
    let left = |store: &Path| {
        ["content", "names", "staging"].map(|folder| names_in(&store.join(folder)).len())
    };
    let store = TempDir::new().unwrap();
    let running = installing(store.path());
    running.signal(Signal::TERM);
    let ended = running.finish();
    assert_eq!(ended.code(), 3, "{ended}");
    assert!(ended.stderr().contains("cancelled"), "{ended}");
    assert_eq!(left(store.path()), [0; 3]);

    installing(store.path()).cut_power();
    assert_eq!(left(store.path()), [0; 3]);
}

#[test]
fn what_is_asked_wrongly_starts_nothing() {
    let cases = [
        (
            ["Data", "--language", "python"],
            "can't name an environment",
        ),
        (
            ["data", "--language", "cobol"],
            "name one of nodejs, python",
        ),
        (["data", "--language", "python"], "requirements.txt"),
    ];
    for (arguments, words) in cases {
        let store = TempDir::new().unwrap();
        let args = [&["env", "build"][..], &arguments].concat();
        let refused = glovebox(store.path(), &args).spawn().finish();
        assert_eq!(refused.code(), 2, "{refused}");
        assert!(refused.stderr().contains(words), "{refused}");
        assert!(refused.stderr().contains("mend:"), "{refused}");
        assert_eq!(names_in(store.path()), [""; 0]);
    }
}

#[test]
fn an_environment_that_is_not_there_is_named_with_those_that_are() {
    let store = shared("tiny", "nodejs", ("package.json", TINY));
    let run = Run::node("").with("profile", "nodejs:tinny");
    let outcome = run.variable(STORE, store.to_str().unwrap()).result();
    assert_eq!(outcome.result.status, Status::Rejected);
    let error = outcome.result.error.unwrap();
    assert_eq!(error.code, "unknown_environment");
    assert!(error.hint.contains("tiny"), "{error:?}");
}
