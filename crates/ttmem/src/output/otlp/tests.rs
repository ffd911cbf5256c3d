//! The request, read by a reader that knows the encoding and the numbers of OTLP's fields, and none of our code.

use insta::assert_snapshot;
use ttmem_sources::Collector;

use super::*;

/// A field of a message: its number, and what is in it.
#[derive(Debug)]
enum Content<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first().unwrap();
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return value;
        }
    }
    panic!("a number without end");
}

fn fields(mut bytes: &[u8]) -> Vec<(u64, Content<'_>)> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let content = match key & 7 {
            0 => Content::Number(varint(&mut bytes)),
            1 => {
                let (word, rest) = bytes.split_first_chunk().unwrap();
                bytes = rest;
                Content::Number(u64::from_le_bytes(*word))
            }
            2 => {
                let length = usize::try_from(varint(&mut bytes)).unwrap();
                let (content, rest) = bytes.split_at(length);
                bytes = rest;
                Content::Bytes(content)
            }
            wire => panic!("wire type {wire}"),
        };
        found.push((key >> 3, content));
    }
    found
}

fn all(bytes: &[u8], number: u64) -> Vec<&[u8]> {
    let of = |(field, content)| match content {
        Content::Bytes(bytes) if field == number => Some(bytes),
        _ => None,
    };
    fields(bytes).into_iter().filter_map(of).collect()
}

fn text(bytes: &[u8], number: u64) -> &str {
    all(bytes, number).first().map_or("", |text| std::str::from_utf8(text).unwrap())
}

fn number(bytes: &[u8], wanted: u64) -> Option<u64> {
    fields(bytes).into_iter().find_map(|(field, content)| match content {
        Content::Number(number) if field == wanted => Some(number),
        _ => None,
    })
}

fn attributes(bytes: &[u8], field: u64) -> String {
    let pair = |pair: &&[u8]| format!("{}={}", text(pair, 1), text(all(pair, 2)[0], 1));
    all(bytes, field).iter().map(pair).collect::<Vec<_>>().join(" ")
}

fn metric(metric: &[u8], out: &mut String) {
    let (shape, data) = match (all(metric, 5).first(), all(metric, 7).first()) {
        (Some(gauge), None) => ("gauge", *gauge),
        (None, Some(sum)) => {
            assert_eq!(number(sum, 2), Some(2), "cumulative");
            (if number(sum, 3) == Some(1) { "counter" } else { "amount" }, *sum)
        }
        other => panic!("{other:?}"),
    };
    let points = all(data, 1);
    *out +=
        &format!("{} [{}] {shape}, {} points\n", text(metric, 1), text(metric, 3), points.len());
    let first = points[0];
    let value = number(first, 6).map_or_else(
        || f64::from_bits(number(first, 4).unwrap()).to_string(),
        |whole| whole.cast_signed().to_string(),
    );
    *out += &format!("    {value}  {}\n", attributes(first, 7));
}

fn read(request: &[u8]) -> String {
    let mut out = String::new();
    for resource in all(request, 1) {
        out += &format!("resource {}\n", attributes(all(resource, 1)[0], 1));
        for scope in all(resource, 2) {
            out += &format!("scope {}\n", text(all(scope, 1)[0], 1));
            all(scope, 2).iter().for_each(|bytes| metric(bytes, &mut out));
        }
    }
    out
}

#[test]
fn the_demonstration_is_exported() {
    let snapshot = Collector::demo().snapshot();
    let given =
        [("service.name".to_owned(), "mine".to_owned()), ("rack".to_owned(), "7".to_owned())];
    assert_snapshot!("demo", read(&request(&snapshot, &given)));
}

#[test]
fn what_is_not_known_is_not_there() {
    let mut snapshot = Collector::demo().snapshot();
    snapshot.sources.clear();
    for chip in &mut snapshot.chips {
        chip.telemetry.clear();
        chip.memory.trace.used = ttmem_model::Missing::failed("gone").into();
    }
    let read = read(&request(&snapshot, &[]));
    assert!(read.contains("hw.gpu.memory.limit") && read.contains("ttmem.memory.usage"));
    for absent in ["hw.gpu.memory.usage", "hw.power", "ttmem.source.up", "kind=trace"] {
        assert!(!read.contains(absent), "{absent}: {read}");
    }
}
