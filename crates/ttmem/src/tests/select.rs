//! `-i`.

use crate::host::select::select;
use ttmem_model::{Severity, Snapshot};

use super::made;

fn indexes(selectors: &[&str]) -> Result<Vec<u32>, String> {
    let selectors: Vec<String> = selectors.iter().map(ToString::to_string).collect();
    match select(made::four(), &selectors) {
        Ok(snapshot) => Ok(snapshot.chips.iter().map(|chip| chip.index).collect()),
        Err(missing) => Err(missing.existing),
    }
}

fn only(selector: &str) -> Snapshot {
    select(made::four(), &[selector.to_owned()]).unwrap()
}

#[test]
fn a_chip_has_five_names() {
    assert_eq!(indexes(&["1"]), Ok(vec![1]));
    assert_eq!(indexes(&["0000:02:00.0"]), Ok(vec![1]));
    assert_eq!(indexes(&["02:00.0"]), Ok(vec![1]));
    assert_eq!(indexes(&["/dev/tenstorrent/1"]), Ok(vec![1]));
    assert_eq!(indexes(&["0x261900001"]), Ok(vec![1]));
    assert_eq!(indexes(&["0x0000000261900001"]), Ok(vec![1]));
    assert_eq!(indexes(&["0100018511902001"]), Ok(vec![1]));
    assert_eq!(indexes(&["3", "0"]), Ok(vec![0, 3]));
    assert_eq!(indexes(&[]), Ok(vec![0, 1, 2, 3]));
}

#[test]
fn what_fits_no_chip_is_answered_with_what_there_is() {
    let existing =
        "there are chips 0 (0000:01:00.0), 1 (0000:02:00.0), 2 (0000:03:00.0), 3".to_owned();
    for selector in ["4", "-1", "", "0x", "0xzz", "n150", "/dev/tenstorrent/3", "00.0"] {
        assert_eq!(indexes(&[selector]), Err(existing.clone()), "{selector}");
    }
    let many = select(made::many(32), &["99".to_owned()]).unwrap_err();
    assert_eq!(many.existing, "there are 32 chips, 0 (0000:01:00.0) to 31 (0000:20:00.0)");
    let mut gap = made::many(32);
    gap.chips.remove(17);
    let gap = select(gap, &["17".to_owned()]).unwrap_err();
    let runs = "0 (0000:01:00.0) to 16 (0000:11:00.0), 18 (0000:13:00.0) to 31 (0000:20:00.0)";
    assert_eq!(gap.existing, format!("there are 31 chips, {runs}"));
    let none = select(made::none(), &["0".to_owned()]).unwrap_err();
    assert_eq!(none.existing, "no chip was found");
}

#[test]
fn processes_and_findings_go_with_their_chips() {
    let snapshot = only("3");
    assert_eq!(snapshot.processes.len(), 1);
    assert_eq!(snapshot.processes[0].name, "vllm-worker");
    assert_eq!(snapshot.processes[0].chips.len(), 1);
    let severities: Vec<Severity> =
        snapshot.findings.iter().map(|finding| finding.severity).collect();
    assert_eq!(severities, [Severity::Info]);
    assert_eq!(only("0").findings.len(), 2);
}

#[test]
fn an_owner_without_memory_stays_with_its_chip() {
    let mut snapshot = made::many(2);
    snapshot.processes[0].chips.clear();
    assert_eq!(select(snapshot, &["1".to_owned()]).unwrap().processes.len(), 1);
}
