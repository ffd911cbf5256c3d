//! Lists of fields as they are typed: `index,memory.dram.used`, or `all`.

use super::Field;

/// A name that no field has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownField {
    /// The name as it was typed.
    pub name: String,
    /// The name that is most like it.
    pub nearest: String,
}

/// The fields that a list names, in its order.
///
/// # Errors
/// If a name belongs to no field.
pub fn select<R: Clone>(list: &str, fields: &[Field<R>]) -> Result<Vec<Field<R>>, UnknownField> {
    let mut selected = Vec::new();
    for name in list.split(',').map(str::trim) {
        if name == "all" {
            selected.extend(fields.iter().cloned());
            continue;
        }
        match fields.iter().find(|field| field.name == name) {
            Some(field) => selected.push(field.clone()),
            None => {
                return Err(UnknownField { name: name.to_owned(), nearest: nearest(name, fields) });
            }
        }
    }
    Ok(selected)
}

fn nearest<R>(name: &str, fields: &[Field<R>]) -> String {
    fields
        .iter()
        .min_by_key(|field| distance(name, &field.name))
        .map(|field| field.name.to_string())
        .unwrap_or_default()
}

/// Returns the Levenshtein distance of two names.
fn distance(from: &str, to: &str) -> usize {
    /// Longer than any field, and short enough to be quick.
    const COMPARED: usize = 64;
    let to: Vec<char> = to.chars().collect();
    let mut costs: Vec<usize> = (0..=to.len()).collect();
    for (row, from_character) in from.chars().take(COMPARED).enumerate() {
        let mut diagonal = costs[0];
        costs[0] = row + 1;
        for (column, to_character) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(from_character != *to_character);
            diagonal = costs[column + 1];
            costs[column + 1] = replaced.min(diagonal + 1).min(costs[column] + 1);
        }
    }
    costs[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::{device, process};

    #[test]
    fn a_list_keeps_its_order_and_all_is_all() {
        let fields = device::fields();
        let selected = select("index, memory.dram.used", &fields).unwrap();
        assert_eq!(selected[1].name, "memory.dram.used");
        assert_eq!(select("all", &fields).unwrap().len(), fields.len());
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest() {
        let error = select("memory.dram.usde", &device::fields()).unwrap_err();
        assert_eq!(error.nearest, "memory.dram.used");
        let error = select("pids", &process::fields()).unwrap_err();
        assert_eq!((error.name.as_str(), error.nearest.as_str()), ("pids", "pid"));
    }

    #[test]
    fn distances_are_those_of_levenshtein() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", "abc"), 0);
    }

    #[test]
    fn every_field_has_a_name_of_its_own_and_a_sentence() {
        let texts =
            device::fields().into_iter().map(|field| (field.name, field.help)).collect::<Vec<_>>();
        for (index, (name, help)) in texts.iter().enumerate() {
            assert!(texts[..index].iter().all(|(other, _)| other != name), "{name}");
            assert!(help.ends_with('.') && help.len() < 90, "{name}: {help}");
        }
    }
}
