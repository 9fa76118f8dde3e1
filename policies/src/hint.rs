//! A sentence for each refused call that tells what to do about it.
//!
//! It speaks to the person who sent the job or wrote the profile. It must never say only "not permitted": that is what
//! they have seen already.

mod arguments;

/// What to do about a refused call; its arguments, where they are known, tell more than its name.
pub fn hint(syscall: &str, args: Option<&[u64; 6]>) -> String {
    if syscall.starts_with("x32_") {
        return "programs for the x32 convention are refused in every profile; use an ordinary 64-bit build".to_owned();
    }
    if syscall.starts_with("syscall_") {
        return "this version of Glovebox does not know the call; programs go on without it or need an older build".to_owned();
    }
    if let Some(told) = args.and_then(|args| arguments::told(syscall, args)) {
        return told;
    }
    known(syscall).unwrap_or(UNLISTED).to_owned()
}

const UNLISTED: &str = "not in this profile's allowlist; add it to [syscalls] allow of policies/profiles/<name>.toml if you trust it";

fn known(syscall: &str) -> Option<&'static str> {
    Some(match syscall {
        "socket" | "socketpair" => "this profile has no network: only local (AF_UNIX) sockets",
        "clone" | "clone3" | "unshare" | "setns" => {
            "new namespaces are refused; processes and threads are allowed up to the limit `processes`"
        }
        "mount" | "umount2" | "pivot_root" | "chroot" | "open_tree" | "open_tree_attr"
        | "move_mount" | "mount_setattr" | "fsopen" | "fsconfig" | "fsmount" | "fspick" => {
            "the file system of a cell is fixed; write into the working folder or /tmp"
        }
        "ptrace" | "process_vm_readv" | "process_vm_writev" | "pidfd_getfd" | "kcmp" => {
            "debuggers and tools that look into other processes do not work in a cell; run them outside"
        }
        "bpf" | "perf_event_open" | "userfaultfd" => {
            "tracing and profiling through the kernel is refused; use the language's own profiler"
        }
        "init_module" | "finit_module" | "delete_module" | "kexec_load" | "kexec_file_load"
        | "reboot" | "iopl" | "ioperm" | "swapon" | "swapoff" | "quotactl" | "quotactl_fd"
        | "acct" | "open_by_handle_at" => {
            "this call administers the host; no program in a cell may"
        }
        "add_key" | "request_key" | "keyctl" => {
            "kernel keyrings are shared with the host; keep secrets in memory or in a file"
        }
        "settimeofday" | "clock_settime" | "adjtimex" | "clock_adjtime" => {
            "the clock belongs to the host; read it, or fake the time inside the program"
        }
        "sethostname" | "setdomainname" => "the host name of a cell is fixed",
        "io_uring_setup" | "io_uring_enter" | "io_uring_register" => {
            "io_uring is switched off; programs fall back to epoll and ordinary reads"
        }
        "splice" | "tee" | "vmsplice" | "sendfile" => {
            "pages of shared files must not be moved; use read and write, or copy_file_range"
        }
        "inotify_init" | "inotify_init1" | "inotify_add_watch" | "inotify_rm_watch" => {
            "watching files is refused because the runner's own files are shared between jobs; poll with stat instead"
        }
        "flock" => {
            "flock would lock files that other jobs share; a job is alone in its folders and needs no lock (PHP: leave LOCK_EX out), and POSIX locks (lockf, fcntl) work there"
        }
        "fcntl" => {
            "only duplicating, descriptor flags, POSIX locks, pipe sizes and seals are allowed of fcntl; poll instead of waiting for a signal (F_NOTIFY, F_SETOWN, F_SETLEASE)"
        }
        "setrlimit" | "prlimit64" => {
            "RLIMIT_CORE cannot be changed: no core dump is written in a cell, leave it as it is (ulimit -c); nor can the limits of another process: have it set its own"
        }
        "mmap" | "memfd_create" => {
            "the host's huge pages (MAP_HUGETLB, MFD_HUGETLB) are refused in every profile; ordinary pages become huge by madvise (MADV_HUGEPAGE)"
        }
        "sync" | "syncfs" => {
            "flushing the host's disks is refused; use fsync on the file, the result needs neither"
        }
        "setuid" | "setgid" | "setreuid" | "setregid" | "setresuid" | "setresgid" | "setfsuid"
        | "setfsgid" | "setgroups" | "capset" => {
            "a cell has one user and no capabilities; leave out changing the user"
        }
        "mknod" | "mknodat" => "only named pipes (FIFOs) can be made, no devices",
        "ioctl" => {
            "only terminal queries, FIONREAD, FIONBIO and close-on-exec are allowed of ioctl; there are no devices in a cell"
        }
        "prctl" => {
            "this option of prctl is not in the profile; see prctl in policies/groups/base.toml"
        }
        "seccomp" | "landlock_create_ruleset" | "landlock_add_rule" | "landlock_restrict_self" => {
            "the program is in a sandbox already; switch its own off"
        }
        "personality" => {
            "only asking for the personality is allowed; run the program without changing it (setarch)"
        }
        "sched_setscheduler" | "sched_setparam" | "sched_setattr" | "ioprio_set" => {
            "priorities are fixed; os.nice (setpriority) is allowed"
        }
        "shmget" | "shmat" | "shmctl" | "shmdt" | "semget" | "semop" | "semtimedop" | "semctl"
        | "msgget" | "msgsnd" | "msgrcv" | "msgctl" | "mq_open" | "mq_unlink" | "mq_timedsend"
        | "mq_timedreceive" | "mq_notify" | "mq_getsetattr" => {
            "System V memory, semaphores and queues and POSIX queues are not offered; use pipes, local sockets or multiprocessing"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::hint;
    use crate::arch::{Arch, names};

    #[test]
    fn every_hint_can_be_acted_on() {
        assert!(hint("socket", None).contains("no network"));
        assert!(hint("mount", None).contains("working folder"));
        assert!(hint("kcmp", None).contains("debuggers"));
        assert!(hint("name_to_handle_at", None).contains("[syscalls] allow"));
        assert!(hint("x32_write", None).contains("64-bit"));
        assert!(hint("syscall_999", None).contains("does not know"));
    }

    #[test]
    fn hints_name_real_calls() {
        for name in names() {
            assert!(Arch::ALL.iter().any(|arch| arch.number(name).is_some()));
            assert!(hint(name, None).len() > 20, "{name}");
        }
    }
}
