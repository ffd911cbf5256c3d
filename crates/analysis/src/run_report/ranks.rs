//! The ranks of a job side by side: the peaks of each, how unequal they are, and what failed first. Times of different hosts
//! are compared as their clocks of the time of day have them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use ttmem_model::order;
use ttmem_model::order::Gather as _;
use ttmem_model::{Kind, Timestamp};

use super::{End, ProcessReport};

/// The kinds that ranks are compared by.
const KINDS: [Kind; 4] = Kind::ALLOCATOR;

/// The ranks of a job.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ranks {
    /// The number of hosts, 0 if none is known.
    pub hosts: u64,
    /// Time at which the first rank first used TT-Metal.
    pub since: Timestamp,
    /// The ranks, in their order.
    pub each: Vec<Rank>,
    /// Kinds that some rank used.
    pub imbalance: Vec<Imbalance>,
    /// The first refusal of any rank; `None` if TT-Metal refused nothing.
    pub first_failure: Option<RankFailure>,
}

/// One process of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rank {
    /// Rank.
    pub rank: u64,
    /// The host that it ran on, if known.
    pub host: Option<String>,
    /// Process id in the process's own namespace.
    pub(crate) pid: u32,
    /// Microseconds from the beginning of the first rank to its own.
    pub(crate) after_us: u64,
    /// The way in which it ended.
    pub end: End,
    /// Highest peak on any chip, by kind.
    pub(crate) peaks: Vec<RankPeak>,
}

/// The highest peak of a rank on any chip.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RankPeak {
    /// The kind.
    pub(crate) kind: Kind,
    /// Bytes on the chip.
    pub bytes: u64,
    /// The op of the allocation that led to the peak.
    pub op: Option<String>,
}

/// The spread of the peaks of a kind over the ranks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Imbalance {
    /// The kind.
    pub kind: Kind,
    /// The least peak of a rank, in bytes.
    pub least: u64,
    /// The mean of the peaks, in bytes.
    pub mean: u64,
    /// The highest peak, in bytes.
    pub most: u64,
    /// The rank with the highest peak.
    pub rank: u64,
    /// The highest peak over the mean; 1 if all are equal.
    pub ratio: f64,
}

/// An allocation or program of a rank that TT-Metal refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RankFailure {
    /// The rank.
    pub rank: u64,
    /// Host that the rank ran on, if known.
    pub host: Option<String>,
    /// The op, if known.
    pub op: Option<String>,
    /// The kind; `None` for a program.
    pub(crate) kind: Option<Kind>,
    /// Time of the refusal.
    pub at_us: Timestamp,
    /// The problem, in one line.
    pub title: String,
}

/// The figures of a rank's process that are compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub(super) rank: u64,
    pub(super) host: Option<String>,
    pub(super) pid: u32,
    pub(super) since: Timestamp,
    pub(super) end: End,
    pub(super) peaks: Vec<RankPeak>,
    pub(super) refusals: Vec<RankFailure>,
}

impl Member {
    /// Returns what is compared of a process; `None` if it has no number as its rank.
    #[must_use]
    pub fn of(process: &ProcessReport) -> Option<Self> {
        let rank = process.rank.as_deref()?.parse().ok()?;
        let peaks = process.peaks.iter().map(|peak| RankPeak {
            kind: peak.kind,
            bytes: peak.bytes,
            op: peak.op.clone(),
        });
        Some(Self {
            rank,
            host: process.host.clone(),
            pid: process.pid,
            since: process.since,
            end: process.end,
            peaks: peaks.collect(),
            refusals: refusals(rank, process).collect(),
        })
    }

    /// True if both are the same process, seen by a recording and by a report.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        (self.rank, self.pid, self.since) == (other.rank, other.pid, other.since)
    }
}

impl Ranks {
    /// Merges the processes of a job. `None` if there are not two ranks.
    #[must_use]
    pub fn of(members: impl IntoIterator<Item = Member>) -> Option<Self> {
        let mut members: Vec<Member> = members.into_iter().collect();
        order::sort_by_key(&mut members, |member| (member.rank, member.since, member.pid));
        if members.iter().map(|member| member.rank).gather::<BTreeSet<_>>().len() < 2 {
            return None;
        }
        let since = members.iter().map(|member| member.since).min()?;
        let ranks: Vec<Rank> = members.iter().map(|member| Rank::of(member, since)).collect();
        let hosts = members.iter().filter_map(|member| member.host.as_ref());
        Some(Self {
            hosts: hosts.gather::<BTreeSet<_>>().len() as u64,
            since,
            imbalance: KINDS.into_iter().filter_map(|kind| imbalance(kind, &ranks)).collect(),
            first_failure: members
                .iter()
                .flat_map(|member| &member.refusals)
                .min_by_key(|failure| failure.at_us)
                .cloned(),
            each: ranks,
        })
    }
}

impl Rank {
    fn of(member: &Member, since: Timestamp) -> Self {
        let peak = |kind| {
            let of_kind = member.peaks.iter().filter(|peak| peak.kind == kind);
            of_kind.max_by_key(|peak| peak.bytes).cloned()
        };
        Self {
            rank: member.rank,
            host: member.host.clone(),
            pid: member.pid,
            after_us: member.since.micros_since(since),
            end: member.end,
            peaks: KINDS.into_iter().filter_map(peak).collect(),
        }
    }

    /// Returns the bytes of the highest peak of a kind; 0 if it used none.
    #[must_use]
    pub fn bytes(&self, kind: Kind) -> u64 {
        self.peaks.iter().find(|peak| peak.kind == kind).map_or(0, |peak| peak.bytes)
    }
}

/// Compares the peaks of a kind; `None` if no rank used it.
fn imbalance(kind: Kind, ranks: &[Rank]) -> Option<Imbalance> {
    let bytes = || ranks.iter().map(|rank| rank.bytes(kind));
    // Of equal peaks the first rank's counts.
    let most = ranks.iter().rev().max_by_key(|rank| rank.bytes(kind))?;
    let (highest, sum) = (most.bytes(kind), bytes().fold(0, u64::saturating_add));
    let mean = sum / ranks.len() as u64;
    (highest > 0).then(|| Imbalance {
        kind,
        least: bytes().min().unwrap_or(0),
        mean,
        most: highest,
        rank: most.rank,
        ratio: highest as f64 * ranks.len() as f64 / sum as f64,
    })
}

/// Returns the allocations and programs that TT-Metal refused.
fn refusals(rank: u64, process: &ProcessReport) -> impl Iterator<Item = RankFailure> {
    let failure = move |after_us, op: &Option<String>, kind, title: String| RankFailure {
        rank,
        host: process.host.clone(),
        op: op.clone(),
        kind,
        at_us: Timestamp(process.since.0.saturating_add(after_us)),
        title,
    };
    let allocations = process
        .failures
        .iter()
        .map(move |it| failure(it.after_us, &it.op, Some(it.kind), it.explanation.title.clone()));
    let programs = process.programs.iter().flat_map(|programs| &programs.refused);
    let programs = programs.map(move |it| {
        let title = it.explanation.as_ref().map(|explanation| explanation.title.clone());
        failure(it.after_us, &it.op, None, title.unwrap_or_else(|| it.reason.replace('_', " ")))
    });
    allocations.chain(programs)
}

#[cfg(test)]
mod tests {
    use ttmem_fake::segment::{NewBuffer, Segment as Fake};
    use ttmem_segment::{AllocatorKind, Reader};

    use super::*;
    use crate::run_report::RunReport;

    /// A rank with so many MiB of DRAM in every bank, and an allocation that is refused after some milliseconds.
    fn process(rank: &str, mib: u64, refused_after: Option<u64>) -> ProcessReport {
        let mut fake = Fake::wormhole(7, 70, 5).allocate(NewBuffer::new(
            AllocatorKind::Dram,
            mib << 20,
            "Embedding",
        ));
        if let Some(milliseconds) = refused_after {
            let softmax = NewBuffer::new(AllocatorKind::Dram, 1 << 40, "Softmax");
            fake = fake.wait(milliseconds).fail(softmax);
        }
        let report = ProcessReport::of(&Reader::parse(&fake.image()).unwrap(), false);
        let host = Some(format!("host{}", rank.len()));
        ProcessReport { rank: Some(rank.to_owned()), host, ..report }
    }

    #[test]
    fn ranks_are_merged_on_one_clock() {
        let mut late = process("2", 30, Some(10));
        // It refused earlier after its own beginning, and later by the time of day.
        late.since = Timestamp(late.since.0 + 500_000);
        let report = RunReport::new(vec![
            late,
            process("10", 10, Some(200)),
            process("0", 20, None),
            process("gw0", 99, None),
        ]);
        let job = report.ranks.unwrap();
        let ranks: Vec<_> = job.each.iter().map(|rank| (rank.rank, rank.after_us)).collect();
        assert_eq!(ranks, [(0, 0), (2, 500_000), (10, 0)]);
        assert_eq!(job.hosts, 2);
        let mib = |mib: u64| 12 * (mib << 20);
        let dram = &job.imbalance[0];
        assert_eq!((dram.kind, dram.rank), (Kind::Dram, 2));
        assert_eq!((dram.least, dram.mean, dram.most), (mib(10), mib(20), mib(30)));
        assert!((dram.ratio - 1.5).abs() < 1e-9 && job.imbalance.len() == 1, "{:?}", job.imbalance);
        let failure = job.first_failure.unwrap();
        assert_eq!((failure.rank, failure.op.as_deref()), (10, Some("Softmax")));
        assert_eq!((failure.kind, failure.host.as_deref()), (Some(Kind::Dram), Some("host2")));
        assert!(failure.at_us > job.since && !failure.title.is_empty());
    }

    #[test]
    fn one_rank_is_no_job() {
        assert_eq!(RunReport::new(vec![process("3", 1, None), process("3", 2, None)]).ranks, None);
        assert_eq!(
            RunReport::new(vec![process("gw0", 1, None), process("gw1", 2, None)]).ranks,
            None
        );
    }
}
