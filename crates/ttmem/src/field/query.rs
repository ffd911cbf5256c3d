//! Lists of fields as users type them: `index,memory.dram.used`, or `all`.

use super::Field;

/// The error for a name that no field has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnknownField {
    /// The name as typed.
    pub(crate) name: String,
    /// The most similar name.
    pub(crate) nearest: String,
}

/// Returns the fields that a list names, in its order.
///
/// # Errors
/// [`UnknownField`] if no field has a name.
pub(crate) fn select<R: Clone>(
    list: &str,
    fields: &[Field<R>],
) -> Result<Vec<Field<R>>, UnknownField> {
    let mut selected = Vec::new();
    for name in list.split(',').map(str::trim) {
        if name == "all" {
            selected.extend(fields.iter().cloned());
            continue;
        }
        let is_meant = |field: &&Field<R>| {
            field.name == name || nvidia_names(name).contains(&field.name.as_ref())
        };
        match fields.iter().find(is_meant) {
            Some(field) => selected.push(field.clone()),
            None => {
                return Err(UnknownField { name: name.to_owned(), nearest: nearest(name, fields) });
            }
        }
    }
    Ok(selected)
}

/// Returns the fields of chips and processes that have the meaning of a field of nvidia-smi.
fn nvidia_names(name: &str) -> &'static [&'static str] {
    match name {
        "name" | "gpu_name" => &["board"],
        "uuid" => &["id"],
        "gpu_uuid" => &["id", "chip"],
        "pci.bus_id" | "gpu_bus_id" => &["bdf"],
        "memory.used" | "used_memory" | "used_gpu_memory" => &["memory.dram.used", "memory.dram"],
        "memory.free" => &["memory.dram.free"],
        "memory.total" => &["memory.dram.capacity"],
        "process_name" => &["name"],
        "temperature.gpu" => &["telemetry.asic_temperature_c"],
        "power.draw" => &["telemetry.power_w"],
        "power.limit" => &["telemetry.power_limit_w"],
        "clocks.sm" | "clocks.gr" => &["telemetry.aiclk_mhz"],
        _ => &[],
    }
}

fn nearest<R>(name: &str, fields: &[Field<R>]) -> String {
    fields
        .iter()
        .min_by_key(|field| distance(name, &field.name))
        .map(|field| field.name.to_string())
        .unwrap_or_default()
}

/// Returns the edit distance of two names. Only the start of a long one is compared, since the time grows with its
/// length.
fn distance(from: &str, to: &str) -> usize {
    /// Number of characters that are compared: more than any field has.
    const COMPARED: usize = 64;
    let from: String = from.chars().take(COMPARED).collect();
    strsim::levenshtein(&from, to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::{device, process};

    #[test]
    fn a_list_keeps_its_order_and_all_is_all() {
        let fields = device::fields();
        let selected = select("index, memory.dram.used", fields).unwrap();
        assert_eq!(selected[1].name, "memory.dram.used");
        assert_eq!(select("all", fields).unwrap().len(), fields.len());
    }

    #[test]
    fn the_names_of_nvidia_smi_are_understood() {
        let of_chips = select("name,memory.used,uuid", device::fields()).unwrap();
        let names: Vec<_> = of_chips.iter().map(|field| field.name.as_ref()).collect();
        assert_eq!(names, ["board", "memory.dram.used", "id"]);
        let of_processes = select("name,used_gpu_memory", process::fields()).unwrap();
        let names: Vec<_> = of_processes.iter().map(|field| field.name.as_ref()).collect();
        assert_eq!(names, ["name", "memory.dram"]);
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest() {
        let error = select("memory.dram.usde", device::fields()).unwrap_err();
        assert_eq!(error.nearest, "memory.dram.used");
        let error = select("pids", process::fields()).unwrap_err();
        assert_eq!((error.name.as_str(), error.nearest.as_str()), ("pids", "pid"));
    }

    #[test]
    fn every_field_has_a_name_of_its_own_and_a_sentence() {
        let texts =
            device::fields().iter().map(|field| (&field.name, &field.help)).collect::<Vec<_>>();
        for (index, (name, help)) in texts.iter().enumerate() {
            assert!(texts[..index].iter().all(|(other, _)| other != name), "{name}");
            assert!(help.ends_with('.') && help.len() < 90, "{name}: {help}");
        }
    }
}
