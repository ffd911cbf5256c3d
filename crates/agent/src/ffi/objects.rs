//! The libraries that are loaded: which one an address belongs to.

use std::ffi::{CStr, CString, c_int};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicUsize, Ordering};

use libc::{Dl_info, c_void, dl_phdr_info, size_t};

/// Type of a program header of mapped bytes of the file (`PT_LOAD` of `elf.h`).
const PT_LOAD: u32 = 1;

/// The facts of the dynamic linker about an address.
pub(super) fn describe(address: usize) -> Option<Dl_info> {
    let mut found = Dl_info {
        dli_fname: null(),
        dli_fbase: null_mut(),
        dli_sname: null(),
        dli_saddr: null_mut(),
    };
    let address: *const c_void = std::ptr::with_exposed_provenance(address);
    // SAFETY: the address is only looked up.
    let known = unsafe { libc::dladdr(address, &raw mut found) };
    (known != 0).then_some(found)
}

/// The name under which the library around an address was loaded.
pub(super) fn name(address: usize) -> Option<CString> {
    let found = describe(address)?;
    // SAFETY: the text belongs to the library that the address is in, whose code is running.
    (!found.dli_fname.is_null()).then(|| unsafe { CStr::from_ptr(found.dli_fname) }.to_owned())
}

/// True if an address is in the agent.
pub(super) fn is_agent(address: usize) -> bool {
    static BASE: AtomicUsize = AtomicUsize::new(0);
    let base = |address: usize| describe(address).map_or(0, |found| found.dli_fbase.addr());
    let mut agent = BASE.load(Ordering::Relaxed);
    if agent == 0 {
        agent = base((&raw const BASE).addr());
        BASE.store(agent, Ordering::Relaxed);
    }
    base(address) == agent
}

/// First address and bytes of the library around an address.
pub(super) fn containing(address: usize) -> Option<(usize, usize)> {
    let mut found = None;
    each(&mut |object| {
        let range = object.range();
        if range.is_some_and(|(start, bytes)| address.wrapping_sub(start) < bytes) {
            found = range;
        }
    });
    found
}

/// The names of all libraries, without the program's own.
pub(super) fn names() -> Vec<CString> {
    let mut names = Vec::new();
    each(&mut |object| names.extend(object.name().filter(|name| !name.is_empty())));
    names
}

/// A loaded library, for the length of a callback.
struct Object<'call>(&'call dl_phdr_info);

impl Object<'_> {
    fn name(&self) -> Option<CString> {
        // SAFETY: the linker's own text, which it keeps during the callback.
        (!self.0.dlpi_name.is_null())
            .then(|| unsafe { CStr::from_ptr(self.0.dlpi_name) }.to_owned())
    }

    /// First address and bytes from the first to the last mapped byte.
    fn range(&self) -> Option<(usize, usize)> {
        if self.0.dlpi_phdr.is_null() {
            return None;
        }
        let count = usize::from(self.0.dlpi_phnum);
        // SAFETY: the linker passes the number of headers that follow, and keeps them during the callback.
        let headers = unsafe { std::slice::from_raw_parts(self.0.dlpi_phdr, count) };
        let loaded = headers.iter().filter(|header| header.p_type == PT_LOAD);
        let (start, end) = loaded.fold((u64::MAX, 0), |(start, end), header| {
            let header_end = header.p_vaddr.saturating_add(header.p_memsz);
            (start.min(header.p_vaddr), end.max(header_end))
        });
        let bytes = usize::try_from(end.checked_sub(start)?).ok()?;
        Some((usize::try_from(self.0.dlpi_addr.wrapping_add(start)).ok()?, bytes))
    }
}

/// Calls `visit` for every library, under a lock of the dynamic linker: it must not load or look up anything.
fn each(visit: &mut dyn FnMut(&Object<'_>)) {
    type Visit<'visit> = &'visit mut dyn FnMut(&Object<'_>);

    unsafe extern "C" fn call(info: *mut dl_phdr_info, _: size_t, data: *mut c_void) -> c_int {
        // SAFETY: the linker passes a description that is valid during the call, or null.
        let info = unsafe { info.as_ref() };
        // SAFETY: `data` is the pointer that `each` passed, to a value that outlives the iteration.
        let visit = unsafe { data.cast::<Visit<'_>>().as_mut() };
        if let (Some(info), Some(visit)) = (info, visit) {
            visit(&Object(info));
        }
        0
    }

    let mut visit: Visit<'_> = visit;
    // SAFETY: the callback gets what it expects, and only while this function runs.
    unsafe { libc::dl_iterate_phdr(Some(call), (&raw mut visit).cast()) };
}
