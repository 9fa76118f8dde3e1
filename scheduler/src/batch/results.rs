//! The output of a batch: one result document a line, in the order of the input.
//!
//! The n-th line that is whole belongs to the n-th line of the input that is not blank, and nothing else says how far a
//! batch has come; so it must never hold a result out of its order. Beside the file, under its name and `.batch`, is the
//! name of the run for as long as that is not finished: with it a run that was killed makes the same ids again.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, BufWriter, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};

use glovebox_schemas::job::JobId;
use glovebox_schemas::result::{JobResult, Status};
use serde::Deserialize;
use thiserror::Error;

use super::line::{BatchId, Lines, Place};
use super::tally::Tally;

/// Why results can't be written there.
#[derive(Debug, Error)]
pub enum ResultsError {
    /// There is something in the file already.
    #[error("{} is there already, with something in it", .0.display())]
    Exists(PathBuf),
    /// Another process has it.
    #[error("another batch writes to {}", .0.display())]
    Busy(PathBuf),
    /// The file system said no.
    #[error("{doing} {}", path.display())]
    File {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// The input could not be read.
    #[error("reading the jobs")]
    Input(#[source] io::Error),
    /// A whole line of the output is no result.
    #[error("line {line} of {} is no result", path.display())]
    NoResult {
        /// The output.
        path: PathBuf,
        /// Which line of it.
        line: u64,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// The output is of another input.
    #[error("line {line} of {} is the result of {found}, and the input has {wanted} there", path.display())]
    OtherInput {
        /// The output.
        path: PathBuf,
        /// Which line of it.
        line: u64,
        /// Whose result it is.
        found: JobId,
        /// What is in the input at this place.
        wanted: String,
    },
}

impl ResultsError {
    /// What to do about it, in one line.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Exists(_) => "go on with it (--resume), remove it, or name another file",
            Self::Busy(_) => "wait for that one, or name another file",
            Self::NoResult { .. } => "it is not the output of a batch: name another file",
            Self::OtherInput { .. } => {
                "resume with the input that it was begun with, or name another file"
            }
            Self::File { .. } | Self::Input(_) => "",
        }
    }
}

/// A result on its way into the output.
#[derive(Debug)]
pub struct Landed {
    status: Status,
    problem: Option<String>,
    json: Vec<u8>,
}

/// What of a stored result matters here. The rest is passed on as it is, that of a newer runner too.
#[derive(Deserialize)]
struct Said {
    id: JobId,
    status: Status,
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Default, Deserialize)]
struct Metadata {
    problem: Option<String>,
}

impl Landed {
    /// A result as it was stored.
    ///
    /// # Errors
    /// When it is none.
    pub fn from_json(mut json: Vec<u8>) -> Result<Self, serde_json::Error> {
        let said: Said = serde_json::from_slice(&json)?;
        if json.contains(&b'\n') {
            json = serde_json::from_slice::<serde_json::Value>(&json)?
                .to_string()
                .into_bytes();
        }
        Ok(Self {
            status: said.status,
            problem: said.metadata.problem,
            json,
        })
    }
}

impl From<&JobResult> for Landed {
    fn from(result: &JobResult) -> Self {
        Self {
            status: result.status,
            problem: result.metadata.get("problem").cloned(),
            json: result.to_json(),
        }
    }
}

/// Where the results of one batch go.
pub struct Results {
    out: BufWriter<Box<dyn Write + Send>>,
    file: Option<(PathBuf, File)>,
    batch: BatchId,
    remembers: bool,
    tally: Tally,
    place: Place,
}

impl Results {
    /// To somebody who reads them at once. Such a batch can't be resumed.
    #[must_use]
    pub fn to(out: impl Write + Send + 'static) -> Self {
        Self::new(Box::new(out), None)
    }

    fn new(out: Box<dyn Write + Send>, file: Option<(PathBuf, File)>) -> Self {
        Self {
            out: BufWriter::with_capacity(1 << 16, out),
            file,
            batch: BatchId::random(),
            remembers: false,
            tally: Tally::default(),
            place: Place { number: 0, read: 0 },
        }
    }

    /// To a file, which is locked for as long as this lives. One with something in it is refused unless it is to be
    /// resumed: then [`skip_done`](Self::skip_done) comes next.
    ///
    /// # Errors
    /// When the file is there, is another batch's, or can't be opened.
    pub fn open(path: &Path, resume: bool) -> Result<Self, ResultsError> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        let file = options.open(path).map_err(failed("opening", path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(ResultsError::Busy(path.to_owned())),
            Err(TryLockError::Error(error)) => return Err(failed("locking", path)(error)),
        }
        let length = file.metadata().map_err(failed("reading", path))?.len();
        if length > 0 && !resume {
            return Err(ResultsError::Exists(path.to_owned()));
        }
        let out = file.try_clone().map_err(failed("opening", path))?;
        Ok(Self::new(Box::new(out), Some((path.to_owned(), file))))
    }

    /// Writes down which run this is, before anything is sent, or reads which one is to be resumed.
    ///
    /// # Errors
    /// When the file beside the output can't be read or written.
    pub fn remember(&mut self, resume: bool) -> Result<(), ResultsError> {
        let Some((path, _)) = &self.file else {
            return Ok(());
        };
        let beside = beside(path);
        self.remembers = true;
        if resume && let Ok(text) = fs::read_to_string(&beside) {
            // Of one that was torn nothing was sent yet.
            if let Some(batch) = BatchId::parse(text.trim_end()) {
                self.batch = batch;
                return Ok(());
            }
        }
        let write = || {
            let mut file = File::create(&beside)?;
            writeln!(file, "{}", self.batch.as_str())?;
            file.sync_all()
        };
        write().map_err(failed("writing", &beside))
    }

    /// What the ids of lines without one begin with.
    #[must_use]
    pub fn batch(&self) -> BatchId {
        self.batch.clone()
    }

    /// Whether what has no result yet can be had later.
    #[must_use]
    pub fn can_be_resumed(&self) -> bool {
        self.remembers
    }

    /// Takes as many lines of the input as have a result, and counts those. A last line that is not whole, as a process
    /// leaves it that was killed, is cut off.
    ///
    /// # Errors
    /// When the output is not that of this input; then it is left as it was.
    pub fn skip_done<R: BufRead>(&mut self, lines: &mut Lines<R>) -> Result<(), ResultsError> {
        let Some((path, file)) = &mut self.file else {
            return Ok(());
        };
        file.seek(SeekFrom::Start(0))
            .map_err(failed("reading", path))?;
        let mut written = BufReader::new(&*file);
        let (mut whole, mut line, mut json) = (0, 0, Vec::new());
        loop {
            json.clear();
            let read = written.read_until(b'\n', &mut json);
            let read = read.map_err(failed("reading", path))?;
            if json.pop() != Some(b'\n') {
                break;
            }
            (whole, line) = (whole + read as u64, line + 1);
            let no_result = |source| ResultsError::NoResult {
                path: path.clone(),
                line,
                source,
            };
            let landed = serde_json::from_slice::<Said>(&json).map_err(no_result)?;
            let next = lines.next().transpose().map_err(ResultsError::Input)?;
            let wanted = match next {
                Some(next) if next.is_answered_by(&landed.id) => {
                    self.place = next.place;
                    let problem = landed.metadata.problem.as_deref();
                    self.tally.count(landed.status, problem);
                    continue;
                }
                Some(next) => next.id.to_string(),
                None => "nothing".to_owned(),
            };
            return Err(ResultsError::OtherInput {
                path: path.clone(),
                line,
                found: landed.id,
                wanted,
            });
        }
        file.set_len(whole).map_err(failed("mending", path))
    }

    /// Adds the next result.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn put(&mut self, place: Place, landed: &Landed) -> io::Result<()> {
        self.out.write_all(&landed.json)?;
        self.out.write_all(b"\n")?;
        self.tally.count(landed.status, landed.problem.as_deref());
        self.place = place;
        Ok(())
    }

    /// Hands over what was put.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Ends in order. What makes it possible to resume stays, unless the whole input has its results.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn close(mut self, is_complete: bool) -> io::Result<Tally> {
        self.out.flush()?;
        if let Some((path, file)) = &self.file {
            file.sync_all()?;
            if self.remembers && is_complete {
                fs::remove_file(beside(path))?;
            }
        }
        Ok(self.tally)
    }

    /// What was counted so far, those before a resumption included.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// How far in the input they go.
    #[must_use]
    pub fn place(&self) -> Place {
        self.place
    }
}

/// Where the name of the run is.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".batch");
    name.into()
}

fn failed(doing: &'static str, path: &Path) -> impl Fn(io::Error) -> ResultsError {
    move |source| ResultsError::File {
        doing,
        path: path.to_owned(),
        source,
    }
}
