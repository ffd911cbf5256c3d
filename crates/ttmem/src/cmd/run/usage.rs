//! Memory of the processes of a command, as the kernel counted it until they ended.

/// Returns the most resident memory, in bytes, of any process that this one, or one of its children, has waited for.
#[expect(unsafe_code, reason = "neither the standard library nor rustix has getrusage")]
pub(super) fn peak_of_children() -> Option<u64> {
    // SAFETY: plain data, for which zero is valid.
    let mut usage = unsafe { std::mem::zeroed::<libc::rusage>() };
    // SAFETY: the pointer is valid for the call, which only writes to it.
    let asked = unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage) };
    // The kernel counts in KiB; 0 is the answer if no child was waited for.
    let kib = u64::try_from(usage.ru_maxrss).ok().filter(|kib| *kib > 0 && asked == 0)?;
    kib.checked_mul(1024)
}
