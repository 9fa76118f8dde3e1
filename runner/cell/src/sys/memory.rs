//! Pages of memory.

/// Bytes of a page.
pub(crate) fn page_size() -> u64 {
    rustix::param::page_size() as u64
}

/// Writes to each page of a range, for what that copies, and changes none (madvise(2), since Linux 5.14).
pub(crate) fn populate(from: u64, length: u64) {
    let (Ok(from), Ok(length)) = (usize::try_from(from), usize::try_from(length)) else {
        return;
    };
    // SAFETY: MADV_POPULATE_WRITE changes no content; where there is no such memory the call fails, which is no matter:
    // the pages are copied when they are written to.
    unsafe {
        libc::madvise(
            std::ptr::with_exposed_provenance_mut(from),
            length,
            libc::MADV_POPULATE_WRITE,
        )
    };
}
