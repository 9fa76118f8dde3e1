//! The read-only roots, made once and shared by all cells of the blueprints that show the same.
//!
//! Each is alone in a mount namespace of its own, from which the host's tree is detached; a cell gets it
//! by cloning that namespace, so that it pays for the mounts of one root and not of all. Must never
//! attach anything of the host writable.

use std::cell::Cell;
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use nix::sched::{CloneFlags, setns, unshare};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags,
    OpenTreeFlags, UnmountFlags, mount_change, move_mount, open_tree, unmount,
};

use super::Unable;
use crate::blueprint::{Blueprint, Network, RootPath};
use crate::enter::{Identity, ROOT, errno};
use crate::sys::mount;

/// Folders that every host has; one of them is hidden beneath the tmpfs that becomes the new root.
const PLACES: [&str; 3] = ["/tmp", "/mnt", "/run"];
/// Folders of every root that are mount points or hold them.
const FOLDERS: [&str; 6] = ["work", "tmp", "proc", "dev", "dev/shm", "etc"];
/// The devices of a cell; each a bind of the host's.
const DEVICES: [&str; 5] = ["null", "zero", "full", "random", "urandom"];
const DEVICE_LINKS: [(&str, &str); 4] = [
    ("/proc/self/fd", "dev/fd"),
    ("/proc/self/fd/0", "dev/stdin"),
    ("/proc/self/fd/1", "dev/stdout"),
    ("/proc/self/fd/2", "dev/stderr"),
];

/// What one path of the host becomes in a root.
enum Source {
    Link { path: PathBuf, to: PathBuf },
    Folder { path: PathBuf, fd: OwnedFd },
    File { path: PathBuf, fd: OwnedFd },
}

/// An operation on a path that failed.
pub(super) struct Broken {
    pub(super) what: &'static str,
    pub(super) path: PathBuf,
    pub(super) cause: String,
}

pub(super) fn broken<E: std::fmt::Display>(
    what: &'static str,
    path: &Path,
) -> impl FnOnce(E) -> Broken {
    let path = path.to_owned();
    move |cause| Broken {
        what,
        path,
        cause: cause.to_string(),
    }
}

/// The mount namespaces with the roots, and which of them each blueprint's cells start from.
pub(super) struct Roots {
    namespaces: Vec<OwnedFd>,
    by_blueprint: Vec<usize>,
    /// The one that the warden is in.
    entered: Cell<usize>,
}

impl Roots {
    /// Makes the root of this blueprint the one that the next cell will clone (setns(2)).
    pub(super) fn enter(&self, blueprint: u16) -> Result<(), Errno> {
        let wanted = *self
            .by_blueprint
            .get(usize::from(blueprint))
            .ok_or(Errno::INVAL)?;
        if self.entered.get() != wanted {
            let namespace = self.namespaces.get(wanted).ok_or(Errno::INVAL)?;
            setns(namespace, CloneFlags::CLONE_NEWNS).map_err(errno)?;
            self.entered.set(wanted);
        }
        Ok(())
    }
}

/// Builds the roots and leaves the host's tree: no descriptor of it is kept.
pub(super) fn build(blueprints: &[Blueprint], identities: &[Identity]) -> Result<Roots, Unable> {
    build_all(blueprints, identities).map_err(unable)
}

/// Nothing that is mounted from here on reaches the host.
pub(super) fn keep_apart() -> Result<(), Unable> {
    let slash = Path::new("/");
    mount_change(
        slash,
        MountPropagationFlags::PRIVATE | MountPropagationFlags::REC,
    )
    .map_err(broken("making mounts private beneath", slash))
    .map_err(unable)
}

fn unable(Broken { what, path, cause }: Broken) -> Unable {
    Unable {
        message: format!("{what} {}: {cause}", path.display()),
        mend: "run `glovebox doctor`; if a path is missing, install what the profile needs or \
               list the path as optional in its [root]"
            .to_owned(),
    }
}

fn build_all(blueprints: &[Blueprint], identities: &[Identity]) -> Result<Roots, Broken> {
    let mut different: Vec<&Blueprint> = Vec::new();
    let mut by_blueprint = Vec::new();
    let mut namespaces = Vec::new();
    for blueprint in blueprints {
        if let Some(at) = different.iter().position(|other| same(other, blueprint)) {
            by_blueprint.push(at);
            continue;
        }
        by_blueprint.push(different.len());
        different.push(blueprint);
        namespaces.push(build_one(
            blueprint,
            identities,
            identities.contains(&Identity::Own),
        )?);
    }
    if let Some(last) = namespaces.last() {
        enter(last, "leaving the host's tree")?;
    }
    Ok(Roots {
        entered: Cell::new(namespaces.len().saturating_sub(1)),
        namespaces,
        by_blueprint,
    })
}

/// A mount namespace with the blueprint's root and nothing else. The caller is where it was afterwards.
///
/// `mounts_proc`: the cells that clone it are in a user namespace.
pub(super) fn build_one(
    blueprint: &Blueprint,
    identities: &[Identity],
    mounts_proc: bool,
) -> Result<OwnedFd, Broken> {
    let host = own_namespace()?;
    unshare(CloneFlags::CLONE_NEWNS).map_err(broken("leaving", Path::new("/")))?;
    let made = own_namespace()?;
    let assembled = assemble(blueprint, identities, mounts_proc);
    enter(&host, "returning (setns(2) wants CAP_SYS_CHROOT)")?;
    assembled.map(|()| made)
}

/// Has this process see the mounts of a namespace; its folder is the root of that.
pub(super) fn enter(namespace: &OwnedFd, what: &'static str) -> Result<(), Broken> {
    setns(namespace, CloneFlags::CLONE_NEWNS).map_err(broken(what, Path::new("/")))
}

/// Whether the cells of both see the same.
fn same(one: &Blueprint, other: &Blueprint) -> bool {
    let seen = |blueprint: &Blueprint| {
        (
            blueprint.network,
            blueprint.builds_env,
            blueprint.without.read_only,
        )
    };
    seen(one) == seen(other) && (&one.root, &one.links) == (&other.root, &other.links)
}

fn own_namespace() -> Result<OwnedFd, Broken> {
    let path = Path::new("/proc/self/ns/mnt");
    let file = fs::File::open(path).map_err(broken("opening", path))?;
    Ok(OwnedFd::from(file))
}

/// Fills this mount namespace with the blueprint's root and nothing else.
fn assemble(
    blueprint: &Blueprint,
    identities: &[Identity],
    mounts_proc: bool,
) -> Result<(), Broken> {
    // Everything of the host is opened before the host's tree goes out of sight.
    let sources = sources(&blueprint.root)?;
    let devices: Vec<(&str, OwnedFd)> = DEVICES
        .into_iter()
        .map(|name| Ok((name, open_path(&Path::new("/dev").join(name))?)))
        .collect::<Result<_, Broken>>()?;
    let proc = mounts_proc
        .then(|| clone_tree(&open_path(Path::new("/proc"))?, Path::new("/proc"), 0))
        .transpose()?;
    let place = PLACES
        .iter()
        .map(Path::new)
        .find(|place| place.is_dir())
        .unwrap_or(Path::new("/"));
    mount_tmpfs(place, "1m")?;
    std::env::set_current_dir(place).map_err(broken("entering", place))?;

    let root = Path::new(ROOT.to_str().unwrap_or_default().trim_start_matches('/'));
    make_folder(root)?;
    mount_tmpfs(root, "1m")?;
    fill(root, blueprint, &sources, &devices, identities)?;
    if !blueprint.without.read_only {
        seal(root)?;
    }
    if let Some(tree) = proc {
        // Linux lets a user namespace mount a new /proc only where an unmasked one is in sight.
        make_folder(Path::new("proc"))?;
        attach(&tree, Path::new("proc"))?;
    }
    leave_host(place)
}

fn sources(paths: &[RootPath]) -> Result<Vec<Source>, Broken> {
    let mut sources = Vec::new();
    for RootPath { host, at, optional } in paths {
        let kind = match fs::symlink_metadata(host) {
            Ok(metadata) => metadata.file_type(),
            Err(error) if *optional && error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(broken("looking at", host)(error)),
        };
        let path = at.clone();
        sources.push(if kind.is_symlink() {
            let to = fs::read_link(host).map_err(broken("reading the link", host))?;
            Source::Link { path, to }
        } else {
            let fd = open_path(host)?;
            if kind.is_dir() {
                Source::Folder { path, fd }
            } else {
                Source::File { path, fd }
            }
        });
    }
    Ok(sources)
}

pub(super) fn open_path(path: &Path) -> Result<OwnedFd, Broken> {
    rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
        .map_err(broken("opening", path))
}

fn fill(
    root: &Path,
    blueprint: &Blueprint,
    sources: &[Source],
    devices: &[(&str, OwnedFd)],
    identities: &[Identity],
) -> Result<(), Broken> {
    let env = blueprint.builds_env.then_some("env");
    for folder in FOLDERS.into_iter().chain(env) {
        make_folder(&root.join(folder))?;
    }
    let place = |path: &Path| root.join(path.strip_prefix("/").unwrap_or(path));
    let read_only = match blueprint.without.read_only {
        false => mount::RDONLY | mount::NOSUID | mount::NODEV,
        true => mount::NOSUID | mount::NODEV,
    };
    for (path, to) in &blueprint.links {
        make_link(&place(path), to)?;
    }
    for source in sources {
        match source {
            Source::Link { path, to } => make_link(&place(path), to)?,
            Source::Folder { path, fd } => {
                let target = place(path);
                make_folder(&target)?;
                attach(&clone_tree(fd, path, read_only)?, &target)?;
            }
            Source::File { path, fd } => {
                let target = place(path);
                make_file(&target, "")?;
                attach(&clone_tree(fd, path, read_only)?, &target)?;
            }
        }
    }
    for (name, fd) in devices {
        let target = root.join("dev").join(name);
        make_file(&target, "")?;
        attach(
            &clone_tree(fd, Path::new(name), mount::NOSUID | mount::NOEXEC)?,
            &target,
        )?;
    }
    for (to, link) in DEVICE_LINKS {
        make_link(&root.join(link), Path::new(to))?;
    }
    for (name, text) in names(identities, blueprint.network) {
        let path = root.join("etc").join(name);
        if !path.exists() {
            make_file(&path, &text)?;
        }
    }
    Ok(())
}

/// The few files of /etc that the C library looks names up in.
fn names(identities: &[Identity], network: Network) -> [(&'static str, String); 4] {
    let mut ids: Vec<u32> = identities.iter().map(|id| id.inside()).collect();
    ids.sort_unstable();
    ids.dedup();
    // Without a network the resolver may try: its socket is refused, and so the result tells why no name was found.
    // With doors there is nothing to try: the gate resolves.
    let hosts = match network {
        Network::Nothing => "files dns",
        Network::Doors => "files",
    };
    let lines = |line: &dyn Fn(u32) -> String| ids.iter().map(|id| line(*id)).collect::<String>();
    [
        (
            "passwd",
            lines(&|id| format!("job:x:{id}:{id}::/work:/bin/sh\n")),
        ),
        ("group", lines(&|id| format!("job:x:{id}:\n"))),
        (
            "nsswitch.conf",
            format!("passwd: files\ngroup: files\nhosts: {hosts}\n"),
        ),
        (
            "hosts",
            "127.0.0.1 localhost cell\n::1 localhost\n".to_owned(),
        ),
    ]
}

pub(super) fn clone_tree(fd: &OwnedFd, path: &Path, attributes: u64) -> Result<OwnedFd, Broken> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH
        | OpenTreeFlags::AT_RECURSIVE;
    let tree = open_tree(fd, c"", flags).map_err(broken("binding", path))?;
    if attributes != 0 {
        mount::set_attributes(tree.as_fd(), attributes, true)
            .map_err(broken("making read-only", path))?;
    }
    Ok(tree)
}

pub(super) fn attach(tree: &OwnedFd, target: &Path) -> Result<(), Broken> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    move_mount(tree, c"", CWD, target, flags).map_err(broken("mounting at", target))
}

fn mount_tmpfs(place: &Path, size: &str) -> Result<(), Broken> {
    let make = || -> Result<OwnedFd, Errno> {
        let context = rustix::mount::fsopen(c"tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
        rustix::mount::fsconfig_set_string(context.as_fd(), c"size", size)?;
        rustix::mount::fsconfig_set_string(context.as_fd(), c"mode", c"0755")?;
        rustix::mount::fsconfig_create(context.as_fd())?;
        rustix::mount::fsmount(
            context.as_fd(),
            FsMountFlags::FSMOUNT_CLOEXEC,
            MountAttrFlags::MOUNT_ATTR_NOSUID,
        )
    };
    let tree = make().map_err(broken("making a tmpfs for", place))?;
    attach(&tree, place)
}

/// Nothing is added to a root after this.
fn seal(root: &Path) -> Result<(), Broken> {
    let fd = open_path(root)?;
    mount::set_attributes(fd.as_fd(), mount::RDONLY | mount::NOSUID, false)
        .map_err(broken("making read-only", root))
}

pub(super) fn leave_host(place: &Path) -> Result<(), Broken> {
    nix::unistd::pivot_root(".", ".").map_err(broken("changing the root to", place))?;
    unmount(c".", UnmountFlags::DETACH).map_err(broken("detaching the host's tree from", place))?;
    std::env::set_current_dir("/").map_err(broken("entering", Path::new("/")))
}

fn make_link(link: &Path, to: &Path) -> Result<(), Broken> {
    make_parent(link)?;
    symlink(to, link).map_err(broken("linking", link))
}

fn make_parent(path: &Path) -> Result<(), Broken> {
    path.parent().map_or(Ok(()), make_folder)
}

fn make_folder(path: &Path) -> Result<(), Broken> {
    fs::create_dir_all(path).map_err(broken("making the folder", path))
}

fn make_file(path: &Path, text: &str) -> Result<(), Broken> {
    make_parent(path)?;
    fs::write(path, text).map_err(broken("writing", path))
}
