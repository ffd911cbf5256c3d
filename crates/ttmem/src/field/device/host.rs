//! The fields of a host.

use ttmem_model::Severity;

use super::{DeviceField, DeviceRead};
use crate::field::Field;
use crate::field::cell::Cell;
use crate::field::metric::Attribute::{Point, Resource};
use crate::field::metric::{Sample, Scale, otel as o, prometheus as p};

macro_rules! host {
    ($name:expr, $help:expr, $read:expr) => {
        Field::plain($name, $help, DeviceRead::Host($read))
    };
}

macro_rules! findings {
    ($severity:ident, $name:literal) => {
        host!(
            concat!("findings.", $name),
            concat!("Findings of severity ", $name, "."),
            |snapshot| Cell::count(
                snapshot
                    .findings
                    .iter()
                    .filter(|finding| finding.severity == Severity::$severity)
                    .count()
            )
        )
        .exported(
            Sample::of(&p::FINDINGS).label("severity", $name),
            Sample::of(&o::FINDINGS).label("ttmem.severity", $name),
        )
    };
}

/// Fields that are equal for every chip of a host.
pub(super) const HOST: &[DeviceField] = &[
    host!("timestamp", "When the snapshot was taken, UTC.", |snapshot| {
        Cell::time(snapshot.time_us)
    })
    .in_prometheus(Sample::of(&p::SAMPLE_TIME).scaled(Scale::Micro)),
    host!("host.name", "The name of the machine.", |snapshot| {
        Cell::optional(snapshot.host.name.as_deref(), "procfs does not show it")
    })
    .attributes(&[Resource("service.instance.id"), Resource("host.name")]),
    host!("host.kernel", "The release of its Linux kernel.", |snapshot| {
        Cell::optional(snapshot.host.kernel.as_deref(), "procfs does not show it")
    })
    .info("kernel"),
    host!("driver_version", "The version of the Tenstorrent kernel driver.", |snapshot| {
        let absent = if snapshot.chips.iter().any(|chip| chip.bdf.is_some()) {
            "/sys/module/tenstorrent/version does not show it"
        } else {
            "the driver is not loaded"
        };
        Cell::optional(snapshot.host.driver.as_deref(), absent)
    })
    .info("driver")
    .attributes(&[Point("hw.driver_version")]),
    host!("ttmem_version", "The version of the ttmem that took the snapshot.", |snapshot| {
        Cell::text(snapshot.host.ttmem.as_str())
    })
    .info("version")
    .attributes(&[Resource("service.version")]),
    host!("demo", "true for the embedded example host.", |snapshot| {
        Cell::text(if snapshot.demo { "true" } else { "false" })
    }),
    host!("count", "Number of chips.", |snapshot| { Cell::count(snapshot.chips.len()) }),
    findings!(Info, "info"),
    findings!(Warning, "warning"),
    findings!(Error, "error"),
];
