//! Where a runner keeps what must outlive it, unless it is told.
//!
//! Must never be a folder that anybody else can write to.

use std::ffi::OsString;
use std::path::PathBuf;

/// The folder of spools: beneath what systemd gives the service (`StateDirectory=`), else one for the whole host when
/// root asks, else the user's own. `None` for a user without a home.
pub(crate) fn spool() -> Option<PathBuf> {
    choose(
        |name| std::env::var_os(name),
        nix::unistd::geteuid().is_root(),
    )
}

fn choose(variable: impl Fn(&str) -> Option<OsString>, root: bool) -> Option<PathBuf> {
    let path = |name| {
        let value = variable(name).filter(|value| !value.is_empty());
        value.map(PathBuf::from)
    };
    // systemd.exec(5): several are separated by colons, and each is absolute.
    let states = path("STATE_DIRECTORY").filter(|states| states.is_absolute());
    let state = states.and_then(|states| {
        let first = states.to_str()?.split(':').next()?.to_owned();
        Some(PathBuf::from(first))
    });
    if let Some(state) = state {
        return Some(state.join("spool"));
    }
    if root {
        return Some(PathBuf::from("/var/lib/glovebox/spool"));
    }
    let data = path("XDG_DATA_HOME").filter(|path| path.is_absolute());
    let data = data.or_else(|| Some(path("HOME")?.join(".local/share")));
    Some(data?.join("glovebox/spool"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_services_own_comes_first_and_then_the_hosts_or_the_users() {
        let found = |variables: &[(&str, &str)], root| {
            let value = |name: &str| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| OsString::from(value))
            };
            choose(value, root)
        };
        let is = |path: &str| Some(PathBuf::from(path));
        let home = ("HOME", "/home/a");
        assert_eq!(
            found(&[("STATE_DIRECTORY", "/s:/t"), home], true),
            is("/s/spool")
        );
        assert_eq!(
            found(&[("STATE_DIRECTORY", "relative")], true),
            is("/var/lib/glovebox/spool")
        );
        assert_eq!(
            found(&[home], false),
            is("/home/a/.local/share/glovebox/spool")
        );
        assert_eq!(
            found(&[("XDG_DATA_HOME", "/d"), home], false),
            is("/d/glovebox/spool")
        );
        assert_eq!(found(&[], false), None);
    }
}
