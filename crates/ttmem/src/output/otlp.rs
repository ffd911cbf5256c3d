//! Metrics of a snapshot, as OTLP has them: an `ExportMetricsServiceRequest` in protocol buffers.
//!
//! Binary and not JSON, since every receiver takes it. Nothing where nothing is known, as in [`super::openmetrics`].

mod chips;
mod message;
mod point;

use ttmem_model::snapshot::SourceStatus;
use ttmem_model::{Severity, Snapshot};

use message::Message;
use point::{Attributes, Number, Points};

use crate::field::metric::otel;

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
    let own = [
        ("service.name", Some("ttmem")),
        ("service.version", Some(snapshot.host.ttmem.as_str())),
        ("service.instance.id", snapshot.host.name.as_deref()),
        ("host.name", snapshot.host.name.as_deref()),
    ];
    let all = given.iter().fold(Attributes::default(), |all, (key, value)| all.with(key, value));
    own.into_iter()
        .filter(|(key, _)| !given.iter().any(|(name, _)| name == key))
        .fold(all, |all, (key, value)| all.maybe(key, value))
}

/// Returns the metrics of the host and of the sources.
fn host(snapshot: &Snapshot) -> Vec<Points> {
    let mut findings = Points::new(&otel::FINDINGS);
    for severity in [Severity::Info, Severity::Warning, Severity::Error] {
        let count = snapshot.findings.iter().filter(|finding| finding.severity == severity).count();
        let attributes = Attributes::default().with("ttmem.severity", severity.as_str());
        findings.add(attributes, Number::Whole(count as u64));
    }
    let mut up = Points::new(&otel::SOURCE_UP);
    for source in &snapshot.sources {
        // A source that is not there or was not asked for is neither up nor down.
        let status = match source.status {
            SourceStatus::Ok => 1,
            SourceStatus::Denied | SourceStatus::Failed => 0,
            SourceStatus::Absent | SourceStatus::NotRead => continue,
        };
        let attributes = Attributes::default().with("ttmem.source", source.name.as_str());
        up.add(attributes, Number::Whole(status));
    }
    vec![findings, up]
}

#[cfg(test)]
mod tests;
