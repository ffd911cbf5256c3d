//! Metrics of a snapshot, as OTLP has them: an `ExportMetricsServiceRequest` in protocol buffers.
//!
//! Binary and not JSON, since every receiver takes it. Nothing where nothing is known, as in [`super::openmetrics`].

mod chips;
mod message;
mod point;

use ttmem_model::Snapshot;

use message::Message;
use point::{Attributes, Points};

use crate::field::cell::Cell;
use crate::field::device::{self, DeviceField, DeviceRead};
use crate::field::metric::{self, Attribute};
use crate::field::source;

/// The content type of a request.
pub(crate) const CONTENT_TYPE: &str = "application/x-protobuf";

/// The request that exports a snapshot. `resource` are further attributes of the host, such as those of
/// `OTEL_RESOURCE_ATTRIBUTES`; they go before our own.
#[must_use]
pub(crate) fn request(snapshot: &Snapshot, resource: &[(String, String)]) -> Vec<u8> {
    let nanoseconds = snapshot.time_us.0.saturating_mul(1000);
    let mut metrics = chips::metrics(snapshot);
    metrics.extend(host(snapshot));
    let scope = Message::default().string(1, "ttmem").string(2, env!("CARGO_PKG_VERSION"));
    let scope = Message::default().message(1, &scope);
    let scope = metrics
        .iter()
        .filter_map(|metric| metric.message(nanoseconds))
        .fold(scope, |scope, metric| scope.message(2, &metric));
    let attributes = of_host(snapshot, resource).put(1, Message::default());
    let exported = Message::default().message(1, &attributes).message(2, &scope);
    Message::default().message(1, &exported).bytes()
}

/// Returns the resource attributes of the machine.
fn of_host(snapshot: &Snapshot, given: &[(String, String)]) -> Attributes {
    let all = given.iter().fold(Attributes::default(), |all, (key, value)| all.with(key, value));
    let is_given = |key: &str| given.iter().any(|(name, _)| name == key);
    let own = device::fields().iter().flat_map(|field| {
        let names = field.attributes.iter();
        names.filter_map(move |attribute| match attribute {
            Attribute::Resource(name) => Some((*name, field.of_host(snapshot)?)),
            Attribute::Point(_) => None,
        })
    });
    let service = ("service.name", Cell::text("ttmem"));
    all.with_cells(std::iter::once(service).chain(own).filter(|(key, _)| !is_given(key)))
}

/// Returns the metrics of the host and of its sources.
fn host(snapshot: &Snapshot) -> Vec<Points> {
    let of_host = |field: &DeviceField| {
        field.otel().filter(|_| matches!(field.read, DeviceRead::Host(_))).collect::<Vec<_>>()
    };
    let mut metrics = Vec::new();
    for (metric, rows) in metric::grouped(device::fields(), of_host) {
        let mut points = Points::new(metric);
        for (sample, field) in rows {
            let cell = field.of_host(snapshot);
            cell.iter().for_each(|cell| points.sample(Attributes::default(), &sample, cell));
        }
        metrics.push(points);
    }
    for (metric, rows) in metric::grouped(source::FIELDS, |field| field.otel().collect::<Vec<_>>())
    {
        let mut points = Points::new(metric);
        for source in &snapshot.sources {
            for (sample, field) in &rows {
                let name = Attributes::default().with("ttmem.source", source.name.as_str());
                points.sample(name, sample, &(field.read)(source));
            }
        }
        metrics.push(points);
    }
    metrics
}

#[cfg(test)]
mod tests;
