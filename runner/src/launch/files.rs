//! Reading the files that a job hands back, as the warden's collector sends them.
//!
//! The collector ran with the job's uid, so what it says of sizes is checked against our own limit.

use std::io;

use glovebox_cell::protocol::CollectedFile;
use tokio::io::{AsyncRead, AsyncReadExt, BufReader};
use tokio::net::unix::pipe;

/// A head is a path and two numbers.
const MOST_HEAD_BYTES: u32 = 16 * 1024;

/// One file that came back.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) content: Vec<u8>,
    pub(crate) executable: bool,
    /// There was no room for its content.
    pub(crate) omitted: bool,
}

/// Reads until the collector is done, at most `most` bytes of content.
pub(super) async fn read(pipe: Option<pipe::Receiver>, most: u64) -> io::Result<Vec<File>> {
    let Some(pipe) = pipe else {
        return Ok(Vec::new());
    };
    let mut reader = BufReader::new(pipe);
    let mut files = Vec::new();
    let mut room = most;
    while let Some(head) = head(&mut reader).await? {
        let cost = head.size.saturating_add(head.path.len() as u64);
        // One that is left out has no content.
        let too_much = match head.omitted {
            true => head.size > 0,
            false => cost > room,
        };
        if too_much {
            return Err(io::Error::other("more bytes than were asked for"));
        }
        room = room.saturating_sub(cost);
        let mut content = vec![0; usize::try_from(head.size).map_err(io::Error::other)?];
        reader.read_exact(&mut content).await?;
        files.push(File {
            path: String::from_utf8_lossy(&head.path).into_owned(),
            content,
            executable: head.executable,
            omitted: head.omitted,
        });
    }
    Ok(files)
}

async fn head(reader: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<CollectedFile>> {
    let length = match reader.read_u32_le().await {
        Ok(length) if length <= MOST_HEAD_BYTES => length,
        Ok(_) => return Err(io::Error::other("a head that is too long")),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    reader.read_exact(&mut bytes).await?;
    let head = glovebox_cell::protocol::decode(&bytes);
    head.map(Some)
        .ok_or_else(|| io::Error::other("a head that is none"))
}
