//! The smallest session there is, from end to end: that everything is started, measured, ended and written. What is
//! measured is not looked at, since a test may run on a busy machine.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// A session of two programs, neither of which needs packages from elsewhere.
fn session(out: &Path) -> Value {
    let ended = Command::new(env!("CARGO_BIN_EXE_glovebox-bench"))
        .args(["--smallest", "--programs", "true,python", "--seed", "7"])
        .arg("--out")
        .arg(out)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{said}");
    assert!(said.contains("--seed 7"), "{said}");
    let json = std::fs::read(out.join("session.json")).unwrap();
    serde_json::from_slice(&json).unwrap()
}

#[test]
fn a_session_measures_every_way_and_writes_every_file() {
    let out = tempfile::tempdir().unwrap();
    let report = session(out.path());
    let points = report["points"].as_array().unwrap();
    let rate = |program: &str, way: &str, in_flight: u64| {
        let is_meant = |point: &&Value| {
            point["program"] == program && point["way"] == way && point["in_flight"] == in_flight
        };
        points.iter().find(is_meant)?["per_s"].as_f64()
    };
    for way in ["bare", "cold", "warm", "queue-cold", "queue-warm"] {
        for in_flight in [1, 2] {
            let rate = rate("python", way, in_flight);
            assert!(rate.is_some_and(|rate| rate > 0.0), "{way}: {rate:?}");
        }
    }
    // A program of a profile that keeps nothing warm.
    assert!(rate("true", "cold", 1).is_some() && rate("true", "warm", 1).is_none());
    // What is installed of the others is measured; what is not is named.
    for jail in ["bubblewrap", "minijail", "nsjail", "crun"] {
        let absent = report["absent"].as_array().unwrap().iter();
        let is_named = absent
            .filter_map(Value::as_str)
            .any(|said| said.starts_with(jail));
        assert!(
            rate("python", jail, 1).is_some() != is_named,
            "{jail}: {report:#}"
        );
    }
    let goals = report["goals"].as_array().unwrap();
    assert_eq!(goals.len(), 10);
    // Node is not in this session, and a goal that was not measured is not met.
    let node = goals
        .iter()
        .filter(|goal| goal["what"].as_str().unwrap().contains("Node"));
    assert!(node.clone().count() == 2 && node.into_iter().all(|goal| goal["met"] == false));
    assert_eq!(report["cpu"].as_array().unwrap().len(), 3);
    assert!(report["memory"]["job_kib"].as_f64().unwrap() > 0.0);
    let table = std::fs::read_to_string(out.path().join("session.md")).unwrap();
    assert!(table.contains("whole way, warm"), "{table}");
    for plot in ["python.svg", "true.svg", "cpu.svg"] {
        let plot = std::fs::read_to_string(out.path().join(plot)).unwrap();
        assert!(
            plot.starts_with("<svg") && plot.contains("whole way, warm"),
            "{plot}"
        );
    }
}
