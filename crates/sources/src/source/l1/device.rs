//! The driver's devices: opened for one look by the rules of their port, and closed at once.

use std::time::Duration;

use ttmem_model::MissingReason;
use ttmem_model::facts::{Device, Field, L1Content, L1Facts, L1Location};
use ttmem_model::reading::Missing;

use super::{
    Kernels, L1Request, NamedLayout, Surroundings, broken, cannot_open, content, firmware,
};
use crate::l1::{Cost, Reader};
use crate::port::kmd::{Budget, KmdPort, KmdPortError, Rules};

/// The budget of saving: 82 KiB of each of 140 cores, and half a minute for them.
const SAVING: Budget = Budget { bytes: 12 << 20, time: Duration::from_secs(30) };

/// Reads a device.
pub(super) fn read(host: Surroundings<'_>, device: &Device, request: &L1Request) -> L1Facts {
    let kernels = kernels(device);
    let content = read_content(host, device, request);
    let names = match &content {
        Ok(_) => kernels.names(host),
        Err(_) => Err(Missing::not_read("L1 was not read")),
    };
    L1Facts {
        location: L1Location::Device(device.number),
        port: format!("/dev/tenstorrent/{}", device.number),
        arch: device.arch.as_ref().ok().copied(),
        content,
        names,
        read_at: host.clock.now(),
    }
}

/// The kernels of all processes that have the device open.
pub(super) fn kernels(device: &Device) -> Kernels {
    Kernels::Of(device.holders.as_ref().map(|holders| holders.pids.clone()).unwrap_or_default())
}

/// Opens a device to save it.
pub(super) fn open_to_save(
    host: Surroundings<'_>,
    device: &Device,
    layout: Option<&NamedLayout>,
) -> Field<(KmdPort, Reader)> {
    let (port, reader, _) = open(host, device, SAVING, layout)?;
    Ok((port, reader))
}

fn read_content(host: Surroundings<'_>, device: &Device, request: &L1Request) -> Field<L1Content> {
    let watch = host.clock.start();
    let usual = Budget::default();
    let budget = Budget { bytes: request.budget.unwrap_or(usual.bytes), ..usual };
    let layout = request.layout.as_deref();
    let (mut port, mut reader, opening) = open(host, device, budget, layout)?;
    content(&mut port, &mut reader, opening, watch)
}

/// Opens a device and finds its cores: at first the one at logical (0, 0), then those of the grid that it names.
fn open(
    host: Surroundings<'_>,
    device: &Device,
    budget: Budget,
    layout: Option<&NamedLayout>,
) -> Field<(KmdPort, Reader, Cost)> {
    if device.late.is_some() {
        return Err(Missing::failed("timed out: the driver does not answer for this device"));
    }
    if device.answers_ones {
        return Err(Missing::failed(
            "the chip answers with all ones: it is in reset, or its link is down",
        ));
    }
    let arch = device.arch.clone()?;
    let rules = Rules { budget, clock: host.clock, ..Rules::default() };
    let mut port =
        KmdPort::open(host.root, device.number, arch, rules).map_err(|error| refusal(&error))?;
    let kernels = kernels(device);
    let first = firmware::open_reader(&mut port, host.root, kernels.pids(), layout);
    let first = first.map_err(cannot_open)?;
    let mut one = first.clone();
    let (cores, looking) = one.sample(&mut port).map_err(|error| broken(&error))?;
    let own = cores.first().and_then(|core| Some((core.logical?, core.grid?)));
    let (logical, grid) = own.ok_or_else(|| {
        let detail = cores.into_iter().next().and_then(|core| core.detail).unwrap_or_default();
        Missing::failed(format!("the first core does not report its coordinate: {detail}"))
    })?;
    port.admit_grid(logical, grid).map_err(|error| refusal(&error))?;
    let reader = Reader::with_layout(&mut port, first.layout().clone());
    let reader = reader.map_err(|error| broken(&error))?;
    let costs = [first.opening_cost(), looking, reader.opening_cost()];
    let opening = costs.into_iter().fold(Cost::default(), Cost::plus);
    Ok((port, reader, opening))
}

/// The reason that a device is not read, in terms that decide how `ttmem` ends.
fn refusal(error: &KmdPortError) -> Missing {
    let reason = match error {
        KmdPortError::NoOwnerList(missing) => missing.reason,
        KmdPortError::NoOwner { .. } => MissingReason::NoSource,
        KmdPortError::NotMetal { .. } | KmdPortError::Denied { .. } => MissingReason::Denied,
        KmdPortError::NotSystem
        | KmdPortError::Absent { .. }
        | KmdPortError::WrongDevice { .. }
        | KmdPortError::Interface { .. } => MissingReason::Unsupported,
        _ => MissingReason::Failed,
    };
    Missing::new(reason, error.to_string())
}
