//! Signal dispositions back to their defaults.
//!
//! Ignored signals survive exec: Rust's runtime ignores SIGPIPE and a shell may have ignored SIGINT
//! or SIGHUP, and the job would inherit both.

/// Sets every signal's action to the default. SIGKILL, SIGSTOP and the two of the C library can't be
/// set and are left.
pub(crate) fn reset_to_default() {
    for signal in 1..=64 {
        // SAFETY: signal(2) with SIG_DFL installs no handler of ours; for a number that may not be
        // set it returns SIG_ERR and changes nothing.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

/// Lets every signal through again; a mask, too, survives exec.
pub(crate) fn reset_mask() -> Result<(), rustix::io::Errno> {
    nix::sys::signal::SigSet::empty()
        .thread_set_mask()
        .map_err(crate::enter::errno)
}
