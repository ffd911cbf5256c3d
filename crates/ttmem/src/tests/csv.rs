//! `--query-device` and `--query-processes`.

use crate::field::query::select;
use crate::field::{device, process};
use crate::output::csv::{Csv, Header, Units};
use crate::output::page::Charset;
use crate::output::text::legible;
use insta::assert_snapshot;
use ttmem_model::Snapshot;

use super::made;

const FULL: Csv = Csv { header: Header::Shown, units: Units::Shown, charset: Charset::Unicode };

fn chips(csv: Csv, snapshot: &Snapshot, list: &str) -> String {
    let fields = select(list, device::fields()).unwrap();
    csv.header(&fields) + &csv.chips(snapshot, &fields)
}

fn processes(csv: Csv, snapshot: &Snapshot, list: &str) -> String {
    let fields = select(list, process::fields()).unwrap();
    csv.header(&fields) + &csv.processes(snapshot, &fields)
}

#[test]
fn names_units_and_reasons() {
    let list = "index,board,bdf,worker_cores,memory.dram.used,memory.dram.free,\
                memory.l1_total.used,memory.l1_total.quality,telemetry.power_w,telemetry.fan_rpm";
    assert_snapshot!("csv_chips", chips(FULL, &made::four(), list));
}

#[test]
fn without_header_and_units() {
    let csv = Csv { header: Header::Hidden, units: Units::Hidden, ..FULL };
    let text = chips(csv, &made::one(), "timestamp,memory.dram.used,telemetry.power_w");
    assert_eq!(text, "2026-03-21T12:34:56.000250Z,4504682496,53.4\n");
}

#[test]
fn a_record_for_each_process_on_each_chip() {
    let list = "chip.index,pid,state,container,memory.dram,memory.dram.quality,start_time";
    assert_snapshot!("csv_processes", processes(FULL, &made::four(), list));
}

#[test]
fn every_field_of_everything_can_be_printed() {
    for snapshot in [made::none(), made::four(), made::reasons(), made::many(32)] {
        let text = chips(FULL, &snapshot, "all");
        assert_eq!(text.lines().count(), snapshot.chips.len() + 1);
    }
}

/// Reads RFC 4180 by the book.
fn parse(text: &str) -> Vec<Vec<String>> {
    let mut records = vec![vec![String::new()]];
    let mut characters = text.chars().peekable();
    let mut is_quoted = false;
    while let Some(character) = characters.next() {
        let record = records.last_mut().unwrap();
        match character {
            '"' if is_quoted && characters.next_if_eq(&'"').is_some() => {
                record.last_mut().unwrap().push('"');
            }
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => record.push(String::new()),
            '\n' if !is_quoted => records.push(vec![String::new()]),
            _ => record.last_mut().unwrap().push(character),
        }
    }
    assert!(!is_quoted);
    assert_eq!(records.pop(), Some(vec![String::new()]));
    records
}

#[test]
fn names_come_back_as_they_went() {
    let snapshot = made::nasty_names();
    let records = parse(&processes(FULL, &snapshot, "name,pid,command"));
    assert_eq!(records.len(), snapshot.processes.len() + 1);
    for (record, process) in records[1..].iter().zip(&snapshot.processes) {
        assert_eq!(record[0], legible(&process.name, Charset::Unicode));
        assert_eq!(record[1], process.pid.to_string());
        let command = legible(&process.command, Charset::Unicode);
        assert_eq!(record[2], if command.is_empty() { "[no-source]" } else { &command });
    }
}
