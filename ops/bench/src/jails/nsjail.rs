//! nsjail. Its filter is a text that it compiles at each start, and its cgroups want a group `NSJAIL` in each hierarchy of
//! version 1.

use std::path::{Path, PathBuf};

use super::{DEVICES, LINKS, MEMORY_BYTES, NOBODY, PROCESSES, Site, TMP_BYTES, filter, owned};

/// The groups that its own are made in, where there are hierarchies of version 1.
fn groups() -> impl Iterator<Item = PathBuf> {
    let hierarchies = ["memory", "pids"].map(|name| Path::new("/sys/fs/cgroup").join(name));
    let present = hierarchies.into_iter().filter(|group| group.is_dir());
    present.map(|group| group.join("NSJAIL"))
}

/// Takes them away; one that another nsjail uses stays.
pub(crate) fn tidy() {
    for group in groups() {
        std::fs::remove_dir(group).ok();
    }
}

pub(super) fn words(site: &Site<'_>) -> anyhow::Result<Vec<String>> {
    for group in groups() {
        std::fs::create_dir_all(group)?;
    }
    let calls: Vec<String> = site
        .calls
        .iter()
        .map(|name| Ok(format!("SYSCALL[{}]", filter::number(name)?)))
        .collect::<anyhow::Result<_>>()?;
    let policy = format!("ALLOW {{ {} }} DEFAULT ERRNO(38)\n", calls.join(", "));
    let policy = site.file("policy.kafel", policy)?;
    let nobody = NOBODY.to_string();
    let mut words = owned(&["-Mo", "-Q", "-u", &nobody, "-g", &nobody, "-D", "/tmp"]);
    words.extend(owned(&["--disable_clone_newuser", "--iface_no_lo"]));
    for shown in site.shown() {
        words.extend(owned(&["-R", &shown.display().to_string()]));
    }
    for device in DEVICES {
        words.extend(owned(&["-B", device]));
    }
    for (at, to) in LINKS {
        words.extend(owned(&["-s", &format!("{to}:{at}")]));
    }
    words.extend(owned(&["-m", &format!("none:/tmp:tmpfs:size={TMP_BYTES}")]));
    words.extend(owned(&["--rlimit_as", "max", "--rlimit_fsize", "64"]));
    words.extend(owned(&["--rlimit_nofile", "1024", "--rlimit_cpu", "10"]));
    words.extend(owned(&["--cgroup_mem_max", &MEMORY_BYTES.to_string()]));
    words.extend(owned(&["--cgroup_pids_max", &PROCESSES.to_string()]));
    words.extend(owned(&["--seccomp_policy", &policy]));
    for variable in site.program.env_here() {
        words.extend(owned(&["-E", &variable]));
    }
    words.push("--".to_owned());
    words.extend(site.program.argv.clone());
    Ok(words)
}
