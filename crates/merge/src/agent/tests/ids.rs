//! Ids of chips that only agents know.

use serde_json::Value;
use ttmem_fake::Host;
use ttmem_fake::segment::{Segment, WORMHOLE};
use ttmem_model::snapshot::IdSource;
use ttmem_model::{ChipId, Snapshot};
use ttmem_segment::AllocatorRole;

use super::{HELD, PID, busy, exact, python, snapshot, used};

#[test]
fn chips_without_an_id_are_named_by_their_index() {
    let segment = Segment::new(PID, python(PID).start_ticks()).chip(0, None).chip(1, None);
    let segment = busy(segment.open(AllocatorRole::Mesh, &[0, 1], WORMHOLE));
    let host = Host::new().without_driver().process(python(PID)).segment_of(PID, segment);
    let snapshot = snapshot(host.into_tree());
    let unknown = [0, 1].map(ChipId::Unknown);
    assert_eq!(snapshot.chips.iter().map(|chip| chip.id).collect::<Vec<_>>(), unknown);
    assert_eq!(used(&snapshot, 1), exact(HELD));
    let json = serde_json::to_value(&snapshot).unwrap();
    let on_chips = &json["processes"][0]["chips"];
    for index in [0, 1] {
        assert_eq!(json["chips"][index]["id"], Value::Null);
        assert_eq!(on_chips[index]["chip"], Value::Null);
        assert_eq!(on_chips[index]["index"], index);
    }
    assert_eq!(serde_json::from_value::<Snapshot>(json).unwrap(), snapshot);
}

#[test]
fn an_id_that_an_agent_reports_is_never_altered() {
    let segment = Segment::new(PID, python(PID).start_ticks()).chip(7, None).chip(8, Some(7));
    let segment = busy(segment.open(AllocatorRole::Mesh, &[0, 1], WORMHOLE));
    let host = Host::new().without_driver().process(python(PID)).segment_of(PID, segment);
    let chips = snapshot(host.into_tree()).chips;
    let ids: Vec<_> = chips.iter().map(|chip| (chip.id, chip.id_source)).collect();
    let expected = [(ChipId::Unknown(0), IdSource::Simulator), (ChipId::Known(7), IdSource::Agent)];
    assert_eq!(ids, expected);
}
