//! What cells can reach: a network namespace with nothing in it, or one with two sockets.
//!
//! Made once a slot, before the warden gives up the power to configure a network. Must never connect one
//! to anything: no interface but loopback ever exists here.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::OwnedFd;
use std::rc::Rc;

use nix::sched::{CloneFlags, setns, unshare};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen, socket_with, sockopt};

use super::Unable;
use crate::blueprint::{Blueprint, HTTP_DOOR, Network, SOCKS_DOOR};
use crate::enter::errno;
use crate::sys::interface;

/// Connections of a cell that wait to be accepted.
const BACKLOG: i32 = 128;

/// The network namespaces of one slot.
pub(super) struct Networks {
    empty: OwnedFd,
    /// Only loopback, and that is up. Made if a blueprint needs it.
    doors: Option<OwnedFd>,
    /// Where the warden itself is; where it was started, in the one test that leaves this layer out.
    warden: Rc<OwnedFd>,
}

impl Networks {
    /// Those of each slot. The warden itself is in an empty one afterwards: it has no network.
    pub(super) fn make(blueprints: &[Blueprint], slots: u16) -> Result<Vec<Networks>, Unable> {
        make(blueprints, slots).map_err(|error| Unable {
            message: format!("a network namespace can't be made: {error}"),
            mend: "run as root, or raise user.max_net_namespaces".to_owned(),
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

    /// New listening sockets for one cell, made within its namespace: what they accept stays theirs when the
    /// socket is handed out. The last cell's must be closed.
    pub(super) fn doors(&self) -> Result<[OwnedFd; 2], Errno> {
        let namespace = self.doors.as_ref().ok_or(Errno::NONET)?;
        setns(namespace, CloneFlags::CLONE_NEWNET).map_err(errno)?;
        let sockets = door(HTTP_DOOR).and_then(|http| Ok([http, door(SOCKS_DOOR)?]));
        setns(&*self.warden, CloneFlags::CLONE_NEWNET).map_err(errno)?;
        sockets
    }
}

fn make(blueprints: &[Blueprint], slots: u16) -> std::io::Result<Vec<Networks>> {
    let host = Rc::new(own()?);
    let with_doors = blueprints.iter().any(|one| one.network == Network::Doors);
    let mut pairs = Vec::new();
    for _ in 0..slots.max(1) {
        let doors = match with_doors {
            true => {
                let doors = new()?;
                interface::loopback_up()?;
                Some(doors)
            }
            false => None,
        };
        pairs.push((new()?, doors));
    }
    let own = Rc::new(own()?);
    let warden = match blueprints.iter().any(|one| one.without.network) {
        true => host,
        false => own,
    };
    let networks = pairs.into_iter().map(|(empty, doors)| Networks {
        empty,
        doors,
        warden: Rc::clone(&warden),
    });
    Ok(networks.collect())
}

fn new() -> std::io::Result<OwnedFd> {
    unshare(CloneFlags::CLONE_NEWNET)?;
    own()
}

/// The network namespace that this process is in.
fn own() -> std::io::Result<OwnedFd> {
    File::open("/proc/self/ns/net").map(OwnedFd::from)
}

fn door(port: u16) -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    // Connections of an earlier cell may linger in TIME_WAIT.
    sockopt::set_socket_reuseaddr(&socket, true)?;
    bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))?;
    listen(&socket, BACKLOG)?;
    Ok(socket)
}
