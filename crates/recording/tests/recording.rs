//! Every recorded snapshot is read back unchanged.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use proptest::prelude::*;
use serde_json::{Map, Number, Value};
use ttmem_model::Timestamp;
use ttmem_recording::{
    Attachment, AttachmentKind, Contents, Encoder, Event, EventKind, Header, Limits, Parts,
    Recording, unsealed_part,
};

/// Numbers, strings and missing values that look like those of snapshots, and the extremes.
fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<u64>().prop_map(Value::from),
        (0_u64..2000).prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|float| Number::from_f64(float).map_or(Value::Null, Value::Number)),
        (0_i32..100_000).prop_map(|part| Value::from(f64::from(part) / 1000.0)),
        "[a-z]{0,3}".prop_map(Value::String),
        any::<String>().prop_map(Value::String),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            prop::collection::vec(("[a-c]{1,2}", inner), 0..5)
                .prop_map(|entries| Value::Object(entries.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Values that grow out of one another, as snapshots do: most stays, something changes.
fn series() -> impl Strategy<Value = Vec<Value>> {
    let rows = prop::collection::vec((0_u64..6, leaf(), leaf()), 0..5);
    let alike = prop::collection::vec((rows, leaf()), 1..20).prop_map(|moments| {
        let moment = |(rows, alone): (Vec<(u64, Value, Value)>, Value)| {
            let rows = rows
                .into_iter()
                .map(|(id, a, b)| serde_json::json!({ "id": id, "a": { "value": a }, "b": b }));
            serde_json::json!({ "alone": alone, "rows": rows.collect::<Vec<_>>() })
        };
        moments.into_iter().map(moment).collect()
    });
    prop_oneof![alike, prop::collection::vec(value(), 1..8)]
}

fn record(values: &[Value], limits: Limits) -> Vec<u8> {
    let mut encoder = Encoder::new(limits);
    let (mut contents, mut bytes) = Contents::begin(&Header::default());
    let mut append = |block: ttmem_recording::Encoded| {
        contents.add(&block);
        bytes.extend(block.bytes);
    };
    for (time, value) in (0..).zip(values) {
        encoder.push(Timestamp(time * 10), value).unwrap().into_iter().for_each(&mut append);
        encoder.event(Event::new(Timestamp(time * 10 + 1), EventKind::Peak, "x"));
    }
    encoder.flush().into_iter().for_each(&mut append);
    bytes.extend(contents.end());
    bytes
}

fn assert_holds(bytes: Vec<u8>, values: &[Value]) {
    let mut recording = Recording::open(bytes).unwrap();
    assert_eq!(recording.len(), values.len() as u64);
    for (time, value) in (0..).zip(values) {
        let moment = recording.at(Timestamp(time * 10 + 9)).unwrap().unwrap();
        assert_eq!(moment.time(), Timestamp(time * 10));
        assert_eq!(serde_json::to_string(&moment).unwrap(), value.to_string());
        assert_eq!(serde_json::to_string_pretty(&moment).unwrap(), format!("{value:#}"));
    }
    assert_eq!(recording.events().unwrap().len(), values.len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_recorded_comes_back(values in series(), moments in 1_usize..30, bytes in 1_usize..4000) {
        let limits = Limits { moments, bytes, ..Limits::default() };
        assert_holds(record(&values, limits), &values);
    }

    #[test]
    fn a_cut_recording_opens_up_to_the_cut(values in series(), cut in any::<prop::sample::Index>()) {
        let bytes = record(&values, Limits { moments: 3, ..Limits::default() });
        let cut = cut.index(bytes.len());
        let Ok(mut recording) = Recording::open(bytes[..cut].to_vec()) else {
            let header = Contents::begin(&Header::default()).1.len();
            prop_assert!(cut < header, "cut at {cut}");
            return Ok(());
        };
        let there = usize::try_from(recording.len()).unwrap();
        prop_assert!(there <= values.len());
        for (number, value) in (0..).zip(values.iter().take(there)) {
            let moment = recording.moment(number).unwrap().unwrap();
            prop_assert_eq!(serde_json::to_string(&moment).unwrap(), value.to_string());
        }
    }

    #[test]
    fn a_changed_byte_costs_no_more_than_its_block(values in series(), offset in any::<prop::sample::Index>(), bit in 0..8) {
        let mut bytes = record(&values, Limits { moments: 3, ..Limits::default() });
        let offset = offset.index(bytes.len());
        bytes[offset] ^= 1_u8 << bit;
        let Ok(mut recording) = Recording::open(bytes) else { return Ok(()) };
        for (time, value) in (0..).zip(&values) {
            // What is given is true, and of the right time; what is damaged is not given.
            if let Ok(Some(moment)) = recording.at(Timestamp(time * 10))
                && moment.time() == Timestamp(time * 10)
            {
                prop_assert_eq!(serde_json::to_string(&moment).unwrap(), value.to_string());
            }
        }
        prop_assert!(recording.len() + 3 >= values.len() as u64);
    }
}

/// A recording of one moment with an attachment of these bytes.
fn with_attachment(content: &[u8]) -> Vec<u8> {
    let attachment = Attachment {
        kind: AttachmentKind::Segment,
        name: "ttmem-7-70".into(),
        pid: None,
        is_running: true,
        time: Timestamp(3),
        bytes: content.len() as u64,
    };
    let mut parts = Parts::of(attachment).unwrap();
    let mut bytes = record(&[Value::Null], Limits::default());
    while let Some((offset, length)) = parts.wanted() {
        let from = usize::try_from(offset).unwrap();
        bytes.extend(parts.block(&content[from..from + length]).bytes);
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_attachment_comes_back_as_it_was_or_not_at_all(
        content in prop::collection::vec(any::<u8>(), 1..2000),
        offset in any::<prop::sample::Index>(),
        bit in 0..8,
    ) {
        let mut bytes = with_attachment(&content);
        let whole = Recording::open(bytes.clone()).unwrap();
        prop_assert_eq!(whole.attachment(&whole.attachments()[0]).unwrap(), content.clone());
        let offset = offset.index(bytes.len());
        bytes[offset] ^= 1_u8 << bit;
        let Ok(damaged) = Recording::open(bytes) else { return Ok(()) };
        for attached in damaged.attachments() {
            if let Ok(read) = damaged.attachment(&attached) {
                prop_assert_eq!(&read, &content);
            }
        }
    }

    #[test]
    fn whatever_stands_in_a_part_does_no_harm(content in prop::collection::vec(any::<u8>(), 0..300)) {
        let recording = Recording::open(unsealed_part(&content)).unwrap();
        for attached in recording.attachments() {
            drop(recording.attachment(&attached));
        }
    }
}

#[test]
fn times_that_go_back_are_found() {
    let mut encoder = Encoder::new(Limits { moments: 4, ..Limits::default() });
    let (_, mut bytes) = Contents::begin(&Header::default());
    for time in [100, 200, 300, 50, 60, 210] {
        let block = encoder.push(Timestamp(time), &time).unwrap();
        bytes.extend(block.into_iter().flat_map(|block| block.bytes));
    }
    bytes.extend(encoder.flush().unwrap().bytes);
    let mut recording = Recording::open(bytes).unwrap();
    assert!(!recording.is_ended());
    assert_eq!(recording.span(), Some((Timestamp(50), Timestamp(300))));
    let mut at = |time| recording.at(Timestamp(time)).unwrap().map(|moment| moment.time().0);
    assert_eq!([at(40), at(55), at(205), at(999)], [None, Some(50), Some(60), Some(210)]);
}

#[test]
fn the_next_event_is_found() {
    let values = vec![Value::Null; 9];
    let bytes = record(&values, Limits { moments: 2, ..Limits::default() });
    let mut recording = Recording::open(bytes).unwrap();
    let mut next = |time| recording.next_event(Timestamp(time)).unwrap().map(|event| event.time.0);
    assert_eq!([next(0), next(1), next(45), next(81)], [Some(1), Some(11), Some(51), None]);
}
