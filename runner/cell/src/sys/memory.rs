//! Pages of memory. Must never change what is in one.

/// What for pages are to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Populate {
    /// They are mapped.
    Read,
    /// They are this process's own.
    Write,
}

/// Bytes of a page.
pub(crate) fn page_size() -> u64 {
    rustix::param::page_size() as u64
}

/// Has the pages of a range as if each was read, or written to (madvise(2), since Linux 5.14).
pub(crate) fn populate(from: u64, length: u64, way: Populate) {
    let (Ok(from), Ok(length)) = (usize::try_from(from), usize::try_from(length)) else {
        return;
    };
    let advice = match way {
        Populate::Read => libc::MADV_POPULATE_READ,
        Populate::Write => libc::MADV_POPULATE_WRITE,
    };
    // SAFETY: neither changes any content; where there is no such memory the call fails, which is no matter: pages come
    // when they are used.
    unsafe { libc::madvise(std::ptr::with_exposed_provenance_mut(from), length, advice) };
}

/// Has each fork copy what is mapped of a private mapping of a file that is not written to, which it leaves out otherwise
/// (`vma_needs_copy` in the kernel's mm/memory.c): by owning one page of it. From and to where the mapping goes, all of
/// it, since a part would become a mapping of its own; and whether it is executable. Changes no content. Whether it worked.
pub(crate) fn copy_with_forks(from: u64, to: u64, executable: bool) -> bool {
    let (Ok(start), Ok(length)) = (usize::try_from(from), usize::try_from(to - from)) else {
        return false;
    };
    let access = libc::PROT_READ | if executable { libc::PROT_EXEC } else { 0 };
    let start: *mut u8 = std::ptr::with_exposed_provenance_mut(start);
    // SAFETY: mprotect(2) fails where there is no such mapping. In between, the byte that is there is written back; what
    // is executable stays so, since this code may be in it. Nobody else runs: one thread.
    unsafe {
        if libc::mprotect(start.cast(), length, access | libc::PROT_WRITE) != 0 {
            return false;
        }
        start.write_volatile(start.read_volatile());
        if libc::mprotect(start.cast(), length, access) != 0 {
            // No job is to have text that it can write to: then there is no template.
            super::fork::exit_now(1);
        }
        true
    }
}
