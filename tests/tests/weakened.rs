//! The suite can fail: with a layer left out, the probes that it holds escape.
//!
//! The table says which layer holds what. Where several stand one behind the other, each of them alone is
//! enough, and only with all of them gone is the way open; both are tested, with the same program. That
//! the product contains them all is shown in `probes.rs`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![cfg(target_arch = "x86_64")]

use std::collections::BTreeSet;

use glovebox_schemas::result::{JobResult, Status};
use glovebox_tests::bait::Bait;
use glovebox_tests::cli::Cli;
use glovebox_tests::probe::{Word, area, areas, probe, spoke};
use glovebox_tests::run::Outcome;

/// Runs a probe without these layers.
fn run(name: &str, layers: &str, bait: &Bait) -> JobResult {
    // Whoever sees the processes around it must not see more than those of the test.
    let within = layers.contains("pid_namespace");
    let document = probe(name).job(bait, within).document();
    let mut cli = Cli::new(&[layers]).program(env!("CARGO_BIN_EXE_weakened"));
    if within {
        cli = cli.through(&bait.enter());
    }
    Outcome::of(cli.stdin(document).finish()).result
}

/// Every probe escapes without these layers, and without all of them but any one it does not.
fn hold_alone(layers: &str, names: &[&str]) {
    let bait = Bait::new();
    let mut wrong = Vec::new();
    for name in names {
        let result = run(name, layers, &bait);
        if spoke(&result) != Some(Word::Escaped) {
            wrong.push(format!("{name}: held without {layers}: {result:?}"));
        }
        for kept in layers.split(',') {
            // Neither of the two is put in force without no_new_privs, so it can't be kept alone.
            if layers.contains("no_new_privs") && ["seccomp", "landlock"].contains(&kept) {
                continue;
            }
            let mut others = vec!["none"];
            others.extend(layers.split(',').filter(|layer| *layer != kept));
            let result = run(name, &others.join(","), &bait);
            if spoke(&result) == Some(Word::Escaped) || result.status == Status::Error {
                wrong.push(format!("{name}: not held by {kept} alone: {result:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

macro_rules! escape {
    ($($test:ident: $layers:literal => $($name:literal)*;)*) => {
        $(
            #[test]
            fn $test() {
                hold_alone($layers, &[$($name),*]);
            }
        )*

        /// All that are in the table.
        const SHOWN: &[&str] = &[$($($name),*),*];
    };
}

escape! {
    cgroup: "cgroup" =>
        "cgroups/memory.py" "cgroups/memory_in_a_file.py" "cgroups/processes.py";
    cgroup_namespace: "cgroup_namespace" =>
        "cgroups/path.py";
    descriptors: "descriptors" =>
        "descriptors/leaked.py";
    identity: "identity" =>
        "capabilities/give_away.py" "capabilities/root_already.py";
    ipc_namespace: "ipc_namespace" =>
        "ipc/shared_memory_table.py";
    landlock: "landlock" =>
        "devices/control.py";
    mount_flags: "mount_flags" =>
        "node/native_addon.js";
    network: "network" =>
        "network/interfaces.py" "network/port_table.py" "network/socket_table.py";
    pid_namespace: "pid_namespace" =>
        "processes/signal_everybody.py";
    proc: "proc" =>
        "keyrings/table.py" "proc/kernel_addresses.py" "proc/locks.py";
    rlimits: "rlimits" =>
        "cgroups/core_dump.py" "cgroups/descriptors_open.py" "cgroups/locked_memory.py";
    root: "root" =>
        "files/accounts.py" "files/climb.py" "files/hostname_file.py" "files/lock_shared.py" "files/packages.py"
        "files/readable_by_all.py" "files/symlink_out.py" "files/sysfs.py" "network/named_socket.py";
    seccomp: "seccomp" =>
        "capabilities/ambient.py" "capabilities/keep.py" "capabilities/raise.py" "cgroups/core_dump_again.py"
        "files/flock_shared.py" "files/flush_disks.py" "files/name_of_handle.py" "files/quota.py"
        "files/sendfile_shared.py" "files/splice_shared.py" "files/vmsplice.py" "files/watch_shared.py"
        "files/watch_shared_by_signal.py" "ipc/make_shared_memory.py" "kernel/adjust_clock.py" "kernel/i386.py"
        "kernel/i386_socket.py" "kernel/io_uring.py" "kernel/io_uring_enter.py" "kernel/no_random_addresses.py"
        "kernel/old_calls.py" "kernel/own_filter.py" "kernel/perf.py" "kernel/secret_memory.py"
        "kernel/security_modules.py" "kernel/segments.py" "kernel/set_clock.py" "kernel/userfaultfd.py"
        "keyrings/add.py" "keyrings/read.py" "keyrings/request.py" "keyrings/session.py" "mounts/list.py"
        "namespaces/by_program.py" "namespaces/chosen_pid_by_clone3.py" "namespaces/other_cgroup_by_clone3.py"
        "namespaces/user.py" "namespaces/user_by_clone.py" "namespaces/user_by_clone3.py" "network/high_bits.py"
        "network/netlink.py" "network/pair.py" "network/tcp6.py" "network/udp.py" "network/vsock.py"
        "node/watch.js" "processes/advise_others.py" "processes/compare.py" "processes/disk_priority.py"
        "processes/pages_of_others.py" "processes/read_child_memory.py" "processes/real_time.py"
        "processes/signal_by_lease.py" "processes/signal_by_owner.py" "processes/steal_descriptor.py"
        "processes/trace_child.py" "processes/trace_me.py" "terminal/inject.py" "terminal/inject_high_bits.py"
        "terminal/paste.py" "terminal/take.py";
    session: "session" =>
        "terminal/session.py";
    uts_namespace: "uts_namespace" =>
        "namespaces/host_name.py";
    identity_and_capabilities: "identity,capabilities" =>
        "capabilities/sets.py";
    identity_and_landlock: "identity,landlock" =>
        "node/kill_init.js" "processes/queue_signal_to_init.py" "processes/signal_init.py"
        "processes/signal_init_by_descriptor.py";
    mount_flags_and_landlock: "mount_flags,landlock" =>
        "capabilities/setuid_of_its_own.py";
    network_and_landlock: "network,landlock" =>
        "network/abstract_socket.py";
    pid_namespace_and_identity: "pid_namespace,identity" =>
        "processes/command_line.py" "processes/limit_host.py" "processes/listed.py" "processes/pin_host.py"
        "processes/slow_host.py";
    proc_and_identity: "proc,identity" =>
        "proc/timers.py";
    proc_and_landlock: "proc,landlock" =>
        "namespaces/id_map.py" "proc/own_label.py" "proc/score.py";
    read_only_and_identity: "read_only,identity" =>
        "files/attribute_of_shared.py" "files/mode_of_shared.py" "files/times_of_shared.py";
    root_and_identity: "root,identity" =>
        "files/home_of_root.py" "files/root_only.py" "files/shadow.py" "node/shadow.js";
    seccomp_and_identity: "seccomp,identity" =>
        "capabilities/become_root.py" "node/set_uid.js";
    seccomp_and_ipc_namespace: "seccomp,ipc_namespace" =>
        "ipc/attach_shared_memory.py" "ipc/message_queue.py" "ipc/semaphore.py";
    seccomp_and_landlock: "seccomp,landlock" =>
        "network/listen.py" "network/node_listen.js" "node/debugged_child.js";
    pid_namespace_and_identity_and_landlock: "pid_namespace,identity,landlock" =>
        "files/descriptor_of_host_process.py" "files/root_of_host_process.py" "namespaces/of_host_process.py"
        "processes/environment.py" "processes/memory_file.py" "processes/signal_host.py";
    proc_and_landlock_and_identity: "proc,landlock,identity" =>
        "proc/core_pattern.py" "proc/host_limit.py";
    read_only_and_landlock_and_identity: "read_only,landlock,identity" =>
        "files/empty_shared.py" "files/write_usr.py";
    root_and_read_only_and_landlock: "root,read_only,landlock" =>
        "files/create_in_open_folder.py" "files/write_shared.py";
    seccomp_and_identity_and_capabilities: "seccomp,identity,capabilities" =>
        "capabilities/become_group.py" "capabilities/become_neighbour.py" "capabilities/more_groups.py"
        "files/watch_all.py" "kernel/bpf.py" "kernel/swap.py" "mounts/attributes.py" "mounts/chroot.py"
        "mounts/fsopen.py" "mounts/open_tree.py" "namespaces/join.py" "namespaces/mounts.py"
        "namespaces/network.py" "namespaces/set_host_name.py" "namespaces/time.py";
    seccomp_and_landlock_and_ipc_namespace: "seccomp,landlock,ipc_namespace" =>
        "ipc/posix_message_queue.py";
    seccomp_and_landlock_and_no_new_privs: "seccomp,landlock,no_new_privs" =>
        "capabilities/no_new_privileges.py";
    seccomp_and_network_and_landlock: "seccomp,network,landlock" =>
        "network/node_fetch.js" "network/tcp.py";
    proc_and_landlock_and_pid_namespace_and_identity: "proc,landlock,pid_namespace,identity" =>
        "proc/score_of_host.py";
    root_and_read_only_and_landlock_and_identity: "root,read_only,landlock,identity" =>
        "cgroups/leave.py";
    seccomp_and_landlock_and_identity_and_capabilities: "seccomp,landlock,identity,capabilities" =>
        "mounts/bind.py" "mounts/cgroups.py" "mounts/pivot.py" "mounts/tmpfs.py" "mounts/unmask.py"
        "mounts/writable.py";
    seccomp_and_pid_namespace_and_identity_and_landlock: "seccomp,pid_namespace,identity,landlock" =>
        "processes/read_host_memory.py" "processes/trace_host.py" "processes/write_host_memory.py";
    seccomp_and_landlock_and_no_new_privs_and_identity_and_capabilities: "seccomp,landlock,no_new_privs,identity,capabilities" =>
        "capabilities/file_capability.py" "devices/block.py" "devices/character.py" "files/handle.py"
        "kernel/accounting.py" "kernel/log.py" "kernel/reboot.py" "network/packet.py" "network/raw.py"
        "processes/first_in_line.py" "terminal/hang_up.py";
}

/// Not in the table, because nothing that a test may leave out lets them escape; and why.
const NOT_SHOWN: &[(&str, &[&str])] = &[
    (
        "the cell always has a /tmp, a /dev/shm and a /dev of its own",
        &[
            "devices/fuse.py",
            "devices/list.py",
            "devices/log.py",
            "devices/memory.py",
            "files/posix_shm.py",
            "files/tmp.py",
            "kernel/userfaultfd_device.py",
            "terminal/make.py",
            "terminal/open.py",
        ],
    ),
    (
        "made by exec and by the runner, anew for each job",
        &[
            "capabilities/groups_left.py",
            "descriptors/auxiliary.py",
            "descriptors/environment.py",
            "descriptors/standard.py",
        ],
    ),
    (
        "init is not dumpable, whatever is left out",
        &[
            "files/root_of_init.py",
            "namespaces/join_by_process.py",
            "namespaces/of_init.py",
            "processes/memory_of_init.py",
        ],
    ),
    (
        "not every kernel has these",
        &[
            "kernel/kexec.py",
            "kernel/load_module.py",
            "kernel/load_module_file.py",
            "kernel/port_range.py",
            "kernel/ports.py",
            "kernel/unload_module.py",
            "kernel/x32.py",
            "kernel/x32_ordinary.py",
            "network/crypto_socket.py",
            "proc/kernel_memory.py",
            "proc/sysrq.py",
        ],
    ),
    (
        "root of a virtual machine may lack the capability itself",
        &["cgroups/raise_limits.py"],
    ),
    ("no kernel has it", &["kernel/unknown_call.py"]),
    (
        "a program that runs can't be written to",
        &["files/overwrite_interpreter.py"],
    ),
    (
        "two mounts: no file can be renamed from one to the other",
        &["files/replace_passwd.py"],
    ),
    (
        "the shared programs are always on mounts without setuid",
        &["capabilities/setuid_program.py", "mounts/by_program.py"],
    ),
    (
        "it would really write among the host's programs",
        &["node/write_modules.js"],
    ),
];

#[test]
fn every_probe_is_in_the_table_or_excused() {
    let excused = NOT_SHOWN.iter().flat_map(|(_, names)| names.iter());
    let named: Vec<&str> = SHOWN.iter().chain(excused).copied().collect();
    let once: BTreeSet<&str> = named.iter().copied().collect();
    assert_eq!(named.len(), once.len(), "one is named twice");
    let all: Vec<_> = areas().iter().flat_map(|name| area(name)).collect();
    let all: BTreeSet<&str> = all.iter().map(|probe| probe.name.as_str()).collect();
    assert_eq!(once, all);
}
