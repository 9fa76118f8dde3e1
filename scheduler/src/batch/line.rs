//! The input of a batch: one job document a line.
//!
//! A line without an id gets one that depends on the batch, the line's number and its content, so that a batch that is
//! resumed sends the same ids again and nothing runs twice. It must never hold more than one line, nor stop at one that
//! is no job.

use std::io::{self, BufRead, Read as _};

use glovebox_schemas::job::{Job, JobId, MAX_JOB_BYTES, Rejection};
use serde::Deserialize;
use serde::de::IgnoredAny;
use sha2::{Digest as _, Sha256};

/// The name of one run of a batch, which the ids of its jobs begin with: 32 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchId(String);

impl BatchId {
    /// A new one.
    #[must_use]
    pub fn random() -> Self {
        Self(JobId::new_v7().as_str().replace('-', ""))
    }

    /// One that was written down; `None` if it is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let is_one = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_one.then(|| Self(text.to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// At most 64 bytes: 32 + 1 + 18 digits + 1 + 12.
    fn id_of(&self, number: u64, content: &[u8]) -> JobId {
        let digest = Sha256::digest(content);
        let digits: String = digest[..6]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let id = format!("{}-{number}-{digits}", self.0);
        id.parse().expect("digits, letters and dashes are an id")
    }
}

/// One line that is not blank.
#[derive(Debug)]
pub struct Line {
    /// Where it is.
    pub place: Place,
    /// The key of its result: its own, or one that was made for it.
    pub id: JobId,
    has_own_id: bool,
    /// The job, or why it is none: then the message begins with the line's number and names the field.
    pub job: Result<Box<Job>, Rejection>,
}

/// Where in the input a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its number, from 1; blank lines count.
    pub number: u64,
    /// How many bytes of the input end with it.
    pub read: u64,
}

impl Line {
    /// Whether a result with this id can be that of this line. Of a made id only what does not depend on the run counts.
    pub(super) fn is_answered_by(&self, id: &JobId) -> bool {
        let of_line = |id: &JobId| id.as_str().split_once('-').map(|(_, rest)| rest.to_owned());
        match self.has_own_id {
            true => *id == self.id,
            false => of_line(id) == of_line(&self.id),
        }
    }
}

/// The lines of an input.
#[derive(Debug)]
pub struct Lines<R> {
    input: R,
    batch: BatchId,
    place: Place,
    content: Vec<u8>,
}

/// Only whether there is an id.
#[derive(Deserialize)]
struct Named {
    id: Option<IgnoredAny>,
}

impl<R: BufRead> Lines<R> {
    /// Reads `input` for this run of a batch.
    pub fn new(input: R, batch: BatchId) -> Self {
        Self {
            input,
            batch,
            place: Place { number: 0, read: 0 },
            content: Vec::new(),
        }
    }

    /// Reads a line, as much of it as a job may have and a byte more; false at the end.
    fn read(&mut self) -> io::Result<bool> {
        self.content.clear();
        let most = MAX_JOB_BYTES as u64 + 1;
        let mut part = self.input.by_ref().take(most);
        let mut read = part.read_until(b'\n', &mut self.content)?;
        if read == 0 {
            return Ok(false);
        }
        if read as u64 == most && self.content.last() != Some(&b'\n') {
            read += self.input.skip_until(b'\n')?;
        }
        self.place.number += 1;
        self.place.read += read as u64;
        Ok(true)
    }

    fn line(&self) -> Line {
        let number = self.place.number;
        let made = self.batch.id_of(number, &self.content);
        let named = serde_json::from_slice::<Named>(&self.content);
        let has_id = named.is_ok_and(|named| named.id.is_some());
        match Job::parse_submission(&self.content) {
            Ok(mut job) => {
                if !has_id {
                    job.id = made;
                }
                Line {
                    place: self.place,
                    id: job.id.clone(),
                    has_own_id: has_id,
                    job: Ok(Box::new(job)),
                }
            }
            Err(mut rejection) => {
                rejection.message = format!("line {number}: {}", rejection.message);
                let own = rejection.id.clone();
                Line {
                    place: self.place,
                    has_own_id: own.is_some(),
                    id: own.unwrap_or(made),
                    job: Err(rejection),
                }
            }
        }
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = io::Result<Line>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.read() {
                Ok(true) if self.content.trim_ascii().is_empty() => {}
                Ok(true) => return Some(Ok(self.line())),
                Ok(false) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
