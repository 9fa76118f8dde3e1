//! Every probe is held, and every call that was refused is named.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![cfg(target_arch = "x86_64")]

use glovebox_tests::bait::Bait;
use glovebox_tests::probe::{area, areas, probe};

/// Runs the probes of one area one after the other and tells of all that are not held.
fn hold(name: &str) {
    let mut bait = Bait::new();
    let mut broken = Vec::new();
    for probe in area(name) {
        let outcome = probe.job(&bait, false).result();
        let faults = probe.faults(&outcome, &mut bait);
        if !faults.is_empty() {
            broken.push(format!("{}: {}", probe.name, faults.join("; ")));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

macro_rules! hold {
    ($($area:ident)*) => {
        $(
            #[test]
            fn $area() {
                hold(stringify!($area));
            }
        )*

        #[test]
        fn no_area_is_left_out() {
            assert_eq!(areas(), [$(stringify!($area)),*]);
        }
    };
}

hold! {
    capabilities cgroups descriptors devices files ipc kernel keyrings mounts namespaces network node proc
    processes terminal
}

#[test]
fn there_are_many_and_each_says_what_it_tries() {
    let probes: Vec<_> = areas().iter().flat_map(|name| area(name)).collect();
    assert!(probes.len() >= 100, "{} probes", probes.len());
    for probe in probes {
        assert!(probe.code.contains("Held by"), "{}", probe.name);
    }
}

#[test]
fn one_that_says_nothing_is_not_held() {
    let mut bait = Bait::new();
    let mut silent = probe("files/shadow.py");
    silent.code = "print('CONTAINED', end='')\nraise SystemExit(1)".to_owned();
    let outcome = silent.job(&bait, false).result();
    assert!(!silent.faults(&outcome, &mut bait).is_empty());
}
