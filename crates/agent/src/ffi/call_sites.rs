//! Call sites: the library that contains one, and the op that its function belongs to.

use std::ffi::{CStr, OsStr, c_char};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use ttmem_segment::NameSource;

use super::objects::describe;
use super::symbols::LIBRARY;
use crate::ops::{Site, SiteClass, is_first_site};
use crate::process::SiteSlot;
use crate::recorder::Recorder;
use crate::{elf, names, symbols};

/// The facts about TT-Metal's library.
#[derive(Debug, Default)]
pub(super) struct Library {
    /// GNU build id.
    pub(super) build_id: Vec<u8>,
    /// Version of the Python package that brought it; empty if there is none.
    pub(super) version: String,
}

/// The facts about the library that contains an address.
pub(super) fn library(address: Option<u64>) -> Library {
    let path = address.and_then(module);
    let Some((path, _)) = path else { return Library::default() };
    Library {
        build_id: elf::build_id(&path).unwrap_or_default(),
        version: package_version(&path).unwrap_or_default(),
    }
}

/// The version in the name of `ttnn-<version>.dist-info` beside the package that contains a library.
fn package_version(library: &Path) -> Option<String> {
    let packages = library.ancestors().nth(4)?;
    std::fs::read_dir(packages).ok()?.flatten().find_map(|entry| {
        let name = entry.file_name();
        Some(name.to_str()?.strip_prefix("ttnn-")?.strip_suffix(".dist-info")?.to_owned())
    })
}

/// The file that an address was loaded from, and where it is in memory.
fn module(address: u64) -> Option<(PathBuf, u64)> {
    let found = describe(usize::try_from(address).ok()?)?;
    let path = text(found.dli_fname)?;
    Some((PathBuf::from(OsStr::from_bytes(path.to_bytes())), found.dli_fbase as u64))
}

fn text(pointer: *const c_char) -> Option<&'static CStr> {
    // SAFETY: the text belongs to the library that contains the address, whose code is being run.
    (!pointer.is_null()).then(|| unsafe { CStr::from_ptr(pointer) })
}

/// Classifies a new address in the code. Costs microseconds, once.
pub(super) fn classify(recorder: Recorder<'_>, address: u64) -> Site {
    let ignored = Site { name: 0, class: SiteClass::Ignored };
    let Some(found) = usize::try_from(address).ok().and_then(describe) else { return ignored };
    let module = text(found.dli_fname).map_or(&b""[..], CStr::to_bytes);
    if module.ends_with(LIBRARY.to_bytes()) {
        return ignored;
    }
    let offset = address.wrapping_sub(found.dli_fbase as u64);
    let Some(mangled) = text(found.dli_sname).and_then(|name| name.to_str().ok()) else {
        // A function that the library does not export. The thread finds its name.
        let name = names::reserve(recorder, offset);
        recorder.process.unnamed_sites.store(true, Ordering::Release);
        return Site { name, class: SiteClass::Op };
    };
    if mangled.starts_with("_ZN2tt8tt_metal") || mangled.starts_with("_ZNK2tt8tt_metal") {
        // TT-Metal itself in a library of another name.
        return ignored;
    }
    if !is_first_site(recorder.process, found.dli_saddr as u64) {
        return ignored;
    }
    named_site(recorder, names::reserve(recorder, offset), offset, mangled)
}

/// Writes the name of a call site whose function is known.
fn named_site(recorder: Recorder<'_>, name: u16, offset: u64, mangled: &str) -> Site {
    let function = || symbols::function(mangled).unwrap_or_default();
    let (class, text) = match symbols::op(mangled) {
        Some(op) => (SiteClass::Op, op.to_owned()),
        // The graph tracker's own code, inlined in a library of ops.
        None if mangled.starts_with("_ZN2tt8tt_metal") => (SiteClass::Ignored, function()),
        // It asks whether a graph is captured for an op that has only its name in Python.
        None if mangled.starts_with("_ZN4ttnn5graph") => {
            return Site { name: 0, class: SiteClass::Wrapper };
        }
        // The name of a function that frees a tensor is of no use, and it asks often.
        None if mangled.contains("dealloc") => (SiteClass::Ignored, function()),
        None => (SiteClass::Wrapper, function()),
    };
    if name != 0 {
        names::put(recorder, name, NameSource::CallSite, offset, text.as_bytes());
    }
    Site { name, class }
}

/// Finds the names of call sites in functions that their library does not export. On the sleeping thread: it reads files.
pub(super) fn name_sites(recorder: Recorder<'_>) {
    if !recorder.process.unnamed_sites.swap(false, Ordering::AcqRel) {
        return;
    }
    let mut unnamed: Vec<(&SiteSlot, u16, PathBuf, u64)> = Vec::new();
    for slot in &recorder.process.sites {
        let address = slot.address.load(Ordering::Acquire);
        let Some(site) = slot.site().filter(|site| site.class == SiteClass::Op && site.name != 0)
        else {
            continue;
        };
        if let Some((path, base)) = module(address)
            && !names::has_text(recorder, site.name)
        {
            unnamed.push((slot, site.name, path, address.wrapping_sub(base)));
        }
    }
    while let Some((_, _, path, _)) = unnamed.first() {
        let path = path.clone();
        let (mut here, elsewhere): (Vec<_>, Vec<_>) =
            unnamed.into_iter().partition(|(_, _, other, _)| *other == path);
        // The order in which they were met is lost; the order in the code is as good.
        here.sort_by_key(|(_, _, _, offset)| *offset);
        let offsets: Vec<u64> = here.iter().map(|(_, _, _, offset)| *offset).collect();
        let named = elf::function_names(&path, &offsets, |index, start, mangled| {
            let (slot, name, _, offset) = &here[index];
            let base = slot.address.load(Ordering::Relaxed).wrapping_sub(*offset);
            let site = named_site(recorder, *name, *offset, mangled);
            let is_first = is_first_site(recorder.process, base.wrapping_add(start));
            slot.set(if is_first { site } else { Site { class: SiteClass::Ignored, ..site } });
        });
        // A stripped library: its ops stay without names.
        drop(named);
        unnamed = elsewhere;
    }
}
