//! A batch that goes on where another was killed.

use super::*;

/// As after `kill -9`: what was sent is in the queue, the last line is torn, the lock is gone.
#[tokio::test]
async fn a_batch_that_was_killed_goes_on_and_sends_no_job_as_another() {
    let services = Services::isolated().unwrap();
    let (_connection, channel) = runner_of(&services.amqp_url).await;
    let folder = tempfile::tempdir().unwrap();
    let stop = never();
    {
        let mut results = open(&folder, false);
        let killed = async {
            arrived(&channel, 20).await;
            stop.cancel();
        };
        let text = Cursor::new(input(100));
        let (outcome, ()) = tokio::join!(run(&services, text, &mut results, 20, &stop), killed);
        assert!(!outcome.0.unwrap());
    }

    let runner = Answering::start(&services, 7).await;
    for (until, torn) in [(30, true), (60, false), (usize::MAX, false)] {
        let mut results = open(&folder, true);
        let stop = never();
        let path = folder.path().join("out");
        let lines = || {
            std::fs::read(&path)
                .unwrap()
                .iter()
                .filter(|byte| **byte == b'\n')
                .count()
        };
        let killed = async {
            eventually("some are done", async || Ok(lines() >= until.min(100)))
                .await
                .unwrap();
            stop.cancel();
        };
        let text = Cursor::new(input(100));
        let running = run(&services, text, &mut results, 4, &stop);
        let (outcome, ()) = tokio::join!(running, killed);
        outcome.0.unwrap();
        drop(results);
        if torn {
            let mut torn = std::fs::read(&path).unwrap();
            torn.truncate(torn.len() - 5);
            std::fs::write(&path, torn).unwrap();
        }
    }

    let results = written(&folder);
    assert_eq!(codes(&results), numbers(100));
    assert_eq!(runner.seen().len(), 100, "a job was sent under two ids");
    let ids: HashSet<_> = results.iter().map(|result| result.id.to_string()).collect();
    assert_eq!(ids, runner.seen().into_keys().collect());
}

#[tokio::test]
async fn the_output_of_another_input_is_left_as_it_is() {
    let services = Services::isolated().unwrap();
    let _runner = Answering::start(&services, 1).await;
    let folder = tempfile::tempdir().unwrap();
    let mut results = open(&folder, false);
    let (outcome, _) = run(&services, Cursor::new(input(3)), &mut results, 10, &never()).await;
    assert!(outcome.unwrap());
    results.close(true).unwrap();
    let path = folder.path().join("out");
    let mut before = std::fs::read(&path).unwrap();
    before.extend(b"{\"torn");
    std::fs::write(&path, &before).unwrap();

    for (text, line) in [(input(2), 3), (format!("{}{}", line(7), input(3)), 1)] {
        let mut results = open(&folder, true);
        let mut lines = Lines::new(Cursor::new(text), results.batch());
        let error = results.skip_done(&mut lines).unwrap_err();
        assert!(
            matches!(&error, ResultsError::OtherInput { line: at, .. } if *at == line),
            "{error:?}"
        );
    }
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert!(matches!(
        Results::open(&path, false),
        Err(ResultsError::Exists(_))
    ));
}

#[test]
fn two_batches_do_not_share_an_output() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let _first = Results::open(&path, false).unwrap();
    for resume in [false, true] {
        assert!(matches!(
            Results::open(&path, resume),
            Err(ResultsError::Busy(_))
        ));
    }
}

#[test]
fn ids_that_are_made_depend_on_the_run_the_line_and_its_content() {
    let folder = tempfile::tempdir().unwrap();
    let ids = |batch, text: &str| {
        let lines = Lines::new(Cursor::new(text.to_owned()), batch);
        let ids = lines.map(|line| line.unwrap().id.to_string());
        ids.collect::<Vec<_>>()
    };
    let one = line(1).repeat(2);
    let results = open(&folder, false);
    let (batch, first) = (results.batch(), ids(results.batch(), &one));
    drop(results);
    let resumed = open(&folder, true);
    assert_eq!(ids(resumed.batch(), &one), first, "another run");
    drop(resumed);
    assert_ne!(first[0], first[1], "another line");
    assert_ne!(ids(batch, &line(2)), first[..1], "another content");
    assert!(!Path::new(&first[0]).has_root());
    let anew = open(&folder, false);
    assert_ne!(ids(anew.batch(), &one), first, "not resumed");
}
