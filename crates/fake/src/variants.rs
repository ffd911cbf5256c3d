//! Broken hosts, each named after its fault.
//!
//! The doc comment of each gives the expected result: a reading that is missing with its reason, a finding, or nothing.
//! Never a panic, never a wrong number. Unless stated otherwise a variant is [`super::Host::n150`] with one change.

pub mod devices;
pub mod processes;
pub mod regions;

use ttmem_root::Tree;

macro_rules! named {
    ($module:ident: $($name:ident),+ $(,)?) => {
        vec![$((stringify!($name), $module::$name())),+]
    };
}

/// Returns every variant with its name. Those with errors or changing files exist only in memory.
#[must_use]
pub fn all() -> Vec<(&'static str, Tree)> {
    let mut all = named![regions:
        always_torn_region,
        control_characters_in_names,
        counter_below_zero,
        counters_above_capacity,
        counters_at_maximum,
        dead_owner,
        empty_name,
        empty_region,
        full_region,
        long_region,
        name_without_end,
        non_utf8_names,
        one_pid_in_two_slots,
        region_from_the_future,
        region_id_differs_from_its_name,
        region_is_a_directory,
        region_name_not_a_number,
        region_not_ready,
        region_of_another_user,
        region_vanishes,
        region_version_1,
        region_version_2,
        region_version_4,
        region_version_9,
        region_without_driver,
        released_slot,
        releasing_slot,
        reused_pid,
        short_region,
        torn_region,
        totals_disagree,
        truncated_header,
        truncated_region,
        unreadable_region,
        unreadable_shm,
    ];
    all.extend(named![processes:
        container_on_the_hosts_shm,
        container_with_own_shm,
        containerd_container,
        dead_pids,
        docker_with_cgroup_v1,
        duplicate_pids,
        garbage_in_pids,
        garbage_in_stat,
        kubernetes_pod,
        missing_boot_time,
        odd_process_name,
        outside_owner,
        podman_container,
        process_vanishes,
        tracking_disabled,
        two_containers_with_pid_1,
        unknown_user,
        unreadable_pids,
        unreadable_process,
        zombie_owner,
    ]);
    all.extend(named![devices:
        all_ones,
        chip_resets,
        chip_unplugged,
        link_is_dead,
        reset_begins,
        stale_owner_after_a_reset,
        telemetry_not_ready,
        empty_files,
        garbage_numbers,
        huge_files,
        missing_asic_id,
        missing_hwmon,
        missing_pids,
        n300_by_asic_id,
        no_boards,
        no_driver,
        old_driver,
        pcie_counter_wraps,
        strange_class_entries,
        unknown_board,
        unknown_link_and_node,
        unreadable_hwmon,
        very_old_driver,
    ]);
    all
}

/// The id of the region of the n150: its board id.
const N150: u64 = 0x0000_0180_0000_0001;

#[cfg(test)]
mod tests;
