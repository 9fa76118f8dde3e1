//! crun, as a container engine calls it: a bundle with a `config.json` after the OCI runtime specification.

use anyhow::Context;
use serde_json::{Value, json};

use super::{DEVICES, MEMORY_BYTES, NEW_NAME, NOBODY, PROCESSES, Site, TMP_BYTES, owned};

const CPU_PERIOD_US: u64 = 100_000;

pub(super) fn words(site: &Site<'_>) -> anyhow::Result<Vec<String>> {
    let root = site.root()?;
    let namespaces = ["pid", "network", "ipc", "uts", "mount", "cgroup"];
    let namespaces = namespaces.map(|kind| json!({"type": kind}));
    let config = json!({
        "ociVersion": "1.0.0",
        "process": {
            "terminal": false,
            "user": {"uid": NOBODY, "gid": NOBODY},
            "args": site.program.argv,
            "env": site.program.env_here(),
            "cwd": "/tmp",
            "capabilities": {},
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
            "noNewPrivileges": true,
        },
        "root": {"path": root, "readonly": true},
        "hostname": "cell",
        "mounts": mounts(site),
        "linux": {
            "namespaces": namespaces,
            "resources": {
                "memory": {"limit": MEMORY_BYTES, "swap": MEMORY_BYTES},
                "pids": {"limit": PROCESSES},
                "cpu": {"quota": CPU_PERIOD_US, "period": CPU_PERIOD_US},
                "devices": [{"allow": false, "access": "rwm"}],
            },
            "seccomp": {
                "defaultAction": "SCMP_ACT_ERRNO",
                "defaultErrnoRet": 38,
                "syscalls": [{"names": site.calls, "action": "SCMP_ACT_ALLOW"}],
            },
            "maskedPaths": ["/proc/kcore", "/proc/keys", "/proc/timer_list"],
            "readonlyPaths": ["/proc/sys", "/proc/irq", "/proc/bus"],
        },
    });
    site.file("config.json", config.to_string())?;
    let bundle = site.scratch.to_str().context("a path that is no text")?;
    Ok(owned(&[
        "--cgroup-manager",
        "cgroupfs",
        "run",
        "--bundle",
        bundle,
        NEW_NAME,
    ]))
}

fn mounts(site: &Site<'_>) -> Vec<Value> {
    let bind = |path: &str, options: &[&str]| {
        let options = [&["bind", "nosuid"], options].concat();
        json!({"destination": path, "source": path, "type": "bind", "options": options})
    };
    let size = format!("size={TMP_BYTES}");
    let mut mounts = vec![
        json!({"destination": "/proc", "type": "proc", "source": "proc"}),
        json!({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev", &size]}),
        json!({"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]}),
    ];
    mounts.extend(
        site.shown()
            .iter()
            .map(|path| bind(&path.to_string_lossy(), &["ro", "nodev"])),
    );
    mounts.extend(DEVICES.iter().map(|path| bind(path, &[])));
    mounts
}
