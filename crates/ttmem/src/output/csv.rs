//! Comma-separated values, quoted as RFC 4180 has it, one line a record.

use std::borrow::Cow;

use ttmem_model::Snapshot;

use super::page::Charset;
use super::text::legible;
use crate::field::Field;
use crate::field::cell::Cell;
use crate::field::device::DeviceField;
use crate::field::process::{self, ProcessField};

/// The options of `--format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Csv {
    /// True if there is a header.
    pub(crate) header: Header,
    /// True if numbers have units.
    pub(crate) units: Units,
    /// The characters that may be used.
    pub(crate) charset: Charset,
}

/// True if there is a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Header {
    /// The first record names the fields and their units.
    Shown,
    /// The first record is data.
    Hidden,
}

/// Returns true if numbers have units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Units {
    /// Units are printed: `4096 B`.
    Shown,
    /// Units are not printed: `4096`.
    Hidden,
}

impl Csv {
    /// The header, empty if it is not asked for.
    #[must_use]
    pub(crate) fn header<R>(&self, fields: &[Field<R>]) -> String {
        match self.header {
            Header::Hidden => String::new(),
            Header::Shown => {
                let names = fields.iter().map(|field| match field.unit {
                    "" => field.name.clone(),
                    unit => Cow::Owned(format!("{} [{unit}]", field.name)),
                });
                record(names)
            }
        }
    }

    /// A record for each chip.
    #[must_use]
    pub(crate) fn chips(&self, snapshot: &Snapshot, fields: &[DeviceField]) -> String {
        let records = snapshot.chips.iter().map(|chip| {
            record(fields.iter().map(|field| self.value(&field.cell(snapshot, chip), field.unit)))
        });
        records.collect()
    }

    /// A record for each process on each of its chips.
    #[must_use]
    pub(crate) fn processes(&self, snapshot: &Snapshot, fields: &[ProcessField]) -> String {
        let records = process::rows(snapshot).map(|(process, chip)| {
            let cells =
                fields.iter().map(|field| (field.cell(snapshot, process, chip), field.unit));
            record(cells.map(|(cell, unit)| self.value(&cell, unit)))
        });
        records.collect()
    }

    fn value(&self, cell: &Cell<'_>, unit: &str) -> Cow<'static, str> {
        Cow::Owned(match cell {
            Cell::Text(text) => legible(text, self.charset).into_owned(),
            Cell::None(_) => String::new(),
            Cell::Blank(reason, _) => format!("[{}]", reason.as_str()),
            Cell::Number(number, _) => match (self.units, unit) {
                (Units::Hidden, _) | (_, "") => number.in_full(),
                (Units::Shown, unit) => format!("{} {unit}", number.in_full()),
            },
        })
    }
}

/// One record, with the end of its line.
pub(super) fn record<'a>(values: impl Iterator<Item = Cow<'a, str>>) -> String {
    let values: Vec<_> = values.map(quoted).collect();
    values.join(",") + "\n"
}

/// A value as it is in a record: in quotes if it holds what separates values or records. A text that a spreadsheet would
/// calculate, since it begins with `=`, `+`, `-`, `@` or white space, gets an apostrophe before it, which spreadsheets take for "text".
pub(crate) fn quoted(value: Cow<'_, str>) -> Cow<'_, str> {
    let value = match is_calculated(&value) {
        true => Cow::Owned(format!("'{value}")),
        false => value,
    };
    if value.contains([',', '"', '\r', '\n']) {
        Cow::Owned(format!("\"{}\"", value.replace('"', "\"\"")))
    } else {
        value
    }
}

/// True if a spreadsheet takes a text for a formula. A number with or without a unit is none.
fn is_calculated(value: &str) -> bool {
    if !value.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        return false;
    }
    let (number, unit) = value.split_once(' ').unwrap_or((value, ""));
    let is_unit =
        |character: char| character.is_alphabetic() || matches!(character, '%' | '°' | '/');
    let is_number = number.parse::<f64>().is_ok_and(f64::is_finite);
    !(is_number && unit.chars().all(is_unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_would_calculate_is_text_and_numbers_stay_numbers() {
        for (value, shown) in [
            ("=1+1", "'=1+1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("-2+3+cmd|' /C calc'!A0", "'-2+3+cmd|' /C calc'!A0"),
            ("-1 =x|y", "'-1 =x|y"),
            ("+x", "'+x"),
            ("-inf", "'-inf"),
            ("-c", "'-c"),
            ("\t=1", "'\t=1"),
            ("-5", "-5"),
            ("-40.5 °C", "-40.5 °C"),
            ("4096 B", "4096 B"),
            ("+3", "+3"),
            ("python -c x", "python -c x"),
            ("it's", "it's"),
            ("a,b", "\"a,b\""),
        ] {
            assert_eq!(quoted(Cow::Borrowed(value)), shown, "{value}");
        }
    }
}
