//! The commands, and what each of them has to say.

use futures_util::future::join_all;
use glovebox_schemas::job::JobId;
use glovebox_tests::Services;
use glovebox_tests::fleet::{Said, glovebox_with};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// In every URL, as a password. It must never be seen.
pub(crate) const SECRET: &str = "s3cret";

/// The commands that need a service, by what they need.
pub(crate) struct Commands {
    folder: TempDir,
    id: JobId,
}

/// Which service is the wrong one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    RabbitMq,
    Redis,
}

impl Commands {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("main.py"), "").unwrap();
        let id = JobId::new_v7();
        Self { folder, id }
    }

    fn program(&self) -> String {
        self.folder.path().join("main.py").display().to_string()
    }

    pub(crate) fn that_need(&self, wrong: Wrong) -> Vec<Vec<String>> {
        let (program, id) = (self.program(), self.id.to_string());
        let spool = self.folder.path().join("spool").display().to_string();
        let mut all = vec![
            vec!["runner", "--slots", "1", "--spool", &spool],
            vec!["submit", &program],
        ];
        if wrong == Wrong::Redis {
            all.push(vec!["wait", &id]);
            all.push(vec!["result", &id]);
            all.push(vec!["cancel", &id]);
            all.push(vec!["runners"]);
        }
        let owned = |command: Vec<&str>| command.into_iter().map(str::to_owned).collect();
        all.into_iter().map(owned).collect()
    }

    /// Lets each of them meet `services`, and checks how it puts `expected` and `mend`.
    pub(crate) async fn refused(
        &self,
        wrong: Wrong,
        services: &Services,
        (expected, mend): (&str, &str),
        variables: &[(&str, &str)],
    ) {
        let commands = self.that_need(wrong);
        let ends = commands.iter().map(async |command| {
            let arguments: Vec<&str> = command.iter().map(String::as_str).collect();
            let said = glovebox_with(services, &arguments, variables).await;
            check(
                &said.unwrap(),
                expected,
                mend,
                &format!("{services:?} {command:?}"),
            );
        });
        join_all(ends).await;
    }
}

pub(crate) fn check(said: &Said, expected: &str, mend: &str, of: &str) {
    let shown = format!("{of}: {said:#?}");
    assert_eq!(said.code, Some(4), "{shown}");
    assert_eq!(said.stdout, "", "{shown}");
    assert!(!said.stderr.contains(SECRET), "{shown}");
    // Before it complains, a runner tells what it has decided.
    let complaint = said.stderr.lines().filter(|line| !line.contains(" INFO "));
    let lines: Vec<_> = complaint.collect();
    let [what, how] = lines[..] else {
        panic!("one line and its mend: {shown}");
    };
    assert!(what.starts_with("glovebox: "), "{shown}");
    assert!(what.contains(expected), "{expected:?}: {shown}");
    assert!(how.starts_with("  mend: "), "{shown}");
    assert!(how.contains(mend), "{mend:?}: {shown}");
}

/// A port of the loopback on which nothing listens: it was ours a moment ago.
pub(crate) fn closed() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// `host:port` of a URL.
pub(crate) fn place(url: &str) -> &str {
    let rest = url.split_once("://").unwrap().1;
    let rest = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
    rest.split('/').next().unwrap()
}

/// A web server's `host:port`; it answers whoever comes, for as long as the test runs.
pub(crate) async fn web_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                // To close with something unread is to reset.
                stream.read_buf(&mut Vec::with_capacity(4096)).await?;
                stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await
            });
        }
    });
    at
}
