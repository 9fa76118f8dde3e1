//! bubblewrap (bwrap(1)). It has no cgroups; its filter comes compiled, through a descriptor.

use super::{DEVICES, FILTER_FD, LINKS, NOBODY, Site, TMP_BYTES, owned};

pub(super) fn words(site: &Site<'_>) -> Vec<String> {
    let nobody = NOBODY.to_string();
    let mut words = owned(&["--unshare-all", "--die-with-parent", "--new-session"]);
    words.extend(owned(&[
        "--uid",
        &nobody,
        "--gid",
        &nobody,
        "--cap-drop",
        "ALL",
    ]));
    for shown in site.shown() {
        let path = shown.display().to_string();
        words.extend(owned(&["--ro-bind", &path, &path]));
    }
    for (at, to) in LINKS {
        words.extend(owned(&["--symlink", to, at]));
    }
    for device in DEVICES {
        words.extend(owned(&["--dev-bind", device, device]));
    }
    words.extend(owned(&[
        "--proc",
        "/proc",
        "--size",
        &TMP_BYTES.to_string(),
        "--tmpfs",
        "/tmp",
    ]));
    words.extend(owned(&[
        "--remount-ro",
        "/",
        "--chdir",
        "/tmp",
        "--seccomp",
        FILTER_FD,
        "--",
    ]));
    words.extend(site.program.argv.clone());
    words
}
