//! The first reads of a chip: which layout it has, and where its cores are.

use ttmem_model::l1::{ByteRange, Coordinate};

use super::counted::Counted;
use super::fault::Fault;
use super::layout::{CoreInfo, Layout, LayoutError};
use super::reader::OpenError;

/// Finds the layout by the magic number of the first core that has one.
pub(super) fn find_layout(port: &mut Counted<'_>) -> Result<Layout, OpenError> {
    let arch = port.port.chip().arch;
    let cores = port.port.chip().cores.clone();
    let range = Layout::probe_range(arch);
    let mut first_fault = None;
    for noc in &cores {
        let probe = match port.fetch(*noc, range) {
            Ok((_, probe)) => probe,
            Err(error) if error.is_local() => continue,
            Err(error) => return Err(error.into()),
        };
        match Layout::of_core(arch, &probe) {
            Ok(Some(layout)) => return Ok(layout),
            Ok(None) => {}
            Err(fault) => first_fault = first_fault.or(Some(fault)),
        }
    }
    Err(first_fault.unwrap_or(LayoutError::NoMagic { cores: cores.len() }).into())
}

/// Reads the coordinates and the grid that a core reports, with the block where one call reads both.
pub(super) fn read_first(
    port: &mut Counted<'_>,
    layout: &Layout,
    noc: Coordinate,
) -> Result<(Option<CoreInfo>, Option<Vec<u8>>), Fault> {
    let (block, info) = (layout.launch_range(), layout.core_info_range());
    if port.joins(block, info)
        && let Ok((range, bytes)) = port.fetch(noc, block.hull(info))
    {
        let part = |part: ByteRange| {
            let index = |address: u64| usize::try_from(address.checked_sub(range.start)?).ok();
            bytes.get(index(part.start)?..index(part.end)?)
        };
        let (Some(block), Some(info)) = (part(block), part(info)) else {
            return Err(Fault::CutOff);
        };
        return Ok((info_of(layout, info)?, Some(block.to_vec())));
    }
    // A capture need not hold what is between.
    Ok((read_info(port, layout, noc)?, None))
}

pub(super) fn read_info(
    port: &mut Counted<'_>,
    layout: &Layout,
    noc: Coordinate,
) -> Result<Option<CoreInfo>, Fault> {
    let (_, bytes) = port.fetch(noc, layout.core_info_range())?;
    info_of(layout, &bytes)
}

/// Decodes what a core reports about itself in the bytes at [`Layout::core_info_range`].
fn info_of(layout: &Layout, bytes: &[u8]) -> Result<Option<CoreInfo>, Fault> {
    let skip = layout.core_info_range().start.saturating_sub(layout.memory.mailbox);
    CoreInfo::read(layout, bytes, skip).map_err(Fault::CoreInfo)
}
