//! The reason why an agent has no segment. The agent maps an empty file in memory of this name, so that
//! `/proc/PID/maps` shows the reason as long as the process runs.

/// First part of the name of the mapping.
const PREFIX: &str = "ttmem-agent-off-";

/// The reason why an agent has no segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Off {
    /// The step that failed.
    pub step: OffStep,
    /// The system's error number; 0 if it was no system call.
    pub errno: i32,
}

/// A step of the start of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffStep {
    /// Reading its own number and start time in `/proc/self`.
    Process,
    /// Creating the file in `/dev/shm`.
    Create,
    /// Comparing the segment's size with the limit on the size of files (`ulimit -f`).
    Limit,
    /// Reserving the file's bytes.
    Reserve,
    /// Mapping the file.
    Map,
    /// A defect in the agent.
    Defect,
}

impl OffStep {
    const ALL: [(Self, &'static str); 6] = [
        (Self::Process, "process"),
        (Self::Create, "create"),
        (Self::Limit, "limit"),
        (Self::Reserve, "reserve"),
        (Self::Map, "map"),
        (Self::Defect, "defect"),
    ];
}

impl Off {
    /// Returns the name of the mapping.
    #[must_use]
    pub fn to_name(self) -> String {
        let step = OffStep::ALL.iter().find(|(step, _)| *step == self.step);
        format!("{PREFIX}{}-{}", step.map_or("", |(_, name)| name), self.errno)
    }

    /// Finds the reason in the text of `/proc/PID/maps`.
    #[must_use]
    pub fn in_maps(maps: &str) -> Option<Self> {
        maps.lines().find_map(|line| {
            let (_, name) = line.split_once("/memfd:")?;
            let (step, errno) = name.strip_prefix(PREFIX)?.split_once('-')?;
            let (step, _) = OffStep::ALL.iter().find(|(_, name)| *name == step)?;
            let errno = errno.split(' ').next()?.parse().ok()?;
            Some(Self { step: *step, errno })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_comes_back_from_the_maps() {
        for (step, _) in OffStep::ALL {
            let off = Off { step, errno: 28 };
            let maps = format!(
                "7f0-7f1 r--p 0 00:1 1 /lib/x.so\n7f1-7f2 ---s 0 00:1 9 /memfd:{} (deleted)\n",
                off.to_name()
            );
            assert_eq!(Off::in_maps(&maps), Some(off));
        }
        for other in
            ["", "7f1-7f2 ---s 0 00:1 9 /memfd:ttmem-agent-off-x-1", "/memfd:ttmem-agent-off-map-x"]
        {
            assert_eq!(Off::in_maps(other), None, "{other}");
        }
    }
}
