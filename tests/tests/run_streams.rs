//! A program's own three streams, opened by their names as scripts do.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use glovebox_schemas::result::Status;
use glovebox_tests::run::Run;

/// As root and as an ordinary user of the host.
fn says(language: &str, code: &str, stdout: &str, stderr: &str) {
    let run = Run::new(language).with("code", code).with("stdin", "in\n");
    for run in [run.clone(), run.as_user()] {
        let result = run.result().result;
        assert_eq!(result.status, Status::Succeeded, "{result:#?}");
        assert_eq!(
            (&*result.stdout, &*result.stderr),
            (stdout, stderr),
            "{result:#?}"
        );
        assert_eq!(result.denied, [], "{result:#?}");
    }
}

#[test]
fn bash_opens_them_by_name() {
    let code = "
set -e
cat /dev/stdin
echo out > /dev/stdout
echo err > /dev/stderr
echo 'by number' > /proc/self/fd/1
echo more >> /dev/fd/2
cat <(echo substituted)
echo teed | tee /dev/stderr";
    let stdout = "in\nout\nby number\nsubstituted\nteed\n";
    says("bash", code, stdout, "err\nmore\nteed\n");
}

#[test]
fn python_opens_them_by_name() {
    let code = "
read = open('/dev/stdin').read()
for name, text in [('/dev/stdout', 'out '), ('/proc/self/fd/1', 'number '), ('/dev/fd/1', read), ('/dev/stderr', 'err')]:
    with open(name, 'w') as stream: stream.write(text)";
    says("python", code, "out number in\n", "err");
}

#[test]
fn node_reads_its_input_by_name() {
    let code = "
const fs = require('fs');
fs.writeFileSync('/dev/stdout', fs.readFileSync('/dev/stdin', 'utf8') + fs.readFileSync('/proc/self/fd/0', 'utf8'));
fs.writeFileSync('/dev/stderr', 'err');";
    says("nodejs", code, "in\n", "err");
}

/// The names lead to the streams of whoever opens them, and no further than its own.
#[test]
fn no_name_leads_to_anothers_streams() {
    let code = "
import os
from pathlib import Path
others = [pid for pid in os.listdir('/proc') if pid.isdigit() and int(pid) != os.getpid()]
opened = []
for pid in others:
    for number in range(3):
        try: opened.append(os.open(f'/proc/{pid}/fd/{number}', os.O_RDWR | os.O_NONBLOCK))
        except OSError: pass
print(others, opened)";
    let result = Run::python(code).result().result;
    assert_eq!(result.status, Status::Succeeded, "{result:#?}");
    assert!(result.stdout.ends_with(" []\n"), "{result:#?}");
}
