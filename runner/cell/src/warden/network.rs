//! What cells can reach: a network namespace with nothing in it, or one with two sockets.
//!
//! The empty ones are made once a slot: a job can do nothing in them. One with doors is made for each cell, for
//! it would keep counters and lingering connections. Must never connect one to anything: no interface but
//! loopback ever exists here.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

use nix::sched::{CloneFlags, setns, unshare};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen, socket_with};

use super::Unable;
use crate::blueprint::{Blueprint, HTTP_DOOR, Network, SOCKS_DOOR};
use crate::enter::errno;
use crate::sys::interface;

/// Connections of a cell that wait to be accepted.
const BACKLOG: i32 = 128;

/// The network namespaces of one slot.
pub(super) struct Networks {
    empty: OwnedFd,
    /// The last cell's that had doors. Only loopback, and that is up.
    doors: Option<OwnedFd>,
    /// Where the warden itself is; where it was started, in the one test that leaves this layer out.
    warden: Rc<OwnedFd>,
}

impl Networks {
    /// Those of each slot. The warden itself is in an empty one afterwards: it has no network.
    pub(super) fn make(blueprints: &[Blueprint], slots: u16) -> Result<Vec<Networks>, Unable> {
        make(blueprints, slots).map_err(|error| Unable {
            message: format!("a network namespace can't be made: {error}"),
            mend: "run as root (a service needs CAP_NET_ADMIN for the network proxy), or raise \
                   user.max_net_namespaces"
                .to_owned(),
        })
    }

    /// The one for a cell of this blueprint.
    pub(super) fn of(&self, blueprint: &Blueprint) -> &OwnedFd {
        match (blueprint.without.network, blueprint.network, &self.doors) {
            (true, _, _) => &self.warden,
            (false, Network::Doors, Some(doors)) => doors,
            (false, _, _) => &self.empty,
        }
    }

    /// A new namespace for one cell, and the listening sockets in it: what they accept stays theirs when they are
    /// handed out.
    pub(super) fn doors(&mut self) -> Result<[OwnedFd; 2], Errno> {
        unshare(CloneFlags::CLONE_NEWNET).map_err(errno)?;
        let furnished = furnish();
        setns(&*self.warden, CloneFlags::CLONE_NEWNET).map_err(errno)?;
        let (namespace, sockets) = furnished?;
        self.doors = Some(namespace);
        Ok(sockets)
    }
}

/// Makes the namespace that this process is in one with doors.
fn furnish() -> Result<(OwnedFd, [OwnedFd; 2]), Errno> {
    interface::loopback_up()?;
    let sockets = [door(HTTP_DOOR)?, door(SOCKS_DOOR)?];
    // The warden sees no /proc any more by which it could name its namespace.
    Ok((interface::namespace_of(sockets[0].as_fd())?, sockets))
}

fn make(blueprints: &[Blueprint], slots: u16) -> std::io::Result<Vec<Networks>> {
    let host = Rc::new(own()?);
    if needs_doors(blueprints) {
        // Whether they can be made is known before the first job that wants them.
        unshare(CloneFlags::CLONE_NEWNET)?;
        furnish()?;
    }
    let new = || -> std::io::Result<OwnedFd> {
        unshare(CloneFlags::CLONE_NEWNET)?;
        own()
    };
    let empty: Vec<OwnedFd> = (0..slots.max(1)).map(|_| new()).collect::<Result<_, _>>()?;
    let warden = match blueprints.iter().any(|one| one.without.network) {
        true => host,
        false => Rc::new(own()?),
    };
    let networks = empty.into_iter().map(|empty| Networks {
        empty,
        doors: None,
        warden: Rc::clone(&warden),
    });
    Ok(networks.collect())
}

/// Whether a cell of one of them has doors.
pub(super) fn needs_doors(blueprints: &[Blueprint]) -> bool {
    blueprints.iter().any(|one| one.network == Network::Doors)
}

/// The network namespace that this process is in.
fn own() -> std::io::Result<OwnedFd> {
    File::open("/proc/self/ns/net").map(OwnedFd::from)
}

fn door(port: u16) -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))?;
    listen(&socket, BACKLOG)?;
    Ok(socket)
}
