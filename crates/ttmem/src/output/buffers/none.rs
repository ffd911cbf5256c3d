//! The reason that there are no buffers to list.

use ttmem_model::SourceName;
use ttmem_model::snapshot::{Source, SourceStatus};

/// The reason that no process shows its buffers, and what to do: how the source did, and a line.
#[must_use]
pub(crate) fn why_none(sources: &[Source]) -> (SourceStatus, String) {
    let agent = sources.iter().find(|source| source.name == SourceName::Agent);
    let status = agent.map_or(SourceStatus::Absent, |source| source.status);
    let detail = agent.map(|source| source.detail.as_str()).unwrap_or_default();
    let text = match status {
        SourceStatus::Denied => {
            format!("no permission to read {detail}; run as the workload's user or as root")
        }
        SourceStatus::Failed => {
            format!("no segment could be read: {detail}; ttmem doctor says why")
        }
        _ => "no process runs with the agent; start one with ttmem run -- CMD".to_owned(),
    };
    (status, text)
}
