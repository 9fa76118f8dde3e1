//! The compile step, through the real command: once a job, in a cell of its own, and whatever it makes is the job's doing.
//!
//! Where a test needs a compiler that does as it is told, a profile of the test's runs the job's source as a Bash script.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write;

use glovebox_schemas::result::{JobResult, Limit, Status};
use glovebox_tests::policies::{POLICIES, Policies};
use glovebox_tests::run::Run;
use serde_json::json;

const GCC: &str =
    r#"command = ["/usr/bin/gcc", "-O2", "-std=gnu17", "-o", "program", "{sources}", "-lm"]"#;
const BASH: &str = r#"command = ["/usr/bin/bash", "{entrypoint}"]"#;
const LIBRARIES: &str = r#"include = ["libraries", "#;
const DEBIAN: &str = r#"include = ["debian", "#;

fn c(code: &str) -> Run {
    Run::new("c").with("code", code).limit("wall_ms", 60_000)
}

/// The C profile with a compiler that is a script of the job's, which leaves these files.
fn obedient(artifacts: &str) -> Policies {
    let artifacts = format!("artifacts = {artifacts}");
    let changes = [
        (GCC, BASH),
        (LIBRARIES, DEBIAN),
        ("artifacts = [\"program\"]", &*artifacts),
    ];
    Policies::changed("c", &changes)
}

fn compiled_by(policies: &Policies, script: &str) -> Run {
    c(script).variable(POLICIES, policies.path())
}

// ---- once

#[test]
fn however_many_tests_the_program_is_compiled_once() {
    let policies = obedient("[\"program\"]");
    // A number that no second compilation would draw again.
    let script = r#"echo "compiling"; printf '#!/bin/bash\necho %s; cat' "$SRANDOM$SRANDOM" > program; chmod +x program"#;
    let tests: Vec<_> = (0..3)
        .map(|number| json!({"name": format!("{number}"), "stdin": format!("test {number}")}))
        .collect();
    let result = compiled_by(&policies, script)
        .with("tests", tests)
        .result()
        .result;
    assert_eq!(result.status, Status::Succeeded, "{result:#?}");
    let compile = result.compile.unwrap();
    assert_eq!(
        (compile.status, &*compile.stdout),
        (Status::Succeeded, "compiling\n")
    );
    let said: Vec<_> = result
        .tests
        .iter()
        .map(|test| test.ran.stdout.split_once('\n').unwrap())
        .collect();
    let number = said[0].0;
    assert!(number.len() > 3, "{said:?}");
    let expected = ["test 0", "test 1", "test 2"].map(|stdin| (number, stdin));
    assert_eq!(said, expected);
}

#[test]
fn the_jobs_files_lie_beside_the_program() {
    let code = "
#include <stdio.h>
int main(void) { char line[9] = {0}; fread(line, 1, 8, fopen(\"data/in.txt\", \"r\")); puts(line); return fopen(\"main.c\", \"r\") == 0; }";
    let outcome = c(code).file("data/in.txt", "beside").result();
    let result = outcome.result;
    assert_eq!(
        (result.status, &*result.stdout),
        (Status::Succeeded, "beside\n")
    );
}

#[test]
fn what_a_file_is_called_is_no_option_and_no_word_of_a_shells() {
    let names = [
        "-o x.c",
        "@file.c",
        "a b.c",
        "it's \"$(exit 1)\".c",
        "-.c",
        "ü;*.c",
    ];
    let declared: String = (0..names.len())
        .map(|at| format!("int f{at}(void);\n"))
        .collect();
    let summed: String = (0..names.len()).map(|at| format!(" + f{at}()")).collect();
    let code =
        format!("#include <stdio.h>\n{declared}int main(void) {{ printf(\"%d\\n\", 0{summed}); }}");
    let mut run = c(&code);
    for (at, name) in names.iter().enumerate() {
        run = run.file(name, &format!("int f{at}(void) {{ return 1 << {at}; }}\n"));
    }
    let result = run.result().result;
    assert_eq!(result.status, Status::Succeeded, "{result:#?}");
    assert_eq!(result.stdout, "63\n");
}

// ---- errors and limits

#[test]
fn an_error_is_said_by_the_compiler_and_no_test_is_run() {
    let outcome = c("int main(void) { return missing; }\n")
        .with("tests", json!([{"name": "one"}, {"name": "two"}]))
        .result();
    let result = outcome.result;
    assert_eq!(
        (result.status, result.exit_code),
        (Status::Failed, Some(1)),
        "{result:#?}"
    );
    assert!(
        result
            .stderr
            .contains("main.c:1:25: error: ‘missing’ undeclared"),
        "{result:#?}"
    );
    let compile = result.compile.as_ref().unwrap();
    assert_eq!(
        (compile.status, &compile.stderr),
        (Status::Failed, &result.stderr)
    );
    assert_eq!(result.tests, []);
}

fn exceeds(run: &Run, limit: Limit) {
    let result = run.result().result;
    assert_eq!(
        (result.status, result.limit),
        (Status::LimitExceeded, Some(limit)),
        "{result:#?}"
    );
    let compile = result.compile.unwrap();
    assert_eq!(
        (compile.status, compile.limit),
        (Status::LimitExceeded, Some(limit))
    );
}

#[test]
fn a_compiler_that_never_ends_is_stopped() {
    let policies = Policies::changed("cpp", &[("cpu = \"30s\"", "cpu = \"1s\"")]);
    let bomb = "template <unsigned long N, unsigned long M> struct T { static constexpr unsigned long v = T<N - 1, 2 * M>::v + T<N - 1, 2 * M + 1>::v; };
template <unsigned long M> struct T<0, M> { static constexpr unsigned long v = 1; };
int main() { return T<60, 1>::v; }";
    let run = Run::new("cpp")
        .with("code", bomb)
        .variable(POLICIES, policies.path());
    exceeds(&run, Limit::CpuTime);
}

#[test]
fn a_compiler_that_takes_all_memory_is_stopped() {
    let policies = Policies::changed("c", &[("memory = \"1GiB\"", "memory = \"100MiB\"")]);
    let run = c("#include \"/dev/zero\"\nint main(void) {}");
    exceeds(&run.variable(POLICIES, policies.path()), Limit::Memory);
}

#[test]
fn a_compiler_that_floods_or_fills_is_stopped() {
    let policies = obedient("[\"program\"]");
    exceeds(
        &compiled_by(&policies, "while :; do echo flood; done"),
        Limit::Output,
    );
    exceeds(
        &compiled_by(&policies, "cat /dev/zero > program"),
        Limit::Disk,
    );
}

// ---- what the compiler can't reach

#[test]
fn no_file_of_the_host_becomes_part_of_a_program() {
    let mut secret = tempfile::NamedTempFile::new().unwrap();
    secret.write_all(b"secret_of_the_host").unwrap();
    let secret = secret.path().to_str().unwrap();
    let by_root = format!("/proc/self/root{secret}");
    let by_init = format!("/proc/1/root{secret}");
    let above = format!("../../../../..{secret}");
    for path in [
        secret,
        &by_root,
        &by_init,
        &above,
        "/etc/shadow",
        "/proc/1/environ",
    ] {
        for code in [
            format!("#include \"{path}\"\nint main(void) {{}}"),
            format!("__asm__(\".incbin \\\"{path}\\\"\"); int main(void) {{}}"),
            format!("__asm__(\".include \\\"{path}\\\"\"); int main(void) {{}}"),
        ] {
            let result = c(&code).result().result;
            assert_eq!(result.status, Status::Failed, "{code}: {result:#?}");
            let stderr = result.stderr;
            let told = [
                "No such file",
                "Permission denied",
                "can't open",
                "file not found",
            ];
            assert!(
                told.iter().any(|words| stderr.contains(words)),
                "{code}: {stderr}"
            );
            assert!(!stderr.contains("secret_of_the_host"), "{code}: {stderr}");
        }
    }
}

// ---- what the compiler leaves

/// The job's own failure: neither ours nor anybody's to try again.
fn fails(result: &JobResult, script: &str) {
    assert!(
        matches!(result.status, Status::Failed | Status::LimitExceeded),
        "{script}: {result:#?}"
    );
    assert_eq!((result.attempt, &result.error), (1, &None), "{script}");
}

#[test]
fn a_program_that_cannot_be_started_is_the_jobs_failure() {
    let policies = obedient("[\"program\"]");
    for script in [
        "echo 'neither a program nor a script' > program; chmod +x program",
        ": > program; chmod +x program",
        "cp /usr/bin/true program; chmod -x program",
        "head -c 100 /usr/bin/true > program; chmod +x program",
        "printf '#!/nowhere' > program; chmod +x program",
        "printf '#!/work/program' > program; chmod +x program",
    ] {
        let result = compiled_by(&policies, script).result().result;
        fails(&result, script);
        let code = result.exit_code;
        assert!(matches!(code, Some(126 | 127)), "{script}: {result:#?}");
    }
}

#[test]
fn what_is_no_file_is_no_program() {
    let policies = obedient("[\"program\"]");
    for script in [
        ":",
        "mkdir program",
        "ln -s /usr/bin/true program",
        "ln -s /etc program",
        "mkfifo program",
    ] {
        let result = compiled_by(&policies, script).result().result;
        fails(&result, script);
        assert_eq!(result.stdout, "", "{script}: {result:#?}");
    }
}

#[test]
fn a_flood_of_files_is_the_jobs_failure() {
    let policies = obedient("[\"**\"]");
    let script = "for ((i = 0; i < 2000; i++)); do : > $i; done; cp /usr/bin/true program";
    fails(&compiled_by(&policies, script).result().result, script);
}

#[test]
fn names_that_cannot_be_written_again_are_left_out() {
    let policies = obedient("[\"**\"]");
    let script = "cp /usr/bin/true program; : > $'a\\xff'; : > $'a\\xfe'; : > \"$(printf '\\xff%.0s' {1..200})\"";
    let result = compiled_by(&policies, script).result().result;
    assert_eq!(result.status, Status::Succeeded, "{result:#?}");
}

#[test]
fn what_the_compiler_made_goes_before_the_jobs_own() {
    let policies = obedient("[\"program\", \"out/*\"]");
    let script = "rm -r program out; mkdir out; echo made > out/made; printf '#!/bin/bash\\ncat out/made' > program; chmod +x program";
    let result = compiled_by(&policies, script)
        .file("program/data", "in its way")
        .file("out", "in its way")
        .result()
        .result;
    assert_eq!(
        (result.status, &*result.stdout),
        (Status::Succeeded, "made\n"),
        "{result:#?}"
    );
}
