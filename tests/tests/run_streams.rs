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
