//! Every language, through the real command: what it prints, what it is given, how it fails, what stops it, and its own way of
//! doing several things at once. No call of any of these programs may be refused.
//!
//! The programs are in `programs/languages`. A language that is not installed here fails its test: `ops/test` installs them all.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use glovebox_schemas::result::{Limit, Status};
use glovebox_tests::cli::Cli;
use glovebox_tests::run::{Outcome, Run};

/// A language's programs: its name, their suffix, and what its failing program leaves.
struct Language {
    name: &'static str,
    suffix: &'static str,
    /// The exit code of a program that failed by an error of its own.
    failure: i32,
}

impl Language {
    /// A job that runs one of the language's programs.
    fn program(&self, program: &str) -> Run {
        let path = format!(
            "{}/programs/languages/{}/{program}.{}",
            env!("CARGO_MANIFEST_DIR"),
            self.name,
            self.suffix
        );
        let code = std::fs::read_to_string(&path).expect(&path);
        Run::new(self.name).with("code", code)
    }

    fn all(&self) {
        self.says_hello();
        self.reads_stdin();
        self.takes_arguments();
        self.fails_by_itself();
        self.is_stopped();
        self.does_several_things();
    }

    fn says_hello(&self) {
        printed(&self.program("hello").result(), "hello\n");
    }

    fn reads_stdin(&self) {
        let run = self.program("stdin").with("stdin", "Ada\nBo\n");
        printed(&run.result(), "hello Ada\nhello Bo\n");
    }

    fn takes_arguments(&self) {
        // SQL has no arguments: they are further statements.
        let (args, wanted) = match self.name {
            "sqlite" => (
                ["INSERT INTO said VALUES ('one two')", "SELECT * FROM said"],
                "one two\n",
            ),
            _ => (["one two", "-x"], "one two|-x\n"),
        };
        let run = self.program("arguments").with("args", args.to_vec());
        printed(&run.result(), wanted);
    }

    fn fails_by_itself(&self) {
        let outcome = self.program("error").result();
        refused_nothing(&outcome);
        let result = &outcome.result;
        assert_eq!(result.status, Status::Failed, "{result:#?}");
        assert_eq!(result.exit_code, Some(self.failure), "{result:#?}");
        assert!(result.stderr.contains("broken"), "{result:#?}");
    }

    fn is_stopped(&self) {
        let outcome = self.program("loop").limit("cpu_ms", 1500).result();
        refused_nothing(&outcome);
        let result = &outcome.result;
        assert_eq!(result.status, Status::LimitExceeded, "{result:#?}");
        assert_eq!(result.limit, Some(Limit::CpuTime), "{result:#?}");
    }

    fn does_several_things(&self) {
        printed(&self.program("threads").result(), "14\n");
    }

    /// A program that the compiler refuses is the job's own failure, with what the compiler said.
    fn is_not_compiled(&self, message: &str) {
        let outcome = self.program("wrong").result();
        refused_nothing(&outcome);
        let result = &outcome.result;
        assert_eq!(result.status, Status::Failed, "{result:#?}");
        let compiled = result.compile.as_ref().expect("it was compiled");
        assert_eq!(compiled.status, Status::Failed, "{result:#?}");
        assert!(compiled.stderr.contains(message), "{result:#?}");
    }
}

fn printed(outcome: &Outcome, wanted: &str) {
    refused_nothing(outcome);
    let result = &outcome.result;
    assert_eq!(result.status, Status::Succeeded, "{result:#?}");
    assert_eq!(
        (&*result.stdout, &*result.stderr),
        (wanted, ""),
        "{result:#?}"
    );
}

fn refused_nothing(outcome: &Outcome) {
    let result = &outcome.result;
    assert!(result.denied.is_empty(), "{result:#?}");
    if let Some(compiled) = &result.compile {
        assert!(compiled.denied.is_empty(), "{result:#?}");
    }
}

macro_rules! languages {
    ($($name:ident: $suffix:literal, $failure:literal $(, $message:literal)?;)+) => {
        $(mod $name {
            const LANGUAGE: super::Language = super::Language {
                name: stringify!($name),
                suffix: $suffix,
                failure: $failure,
            };

            #[test]
            fn runs() {
                LANGUAGE.all();
            }

            $(#[test]
            fn compiler_errors_are_the_jobs() {
                LANGUAGE.is_not_compiled($message);
            })?
        })+

        const ALL: &[&str] = &[$(stringify!($name)),+];
    };
}

languages! {
    bash: "sh", 1;
    c: "c", 1, "main.c:2:12: error: ‘missing’ undeclared";
    cpp: "cpp", 1, "main.cpp:2:12: error: ‘missing’ was not declared";
    go: "go", 2, "./main.go:4:2: undefined: missing";
    java: "java", 1, "Main.java:3: error: cannot find symbol";
    lua: "lua", 1;
    nodejs: "js", 1;
    perl: "pl", 255;
    php: "php", 255;
    python: "py", 1;
    r: "r", 1;
    ruby: "rb", 1;
    rust: "rs", 101, "error[E0425]: cannot find function `missing`";
    sqlite: "sql", 1;
    typescript: "ts", 1, "main.ts:2:11: Expression expected.";
}

/// A new profile needs its line above.
#[test]
fn every_profile_is_tried() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies/profiles");
    let mut profiles: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    profiles.sort();
    assert_eq!(profiles, ALL);
}

/// The interpreter is not there: the job is told which package brings it.
#[test]
fn an_absent_language_is_named_with_its_package() {
    let shipped = include_str!("../../policies/profiles/lua.toml");
    let profile = shipped.replace("/usr/bin/lua5.4", "/usr/bin/lua9");
    let job = r#"{"version": 1, "id": "test", "language": "lua", "code": "print(1)"}"#;
    let policies = tempfile::tempdir().unwrap();
    std::fs::create_dir(policies.path().join("profiles")).unwrap();
    std::fs::write(policies.path().join("profiles/lua.toml"), profile).unwrap();
    let ended = Cli::new(&["run", "--job", "-", "--json"])
        .env("GLOVEBOX_POLICIES", policies.path().to_str().unwrap())
        .stdin(job)
        .finish();
    let outcome = Outcome::of(ended);
    let result = &outcome.result;
    assert_eq!(result.status, Status::Rejected, "{result:#?}");
    let error = result.error.as_ref().expect("why");
    assert!(
        error.message.contains("/usr/bin/lua9 is missing"),
        "{error:#?}"
    );
    assert!(error.hint.contains("lua5.4"), "{error:#?}");
}

/// A language is found by any of its suffixes.
#[test]
fn a_file_is_run_by_its_suffix() {
    for (file, program) in [
        (
            "a.cc",
            "#include <cstdio>\nint main() { std::puts(\"hello\"); }\n",
        ),
        ("a.R", "cat('hello\\n')\n"),
        ("a.mjs", "console.log('hello')\n"),
        ("a.bash", "echo hello\n"),
        ("-c.sh", "echo hello\n"),
    ] {
        let ended = Cli::new(&["run", &format!("./{file}")])
            .file(file, program)
            .finish();
        assert_eq!(
            (ended.code(), &*ended.stdout_text()),
            (0, "hello\n"),
            "{file}: {ended}"
        );
    }
}

/// What ends a program that takes all memory is the cell's limit, not an engine's own.
#[test]
fn memory_is_the_cells_limit_in_every_engine() {
    for (language, code) in [
        (
            "java",
            "import java.util.*;\npublic class Main { public static void main(String[] a) { List<byte[]> all = new ArrayList<>(); while (true) { byte[] one = new byte[1 << 20]; Arrays.fill(one, (byte) 1); all.add(one); } } }",
        ),
        (
            "php",
            "<?php $all = []; while (true) $all[] = str_repeat('x', 1 << 20);",
        ),
        (
            "nodejs",
            "const all = []; for (;;) all.push(Buffer.alloc(1 << 20, 1));",
        ),
        ("ruby", "all = []\nloop { all << 'x' * (1 << 20) }"),
        (
            "lua",
            "local all = {} while true do all[#all + 1] = ('x'):rep(1 << 20) .. #all end",
        ),
    ] {
        let outcome = Run::new(language)
            .with("code", code)
            .limit("memory_bytes", 200 << 20)
            .result();
        let result = &outcome.result;
        assert_eq!(
            result.status,
            Status::LimitExceeded,
            "{language}: {result:#?}"
        );
        assert_eq!(result.limit, Some(Limit::Memory), "{language}: {result:#?}");
    }
}

/// The locale that LANG names is there: without it wide characters come out as question marks.
#[test]
fn compiled_programs_have_their_locale() {
    let code = "#include <locale.h>\n#include <wchar.h>\nint main(void) { setlocale(LC_ALL, \"\"); wprintf(L\"%ls\\n\", L\"\u{e9}\"); }\n";
    printed(&Run::new("c").with("code", code).result(), "\u{e9}\n");
}

/// A job of several files: the compiler gets those of the entrypoint's suffix, and imports find each other.
#[test]
fn programs_of_several_files_are_built() {
    let c = Run::new("c")
        .file("twice.h", "int twice(int);\n")
        .file("twice.c", "#include \"twice.h\"\nint twice(int one) { return 2 * one; }\n")
        .file("app/main.c", "#include <stdio.h>\n#include \"../twice.h\"\nint main(void) { printf(\"%d\\n\", twice(7)); }\n")
        .with("entrypoint", "app/main.c");
    printed(&c.result(), "14\n");
    let java = Run::new("java")
        .file("Start.java", "public class Start { public static void main(String[] a) { System.out.println(Twice.of(7)); } }\n")
        .file("Twice.java", "class Twice { static int of(int one) { return 2 * one; } }\n")
        .with("entrypoint", "Start.java");
    printed(&java.result(), "14\n");
    for (helper, import, entrypoint) in [
        ("lib/twice.ts", "./lib/twice.ts", "start.ts"),
        ("lib/twice.ts", "./lib/twice", "start.ts"),
        ("lib/twice.mts", "./lib/twice.mjs", "start.mts"),
    ] {
        let typescript = Run::new("typescript")
            .file(helper, "export const twice = (one: number): number => 2 * one;\n")
            .file(entrypoint, &format!("import {{ twice }} from '{import}';\nconst seven: number = 7;\nconsole.log(twice(seven));\n"))
            .with("entrypoint", entrypoint);
        printed(&typescript.result(), "14\n");
    }
    let rust = Run::new("rust")
        .file(
            "main.rs",
            "mod twice;\nfn main() { println!(\"{}\", twice::of(7)); }\n",
        )
        .file("twice.rs", "pub fn of(one: i32) -> i32 { 2 * one }\n");
    printed(&rust.result(), "14\n");
}
