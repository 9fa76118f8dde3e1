//! How a cell's init gets the job's process from a template, in place of forking it.
//!
//! It lends the template the cell's namespaces and lines, waits until the summoned process says that it is jailed, and
//! takes its listener. The template holds what it was lent for the moment of the fork, and could do with it only what
//! it can do to its own children anyway. Must never believe that the job's process is jailed before its listener is here.

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, BorrowedFd, IntoRawFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, recvmsg,
    sendmsg,
};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use super::house::Housed;
use super::{Identity, Stage};
use crate::report::{Failure, at};
use crate::step::Step;
use crate::sys::fds::borrow;
use crate::warm::{
    MOST_DESCRIPTORS, MOST_TASKS, NAMESPACES, PRESENT_BYTES, SUMMONS_BYTES, Summons, unpack,
};

/// Summons the job's process, and waits until it is jailed; its listener is in the report then.
pub(super) fn summon(housed: Stage<'_, Housed>, summons: &Summons<'_>) -> Result<Pid, Failure> {
    let failed = at(Step::Summon);
    let entry = housed.entry;
    let Identity::Host { job, .. } = entry.identity else {
        return Err(failed(Errno::PERM));
    };
    lend(summons, job).map_err(&failed)?;
    // Its death must be seen here: no other copy of its end may stay open.
    for fd in [summons.theirs, summons.order, summons.template] {
        drop(crate::sys::fds::own(fd));
    }
    let (pid, listener) = presented(borrow(summons.line)).map_err(&failed)?;
    let process = pidfd_open(pid, PidfdFlags::empty()).map_err(&failed)?;
    let listener = pidfd_getfd(&process, listener, PidfdGetfdFlags::empty()).map_err(&failed)?;
    entry.report.set_listener(listener.into_raw_fd());
    Ok(pid)
}

/// Tells the summoned that its calls are listened to, and by a process without power. It closes its own copy of the
/// listener then.
pub(super) fn let_go(summons: &Summons<'_>) -> Result<(), Failure> {
    let failed = at(Step::Summon);
    rustix::io::write(borrow(summons.line), &[1])
        .map(drop)
        .map_err(failed)
}

/// Sends the cell's own namespaces and the lines to the template.
fn lend(summons: &Summons<'_>, job: u32) -> Result<(), Errno> {
    let open = |path: &std::ffi::CStr| {
        rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
    };
    let [
        (user, _),
        (mount, _),
        (pid, _),
        (ipc, _),
        (uts, _),
        (net, _),
    ] = NAMESPACES;
    let namespaces: [OwnedFd; 6] = [
        open(user)?,
        open(mount)?,
        open(pid)?,
        open(ipc)?,
        open(uts)?,
        open(net)?,
    ];
    let mut beside: [BorrowedFd<'_>; MOST_DESCRIPTORS] = [borrow(summons.theirs); MOST_DESCRIPTORS];
    let tasks = summons.tasks.get(..MOST_TASKS.min(summons.tasks.len()));
    let lent = namespaces
        .iter()
        .map(AsFd::as_fd)
        .chain([borrow(summons.theirs), borrow(summons.order)])
        .chain(tasks.unwrap_or_default().iter().map(|fd| borrow(*fd)));
    let mut count = 0;
    for (place, fd) in beside.iter_mut().zip(lent) {
        *place = fd;
        count += 1;
    }
    let mut space =
        [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let rights = beside.get(..count).unwrap_or_default();
    if !control.push(SendAncillaryMessage::ScmRights(rights)) {
        return Err(Errno::NOBUFS);
    }
    let bytes: [u8; SUMMONS_BYTES] = job.to_ne_bytes();
    let flags = SendFlags::NOSIGNAL;
    sendmsg(
        borrow(summons.template),
        &[IoSlice::new(&bytes)],
        &mut control,
        flags,
    )
    .map(drop)
}

/// Waits for the summoned: which process it is, and which of its descriptors is its listener.
fn presented(line: BorrowedFd<'_>) -> Result<(Pid, i32), Errno> {
    let mut bytes = [0; PRESENT_BYTES];
    let received = recvmsg(
        line,
        &mut [IoSliceMut::new(&mut bytes)],
        &mut RecvAncillaryBuffer::default(),
        RecvFlags::empty(),
    )?;
    if received.bytes != PRESENT_BYTES {
        return Err(Errno::CHILD);
    }
    let (pid, listener) = unpack(bytes);
    // Process 1 is this one.
    let pid = Pid::from_raw(pid).filter(|pid| *pid != Pid::INIT);
    Ok((pid.ok_or(Errno::CHILD)?, listener))
}
