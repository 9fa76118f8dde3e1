//! Ordinary programs work: no call is refused, nothing is said on stderr, and each prints `ok`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use glovebox_tests::run::Run;
use serde_json::json;

fn works(language: &str, name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("ordinary")
        .join(name);
    let code = fs::read_to_string(path).unwrap();
    let profile = match language {
        "python" => "python",
        _ => "nodejs",
    };
    Run::new(language)
        .with("code", code)
        .result()
        .expect(json!({"stdout": "ok\n", "profile": profile}));
}

macro_rules! works {
    ($($language:ident: $($name:ident)*;)*) => {
        $($(
            #[test]
            fn $name() {
                works(stringify!($language), concat!(stringify!($name), works!(@ $language)));
            }
        )*)*

        #[test]
        fn none_is_left_out() {
            let mut names: Vec<_> = [$($(concat!(stringify!($name), works!(@ $language))),*),*].into();
            names.sort_unstable();
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("ordinary");
            let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
            let mut found: Vec<_> = entries.map(|name| name.into_string().unwrap()).collect();
            found.sort_unstable();
            assert_eq!(names, found);
            assert!(names.len() >= 40);
        }
    };
    (@ python) => { ".py" };
    (@ nodejs) => { ".js" };
}

works! {
    python:
        archives asyncio_signals asyncio_subprocess asyncio_tasks asyncio_unix_server big_stack_threads
        children_inherit clocks ctypes_calls fifo file_trees generators_and_recursion hashes_and_secrets imports
        job_control limits_of_its_own locales manager mapped_files multiprocessing_queue multiprocessing_spawn
        numbers_and_text posix_locks process_pool shared_memory shell_tools signals sockets sqlite
        sqlite_two_processes ssl_contexts standard_input subprocess_pipeline temporary_files thread_pool threads
        time_zones unittest_run waiting who_am_i;
    nodejs:
        node_child_processes node_crypto node_files node_hot_loop node_intl node_local_server
        node_modules_of_its_own node_process node_signals node_streams node_timers node_vm node_wasm
        node_worker_threads node_zlib;
}
