//! minijail (minijail0(1)). It has no cgroups; its filter comes compiled. The program is process 1 of its pid namespace:
//! with an init of its own in between, minijail0 ends by a signal once it was told not to preload its library.

use super::{DEVICES, NOBODY, Site, TMP_BYTES, filter, owned};

/// MS_RDONLY, MS_NOSUID, MS_NODEV and MS_NOEXEC.
const PROC: &str = "-kproc,/proc,proc,0xf";

pub(super) fn words(site: &Site<'_>) -> anyhow::Result<Vec<String>> {
    let (nobody, root) = (NOBODY.to_string(), site.root()?);
    let filter = filter::compiled(site)?;
    let mut words = owned(&["-u", &nobody, "-g", &nobody, "-c", "0", "-n"]);
    words.extend(owned(&["-v", "-I", "-l", "-e", "-N", "--uts=cell", PROC]));
    words.push(format!("-P{}", root.display()));
    words.push(format!("-t{TMP_BYTES}"));
    for shown in site.shown() {
        words.push(format!("-b{0},{0}", shown.display()));
    }
    for device in DEVICES {
        let place = root.join(device.trim_start_matches('/'));
        std::fs::write(place, "")?;
        words.push(format!("-b{device},{device},1"));
    }
    words.push(format!("--seccomp-bpf-binary={}", filter.display()));
    // "Static" spares it the search for the library that it would preload.
    words.extend(owned(&["-T", "static", "--ambient", "--"]));
    words.extend(site.program.argv.clone());
    Ok(words)
}
