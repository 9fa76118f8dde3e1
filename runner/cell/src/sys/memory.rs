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
