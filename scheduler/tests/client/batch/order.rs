//! What becomes of each line, in which order, and how much of it is held.

use super::*;

#[tokio::test]
async fn results_stand_in_the_order_of_the_lines_whatever_ends_first() {
    let services = Services::isolated().unwrap();
    let runner = Answering::start(&services, 50).await;
    let folder = tempfile::tempdir().unwrap();
    let mut results = open(&folder, false);

    let (outcome, notes) = run(
        &services,
        Cursor::new(input(1000)),
        &mut results,
        100,
        &never(),
    )
    .await;

    assert!(outcome.unwrap());
    assert_eq!(notes, Vec::<String>::new());
    assert_eq!(results.close(true).unwrap().of(Status::Succeeded), 1000);
    assert_eq!(codes(&written(&folder)), numbers(1000));
    assert!(runner.seen().values().all(|times| *times == 1));
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[tokio::test]
async fn what_is_no_job_has_a_result_in_its_place_and_the_rest_goes_on() {
    let services = Services::isolated().unwrap();
    let _runner = Answering::start(&services, 1).await;
    let folder = tempfile::tempdir().unwrap();
    let mut results = open(&folder, false);
    let mut text = line(0);
    text += "\n  \n{\"language\": \"python\", \"cod\": 1}\nno json\n";
    text += &format!("{{\"id\": \"{}\"}}\n", JobId::new_v7());
    text += line(1).trim_end();

    let (outcome, notes) = run(&services, Cursor::new(text), &mut results, 10, &never()).await;

    assert!(outcome.unwrap());
    assert_eq!(notes.len(), 3, "{notes:?}");
    for (note, begins) in
        notes
            .iter()
            .zip(["line 4: unknown field \"cod\"", "line 5: ", "line 6: "])
    {
        assert!(note.starts_with(begins), "{note}");
        assert!(note.contains("\n  mend: "), "{note}");
    }
    let tally = results.close(true).unwrap();
    assert_eq!(
        (tally.of(Status::Succeeded), tally.of(Status::Rejected)),
        (2, 3)
    );
    let results = written(&folder);
    assert_eq!(codes(&results), ["0", "", "", "", "1"]);
    let error = results[1].error.as_ref().unwrap();
    assert!(error.message.starts_with("line 4: "), "{error:?}");
}

#[tokio::test]
async fn one_id_twice_runs_once_and_both_lines_have_its_result() {
    let services = Services::isolated().unwrap();
    let runner = Answering::start(&services, 1).await;
    let folder = tempfile::tempdir().unwrap();
    let mut results = open(&folder, false);
    let id = JobId::new_v7();
    let twice = format!("{{\"id\": \"{id}\", \"language\": \"python\", \"code\": \"x\"}}\n");

    let text = Cursor::new(format!("{twice}{}{twice}", line(1)));
    let (outcome, _) = run(&services, text, &mut results, 10, &never()).await;

    assert!(outcome.unwrap());
    results.close(true).unwrap();
    assert_eq!(codes(&written(&folder)), ["x", "1", "x"]);
    assert_eq!(runner.seen().len(), 2);
}

/// An endless input that counts the lines that were taken.
struct Endless {
    line: Cursor<Vec<u8>>,
    taken: Arc<AtomicUsize>,
}

impl Read for Endless {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.line.read(out)?;
        if read > 0 {
            return Ok(read);
        }
        let number = self.taken.fetch_add(1, Ordering::Relaxed);
        self.line = Cursor::new(line(number).into_bytes());
        self.line.read(out)
    }
}

#[tokio::test]
async fn only_a_window_of_an_endless_input_is_held() {
    const WINDOW: usize = 32;
    let services = Services::isolated().unwrap();
    let (connection, channel) = runner_of(&services.amqp_url).await;
    let folder = tempfile::tempdir().unwrap();
    let mut results = open(&folder, false);
    let taken = Arc::new(AtomicUsize::new(0));
    let endless = Endless {
        line: Cursor::default(),
        taken: Arc::clone(&taken),
    };
    let stop = never();
    let path = folder.path().join("out");
    let lines = || {
        std::fs::read(&path)
            .unwrap()
            .iter()
            .filter(|byte| **byte == b'\n')
            .count()
    };
    let watcher = async {
        // Nobody answers: so many are sent, and a little more is read.
        arrived(&channel, u32::try_from(WINDOW).unwrap()).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(taken.load(Ordering::Relaxed) <= WINDOW + 200);
        drop(connection);
        let _runner = Answering::start(&services, 1).await;
        eventually("hundreds are done", async || {
            let (read, done) = (taken.load(Ordering::Relaxed), lines());
            assert!(
                read <= done + WINDOW + 200,
                "{read} lines read, {done} done"
            );
            Ok(done >= 500)
        })
        .await
        .unwrap();
        stop.cancel();
    };
    let window = u32::try_from(WINDOW).unwrap();
    let (outcome, ()) = tokio::join!(
        run(&services, endless, &mut results, window, &stop),
        watcher
    );
    assert!(!outcome.0.unwrap());
}

#[test]
fn a_line_that_is_too_long_is_skipped_and_not_held() {
    let long = Cursor::new(vec![b'x'; 40 << 20]);
    let all = Cursor::new(line(0))
        .chain(long)
        .chain(Cursor::new(format!("\n{}", line(2))));
    let lines = Lines::new(BufReader::new(all), Results::to(io::sink()).batch());
    let lines: Vec<_> = lines.map(Result::unwrap).collect();

    let are_jobs: Vec<_> = lines.iter().map(|line| line.job.is_ok()).collect();
    assert_eq!(are_jobs, [true, false, true]);
    assert_eq!(lines[2].place.number, 3);
    assert_eq!(
        lines[2].place.read,
        (40 << 20) + 1 + 2 * line(0).len() as u64
    );
    let rejection = lines[1].job.as_ref().unwrap_err();
    assert!(
        rejection
            .message
            .starts_with("line 2: the job is too large"),
        "{rejection}"
    );
}
