//! Reports that `ttmem run --report=FILE.json` wrote: of each process, what the ranks of a job are compared by.

use serde::Deserialize;
use ttmem_model::{Kind, Timestamp};

use super::End;
use super::ranks::{Member, RankFailure, RankPeak};

#[derive(Debug, Deserialize)]
struct Document {
    schema: String,
    version: String,
    processes: Vec<Process>,
}

#[derive(Debug, Deserialize)]
struct Process {
    pid: u32,
    #[serde(default)]
    host: Option<String>,
    #[serde(default)]
    rank: Option<String>,
    since: Timestamp,
    end: End,
    #[serde(default)]
    peaks: Vec<RankPeak>,
    #[serde(default)]
    failures: Vec<Refusal>,
    #[serde(default)]
    programs: Option<Programs>,
}

#[derive(Debug, Default, Deserialize)]
struct Programs {
    #[serde(default)]
    refused: Vec<Refusal>,
}

/// An allocation or a program that TT-Metal refused.
#[derive(Debug, Deserialize)]
struct Refusal {
    #[serde(default)]
    op: Option<String>,
    #[serde(default)]
    kind: Option<Kind>,
    after_us: u64,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    explanation: Option<Explanation>,
}

#[derive(Debug, Deserialize)]
struct Explanation {
    title: String,
}

/// Reads the ranks of a report in JSON, as `ttmem run` and `ttmem report` write it. `None` if it is not one.
///
/// # Errors
/// If it is one of another version, or is not complete.
pub fn saved_ranks(json: &[u8]) -> Result<Option<Vec<Member>>, String> {
    #[derive(Deserialize)]
    struct Head {
        schema: Option<String>,
    }
    let is_report = |head: &Head| head.schema.as_deref() == Some("ttmem/run");
    let begins = |name: &[u8]| json.windows(name.len()).take(HEAD_BYTES).any(|part| part == name);
    match serde_json::from_slice::<Head>(json) {
        Ok(head) if is_report(&head) => {}
        // A report that was cut is not passed over in silence.
        Err(error) if begins(b"\"ttmem/run\"") => return Err(error.to_string()),
        Ok(_) | Err(_) => return Ok(None),
    }
    let document: Document = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    if document.version.split('.').next() != Some("1") {
        let Document { schema, version, .. } = document;
        return Err(format!("{schema} is version {version}, this ttmem reads 1.x"));
    }
    Ok(Some(document.processes.into_iter().filter_map(member).collect()))
}

/// Bytes in which a report has its schema.
const HEAD_BYTES: usize = 256;

fn member(process: Process) -> Option<Member> {
    let rank = process.rank.as_deref()?.parse().ok()?;
    let (host, since) = (process.host, process.since);
    let refused = process.programs.unwrap_or_default().refused;
    let refusal = |it: Refusal| RankFailure {
        rank,
        host: host.clone(),
        op: it.op,
        kind: it.kind,
        at_us: Timestamp(since.0.saturating_add(it.after_us)),
        title: match (it.explanation, it.reason) {
            (Some(explanation), _) => explanation.title,
            (None, reason) => reason.unwrap_or_default().replace('_', " "),
        },
    };
    let refusals = process.failures.into_iter().chain(refused).map(refusal).collect();
    let (pid, end, peaks) = (process.pid, process.end, process.peaks);
    Some(Member { rank, host, pid, since, end, peaks, refusals })
}

#[cfg(test)]
mod tests {
    use ttmem_fake::segment::{NewBuffer, Segment as Fake};
    use ttmem_segment::{AllocatorKind, Reader};

    use super::*;
    use crate::run_report::{ProcessReport, RunReport};

    #[test]
    fn what_is_read_back_is_what_was_written() {
        let softmax = NewBuffer::new(AllocatorKind::Dram, 1 << 40, "Softmax");
        let fake = Fake::wormhole(7, 70, 5)
            .allocate(NewBuffer::new(AllocatorKind::Dram, 1 << 20, "Embedding"))
            .wait(20)
            .fail(softmax);
        let report = ProcessReport::of(&Reader::parse(&fake.image()).unwrap(), false);
        let report = ProcessReport { rank: Some("3".to_owned()), ..report };
        let written = Member::of(&report).unwrap();
        assert_eq!((written.peaks.len(), written.refusals.len()), (1, 1));
        let json = serde_json::to_vec_pretty(&RunReport::new(vec![report])).unwrap();
        assert_eq!(saved_ranks(&json), Ok(Some(vec![written])));
        assert!(saved_ranks(&json[..json.len() / 2]).is_err(), "a report that was cut");
        let newer =
            String::from_utf8(json).unwrap().replacen("\"version\": \"1.", "\"version\": \"2.", 1);
        assert!(saved_ranks(newer.as_bytes()).is_err_and(|error| error.contains("reads 1.x")));
        for other in ["{}", "[1]", "{\"schema\": \"ttmem/snapshot\"}", "no JSON"] {
            assert_eq!(saved_ranks(other.as_bytes()), Ok(None), "{other}");
        }
    }
}
