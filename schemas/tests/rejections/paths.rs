//! Paths that leave the working folder, or get in each other's way.

use glovebox_schemas::job::Job;
use serde_json::json;

use crate::{check, job_with};

#[test]
fn paths_stay_in_the_working_folder() {
    let long = "x".repeat(5_000);
    let cases = [
        ("../x", r#""../x" has the component "..""#),
        ("a/../b", r#""a/../b" has the component "..""#),
        ("a/..", r#""a/.." has the component "..""#),
        ("./a", r#""./a" has the component ".""#),
        (".", r#""." has the component ".""#),
        ("/etc/passwd", r#""/etc/passwd" is absolute"#),
        ("a//b", r#""a//b" has an empty component or ends with "/""#),
        ("a/", r#""a/" has an empty component or ends with "/""#),
        ("", r#""" is empty"#),
        ("a\0b", r#""a\0b" has a control character in it"#),
        (
            "a\u{1b}[2J",
            r#""a\u{1b}[2J" has a control character in it"#,
        ),
    ];
    let too_long = format!(
        "\"{}…\" is 5000 bytes long, at most 1024 are allowed",
        "x".repeat(80)
    );
    let component = format!(
        "\"{}…\" has a component of more than 255 bytes",
        "y".repeat(80)
    );
    let component_path = "y".repeat(256);
    for (path, flaw) in cases
        .into_iter()
        .chain([(&*long, &*too_long), (&*component_path, &*component)])
    {
        let files = json!([{ "path": "ok", "content": "" }, { "path": path, "content": "" }]);
        check(
            json!({ "files": files }),
            "invalid_path",
            &format!("files[1].path: {flaw}"),
        );
        check(
            json!({ "entrypoint": path }),
            "invalid_path",
            &format!("entrypoint: {flaw}"),
        );
        check(
            json!({ "outputs": ["**/*.png", path] }),
            "invalid_path",
            &format!("outputs[1]: {flaw}"),
        );
    }
    let fine = json!({ "files": [{ "path": "a/..b/c.py", "content": "" }, { "path": "ü \\ x", "content": "" }] });
    assert!(Job::parse(&job_with(fine)).is_ok());
}

#[test]
fn files_do_not_get_in_each_others_way() {
    let files = |paths: &[&str]| {
        let list: Vec<_> = paths
            .iter()
            .map(|path| json!({ "path": path, "content": "" }))
            .collect();
        json!({ "files": list })
    };
    check(
        files(&["a", "b", "a"]),
        "path_conflict",
        r#"files[2].path: "a" is also the path of files[0]"#,
    );
    let message = r#"files[0].path: "a/b/c" needs a folder where files[1] is a file"#;
    check(files(&["a/b/c", "a"]), "path_conflict", message);
    check(
        files(&["a/b", "a/b/c"]),
        "path_conflict",
        r#"files[1].path: "a/b/c" needs a folder where files[0] is a file"#,
    );
    assert!(Job::parse(&job_with(files(&["a/b", "a.b", "ab", "a/c"]))).is_ok());
}
