//! Every probe of a language that is kept warm is held in a warm cell as it is in a cold one, and every call that was refused is named.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![cfg(target_arch = "x86_64")]

use glovebox_tests::bait::Bait;
use glovebox_tests::probe::{area, areas};
use glovebox_tests::warm::{Line, Start};

#[test]
fn all_of_python_are_held() {
    let count = hold("python", ".py");
    assert!(count >= 100, "{count} probes");
}

#[test]
fn all_of_node_are_held() {
    let count = hold("nodejs", ".js");
    assert!(count >= 5, "{count} probes");
}

/// How many there are.
fn hold(language: &str, ending: &str) -> usize {
    let mut bait = Bait::new();
    let variables = [("WARM_LANGUAGE", language)];
    let mut line = Line::with(env!("CARGO_BIN_EXE_warm"), Start::Warm, &variables);
    let (mut broken, mut count) = (Vec::new(), 0);
    for probe in areas().iter().flat_map(|name| area(name)) {
        if !probe.name.ends_with(ending) {
            continue;
        }
        let job = serde_json::from_str(&probe.job(&bait, false).document()).unwrap();
        let answer = line.run(&job);
        let mut faults = bait.touched();
        faults.extend(probe.broken(&answer.result, bait.secret()));
        if !answer.warm {
            faults.push("it was not warm".to_owned());
        }
        if !faults.is_empty() {
            broken.push(format!("{}: {}", probe.name, faults.join("; ")));
        }
        count += 1;
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    count
}
