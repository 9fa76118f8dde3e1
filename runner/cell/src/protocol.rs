//! The words between the runner and the warden, and how they travel: one packet of a
//! `SOCK_SEQPACKET` pair a message, descriptors beside it.
//!
//! The warden believes nothing that it reads here: the runner parses what strangers sent and may
//! have been taken over. Must never carry a blueprint.

use std::ffi::CString;
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recvmsg, sendmsg, socketpair,
};
use rustix::fs::{MemfdFlags, SealFlags};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::blueprint::Limits;
use crate::evidence::{Evidence, KillReason};
use crate::host::Layer;
use crate::step::Step;
use crate::sys::fds;

/// The most bytes that one packet has. Launches are longer and travel in a sealed memfd.
const PACKET_BYTES: usize = 64 * 1024;
/// The most bytes of a word between our own processes.
const SHORT_BYTES: usize = 256;
/// The most bytes of a launch without the contents of its files.
pub(crate) const LAUNCH_BYTES: u64 = 4 * 1024 * 1024;
/// Beside a launch there are stdin, stdout, stderr, the launch, and the pipe for output files; beside a summons are
/// more.
const MOST_DESCRIPTORS: usize = crate::warm::MOST_DESCRIPTORS;

/// What the runner asks of the warden.
#[derive(Debug, Serialize, Deserialize)]
pub enum Request {
    /// Start a cell. Beside it: stdin, stdout, stderr, a memfd with the [`Launch`] and then the
    /// contents of its files, and, if it wants files back, a pipe for them.
    Launch {
        /// Which slot.
        slot: u16,
        /// Chosen by the runner; tells one cell of a slot from the next.
        ticket: u64,
        /// How many bytes of the memfd are the launch itself.
        launch_bytes: u64,
    },
    /// End the cell of this slot if it still has this ticket.
    Kill {
        /// Which slot.
        slot: u16,
        /// Which cell.
        ticket: u64,
        /// Comes back in the evidence.
        reason: KillReason,
    },
    /// The runner runs. After the first of these the warden ends every cell when nothing has come for
    /// [`SILENCE`](crate::SILENCE): others may take a frozen runner's jobs over then.
    Alive,
}

/// What the warden tells the runner.
#[derive(Debug, Serialize, Deserialize)]
pub enum Event {
    /// Sent once, when cells can be made.
    Ready {
        /// The layers in force.
        layers: Vec<Layer>,
    },
    /// Sent once instead of [`Event::Ready`]: this host can't isolate as asked.
    Unable {
        /// What is missing.
        message: String,
        /// How to mend it.
        mend: String,
    },
    /// The cell is about to be made. Beside it: the listening sockets of its network, the HTTP proxy's and
    /// the SOCKS proxy's.
    Doors {
        /// Which cell.
        ticket: u64,
    },
    /// The cell could not be made. Nothing of the job has run.
    Failed {
        /// Which cell.
        ticket: u64,
        /// The step that failed.
        step: Step,
        /// errno of the failure.
        errno: i32,
    },
    /// The cell ended and nothing of it is left.
    Ended {
        /// Which cell.
        ticket: u64,
        /// What was seen.
        evidence: Evidence,
        /// Whether it came from a template.
        warm: bool,
    },
    /// A template can't be used, for a reason that is its modules' or the host's. Its jobs start cold.
    Cold {
        /// The blueprint's name.
        name: String,
        /// Why. May quote what a module said.
        reason: String,
    },
}

/// What to run in a cell.
#[derive(Debug, Serialize, Deserialize)]
pub struct Launch {
    /// Index of the blueprint.
    pub blueprint: u16,
    /// What the job may use.
    pub limits: Limits,
    /// Program and arguments.
    pub argv: Vec<CString>,
    /// `NAME=value` each.
    pub env: Vec<CString>,
    /// Files for the working folder; their contents follow the launch in the memfd, in this order.
    pub files: Vec<FileSpec>,
    /// Globs of files of the working folder to hand back.
    pub outputs: Vec<String>,
    /// The most bytes to hand back.
    pub outputs_bytes: u64,
    /// Whether a child of the blueprint's template would run it as a program of its own does.
    pub warm: bool,
}

/// One file of the working folder.
#[derive(Debug, Serialize, Deserialize)]
pub struct FileSpec {
    /// Relative to the working folder, without `.`, `..` or empty components.
    pub path: CString,
    /// Bytes of content.
    pub size: u64,
    /// Whether it can be executed, where the blueprint allows that at all.
    pub executable: bool,
}

/// A file that is handed back, as it travels through the pipe: this head, then its bytes.
#[derive(Debug, Serialize, Deserialize)]
pub struct CollectedFile {
    /// Relative to the working folder; may hold any bytes but NUL.
    pub path: Vec<u8>,
    /// Bytes of content that follow; 0 if there was no room for them.
    pub size: u64,
    /// Whether its owner may execute it.
    pub executable: bool,
    /// Whether the content was left out because it would have exceeded the limit.
    pub omitted: bool,
}

/// A connected pair of sockets that keep messages apart.
///
/// # Errors
/// What socketpair(2) gives.
pub fn pair() -> nix::Result<(OwnedFd, OwnedFd)> {
    socketpair(
        nix::sys::socket::AddressFamily::Unix,
        SockType::SeqPacket,
        None,
        SockFlag::SOCK_CLOEXEC,
    )
}

/// Sends one message with descriptors beside it.
///
/// # Errors
/// What sendmsg(2) gives; `EMSGSIZE` for a message over the size of a packet.
pub fn send(
    socket: BorrowedFd<'_>,
    message: &impl Serialize,
    beside: &[BorrowedFd<'_>],
) -> nix::Result<()> {
    let bytes = postcard::to_stdvec(message).map_err(|_| nix::Error::EINVAL)?;
    if bytes.len() > PACKET_BYTES {
        return Err(nix::Error::EMSGSIZE);
    }
    let raw: Vec<_> = beside.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&raw)];
    let control: &[ControlMessage<'_>] = if raw.is_empty() { &[] } else { &rights };
    sendmsg::<()>(
        socket.as_raw_fd(),
        &[IoSlice::new(&bytes)],
        control,
        MsgFlags::MSG_NOSIGNAL,
        None,
    )
    .map(drop)
}

/// Receives one message and its descriptors; `None` when the other side is gone.
///
/// # Errors
/// What recvmsg(2) gives, `EAGAIN` included; `EBADMSG` for a packet that is no message.
pub fn receive<T: DeserializeOwned>(
    socket: BorrowedFd<'_>,
) -> nix::Result<Option<(T, Vec<OwnedFd>)>> {
    receive_in(socket, &mut vec![0u8; PACKET_BYTES])
}

/// The same for words that are short: in a process that was just forked each page of a larger buffer is a fault.
///
/// # Errors
/// As [`receive`]; `EBADMSG` for a longer one, too.
pub(crate) fn receive_short<T: DeserializeOwned>(
    socket: BorrowedFd<'_>,
) -> nix::Result<Option<(T, Vec<OwnedFd>)>> {
    receive_in(socket, &mut [0u8; SHORT_BYTES])
}

fn receive_in<T: DeserializeOwned>(
    socket: BorrowedFd<'_>,
    bytes: &mut [u8],
) -> nix::Result<Option<(T, Vec<OwnedFd>)>> {
    let (length, descriptors) = receive_raw(socket, bytes)?;
    if length == 0 {
        return Ok(None);
    }
    let message = bytes
        .get(..length)
        .and_then(|packet| postcard::from_bytes(packet).ok())
        .ok_or(nix::Error::EBADMSG)?;
    Ok(Some((message, descriptors)))
}

/// Receives one packet and its descriptors; the length is 0 when the other side is gone.
pub(crate) fn receive_raw(
    socket: BorrowedFd<'_>,
    bytes: &mut [u8],
) -> nix::Result<(usize, Vec<OwnedFd>)> {
    let mut control = nix::cmsg_space!([i32; MOST_DESCRIPTORS]);
    let mut slices = [IoSliceMut::new(bytes)];
    let received = recvmsg::<()>(
        socket.as_raw_fd(),
        &mut slices,
        Some(&mut control),
        MsgFlags::MSG_CMSG_CLOEXEC,
    )?;
    let mut descriptors = Vec::new();
    for message in received.cmsgs()? {
        if let ControlMessageOwned::ScmRights(raw) = message {
            descriptors.extend(raw.into_iter().map(fds::own));
        }
    }
    Ok((received.bytes, descriptors))
}

/// Packs a launch and the contents of its files into a sealed memfd.
///
/// Returns the memfd and the length of its first part, for [`Request::Launch`].
///
/// # Errors
/// What memfd_create(2), write(2) and the sealing give; `E2BIG` when the launch itself is too long.
pub fn pack(launch: &Launch, contents: &[&[u8]]) -> std::io::Result<(OwnedFd, u64)> {
    let head = postcard::to_stdvec(launch).map_err(std::io::Error::other)?;
    let length = head.len() as u64;
    if length > LAUNCH_BYTES {
        return Err(rustix::io::Errno::TOOBIG.into());
    }
    let memfd = rustix::fs::memfd_create(
        c"glovebox-launch",
        MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING | MemfdFlags::NOEXEC_SEAL,
    )
    .or_else(|_| {
        // MFD_NOEXEC_SEAL is known since Linux 6.3.
        rustix::fs::memfd_create(
            c"glovebox-launch",
            MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING,
        )
    })?;
    let mut file = std::fs::File::from(memfd);
    std::io::Write::write_all(&mut file, &head)?;
    for content in contents {
        std::io::Write::write_all(&mut file, content)?;
    }
    rustix::fs::fcntl_add_seals(
        file.as_fd(),
        SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL,
    )?;
    Ok((OwnedFd::from(file), length))
}

/// Reads the head of a collected file; `None` if it is none.
#[must_use]
pub fn decode(bytes: &[u8]) -> Option<CollectedFile> {
    postcard::from_bytes(bytes).ok()
}
