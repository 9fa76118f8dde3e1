//! What Dify sends, to the letter of its form, and what it reads of the answer.
//!
//! The wrappers are written anew here after the description of Dify's own (api/core/helper/code_executor): the program, the
//! inputs in base64, the result between two marks.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::File;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use glovebox_tests::cli::Cli;
use glovebox_tests::fleet::eventually;
use glovebox_tests::gateway::Gateway;
use glovebox_tests::glovebox_bin;
use glovebox_tests::http::Http;
use serde_json::{Value, json};

const KEY: &str = "dify-sandbox";
const MARK: &str = "<<RESULT>>";
const STORE: &str = "GLOVEBOX_ENVIRONMENTS";

/// Dify's own encoding of the inputs.
fn base64(value: &str) -> String {
    STANDARD.encode(value)
}

fn python_node(code: &str, inputs: &Value) -> String {
    let inputs = base64(&inputs.to_string());
    format!(
        "{code}\n\nimport json\nfrom base64 import b64decode\n\ninputs_obj = json.loads(b64decode('{inputs}').decode('utf-8'))\n\
         output_obj = main(**inputs_obj)\noutput_json = json.dumps(output_obj, indent=4)\n\
         result = f'''{MARK}{{output_json}}{MARK}'''\nprint(result)\n"
    )
}

fn javascript_node(code: &str, inputs: &Value) -> String {
    let inputs = base64(&inputs.to_string());
    format!(
        "{code}\n\nvar inputs_obj = JSON.parse(Buffer.from('{inputs}', 'base64').toString('utf-8'))\n\
         var output_obj = main(inputs_obj)\nvar output_json = JSON.stringify(output_obj)\n\
         var result = `{MARK}${{output_json}}{MARK}`\nconsole.log(result)\n"
    )
}

/// As older releases of Dify wrote it: a global without a declaration.
fn old_javascript_node(code: &str, inputs: &Value) -> String {
    format!(
        "{code}\noutput = main({inputs})\noutput = JSON.stringify(output)\nresult = `{MARK}${{output}}{MARK}`\nconsole.log(result)\n"
    )
}

fn template_node(template: &str, inputs: &Value) -> String {
    let [template, inputs] = [base64(template), base64(&inputs.to_string())];
    format!(
        "\nimport jinja2\nimport json\nfrom base64 import b64decode\n\ndef main(**inputs):\n    \
         template = jinja2.Template(b64decode('{template}').decode('utf-8'))\n    return template.render(**inputs)\n\n\
         inputs_obj = json.loads(b64decode('{inputs}').decode('utf-8'))\noutput = main(**inputs_obj)\n\
         result = f'''{MARK}{{output}}{MARK}'''\nprint(result)\n"
    )
}

const TEMPLATE_PRELOAD: &str = "\nimport jinja2\nfrom base64 import b64decode\n\ndef _jinja2_preload_():\n    \
    template = jinja2.Template('{{s}}')\n    template.render(s='a')\n\nif __name__ == '__main__':\n    _jinja2_preload_()\n";

/// Sends it as Dify does, and reads the answer as Dify does: the program's result, or why there is none.
async fn execute(http: &Http, language: &str, code: &str, preload: &str) -> Result<String, String> {
    let request =
        json!({ "language": language, "code": code, "preload": preload, "enable_network": true });
    let reply = http.post("/v1/sandbox/run", &request).await.unwrap();
    assert_eq!(reply.status, 200, "{reply:?}");
    let answer: Value = reply.json().unwrap();
    if answer["code"] != 0 {
        return Err(answer["message"].as_str().unwrap().to_owned());
    }
    match answer["data"]["error"].as_str().unwrap() {
        "" => {
            let stdout = answer["data"]["stdout"].as_str().unwrap();
            let mut parts = stdout.split(MARK);
            let (_, result) = (parts.next(), parts.next());
            Ok(result.unwrap_or(stdout).to_owned())
        }
        error => Err(error.to_owned()),
    }
}

fn gateway(variables: &[(&str, &str)]) -> (Gateway, Http) {
    let variables = [&[("GLOVEBOX_API_KEY", KEY)], variables].concat();
    let gateway = Gateway::embedded(&[], &variables);
    let http = gateway.http.with("x-api-key", KEY);
    (gateway, http)
}

/// Jinja2 from PyPI in an environment called `dify`, built once beside the binary for all tests and their next run.
fn with_jinja2() -> PathBuf {
    let store = glovebox_bin()
        .unwrap()
        .with_file_name("environments-of-dify");
    let lock = File::create(store.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    if !store.join("names").exists() {
        let args = ["env", "build", "dify", "--language", "python"];
        let built = Cli::new(&args)
            .env(STORE, store.to_str().unwrap())
            .file("requirements.txt", "jinja2==3.1.6\n")
            .finish();
        assert_eq!(built.code(), 0, "{built}");
    }
    store
}

#[tokio::test]
async fn code_nodes_give_what_their_main_returns() {
    let (_gateway, http) = gateway(&[]);
    let inputs = json!({ "arg1": "grün", "arg2": [1, 2] });
    let code =
        "def main(arg1: str, arg2: list) -> dict:\n    return {'result': arg1 + str(sum(arg2))}\n";
    let said = execute(&http, "python3", &python_node(code, &inputs), "")
        .await
        .unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(&said).unwrap(),
        json!({ "result": "grün3" })
    );

    let code = "function main({arg1, arg2}) {\n    return {result: arg1 + arg2.length}\n}";
    for node in [
        javascript_node(code, &inputs),
        old_javascript_node(code, &inputs),
    ] {
        let said = execute(&http, "nodejs", &node, "").await.unwrap();
        assert_eq!(
            serde_json::from_str::<Value>(&said).unwrap(),
            json!({ "result": "grün2" })
        );
    }
}

#[tokio::test]
async fn a_program_that_fails_says_why_where_dify_looks() {
    let (_gateway, http) = gateway(&[]);
    let code = "def main() -> dict:\n    return {'result': 1 / 0}\n";
    let error = execute(&http, "python3", &python_node(code, &json!({})), "")
        .await
        .unwrap_err();
    assert!(error.starts_with("process exited with code 1\n"), "{error}");
    assert!(
        error.contains("line 2, in main") && error.contains("ZeroDivisionError"),
        "{error}"
    );
    let warned = "import sys\nprint('warning', file=sys.stderr)\nprint('fine')";
    assert_eq!(
        execute(&http, "python3", warned, "").await.unwrap(),
        "fine\n"
    );
    let error = execute(&http, "nodejs", "process.exit(3)", "")
        .await
        .unwrap_err();
    assert_eq!(error, "process exited with code 3\n");
}

#[tokio::test]
async fn what_is_preloaded_shares_names_with_the_program_and_not_its_lines() {
    let (_gateway, http) = gateway(&[]);
    let preload = "import math\ndef helper():\n    return math.pi\n";
    let said = execute(&http, "python3", "print(__name__, int(helper()))", preload)
        .await
        .unwrap();
    assert_eq!(said, "__main__ 3\n");
    let error = execute(&http, "python3", "\n\n1 / 0", preload)
        .await
        .unwrap_err();
    assert!(error.contains("File \"code.py\", line 3"), "{error}");
    let said = execute(&http, "nodejs", "console.log(helper)", "const helper = 4;")
        .await
        .unwrap();
    assert_eq!(said, "4\n");
}

#[tokio::test]
async fn template_nodes_render() {
    let store = with_jinja2();
    let (_gateway, http) = gateway(&[(STORE, store.to_str().unwrap())]);
    let template = "{% for name in names %}<li>{{ name }} 'x' \"y\" '''z'''</li>\n{% endfor %}";
    let inputs = json!({ "names": ["a", "ü"] });
    let code = template_node(template, &inputs);
    for preload in ["", TEMPLATE_PRELOAD] {
        let said = execute(&http, "python3", &code, preload).await.unwrap();
        let expected: String = ["a", "ü"]
            .map(|name| format!("<li>{name} 'x' \"y\" '''z'''</li>\n"))
            .concat();
        assert_eq!(said, expected);
    }
    for path in [
        "/v1/sandbox/dependencies",
        "/v1/sandbox/dependencies/refresh",
    ] {
        let answer: Value = http
            .get(&format!("{path}?language=python3"))
            .await
            .unwrap()
            .json()
            .unwrap();
        let found = answer["data"]["dependencies"].as_array().unwrap().clone();
        assert!(
            found.contains(&json!({ "name": "Jinja2", "version": "3.1.6" })),
            "{answer}"
        );
    }
    let update = json!({ "language": "python3" });
    let answer = http
        .post("/v1/sandbox/dependencies/update", &update)
        .await
        .unwrap();
    assert_eq!(
        answer.json::<Value>().unwrap(),
        json!({ "code": 0, "message": "success", "data": {} })
    );
}

#[tokio::test]
async fn a_template_without_jinja2_says_what_to_build() {
    let empty = tempfile::tempdir().unwrap();
    let (_gateway, http) = gateway(&[(STORE, empty.path().join("none").to_str().unwrap())]);
    // Not jinja2 itself: the host may have that.
    let error = execute(&http, "python3", "import no_such_package", "")
        .await
        .unwrap_err();
    assert!(
        error.contains("ModuleNotFoundError") && error.contains("python:dify"),
        "{error}"
    );
    assert!(error.contains("glovebox env build"), "{error}");
}

#[tokio::test]
async fn a_time_out_and_too_much_memory_are_told() {
    let variables = [("GLOVEBOX_API_KEY", KEY)];
    let gateway = Gateway::embedded(&["--dify-timeout", "1", "--dify-no-network"], &variables);
    let http = gateway.http.with("x-api-key", KEY);
    let error = execute(&http, "python3", "import signal; signal.pause()", "")
        .await
        .unwrap_err();
    assert_eq!(error, "process exited with code -1\nerror: timeout\n");
    drop(gateway);
    let (_gateway, http) = self::gateway(&[]);
    let error = execute(&http, "python3", "x = b'x' * (1 << 32)", "")
        .await
        .unwrap_err();
    assert!(
        error.contains("MemoryError") || error.contains("memory"),
        "{error}"
    );
}

#[tokio::test]
async fn a_client_that_goes_away_takes_its_program_along() {
    // By its own limit of time it would end much later.
    let patient = ["--dify-timeout", "600", "--dify-no-network"];
    let gateway = Gateway::embedded(&patient, &[("GLOVEBOX_API_KEY", KEY)]);
    let http = gateway.http.with("x-api-key", KEY);
    let request = json!({ "language": "python3", "code": "import signal; signal.pause()" });
    let running = "glovebox_gateway_waiters 1";
    let going = async {
        eventually("it runs", async || {
            Ok(http.get("/metrics").await?.text().contains(running))
        })
        .await
        .unwrap();
    };
    tokio::select! {
        answer = http.post("/v1/sandbox/run", &request) => panic!("{answer:?}"),
        () = going => {}
    }
    for _ in 0..2 {
        let said = execute(&http, "python3", "print(1)", "").await.unwrap();
        assert_eq!(said, "1\n");
    }
    eventually("no program is left", async || {
        Ok(gateway.process.processes_named("python3").is_empty())
    })
    .await
    .unwrap();
}
