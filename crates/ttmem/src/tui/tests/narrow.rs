//! What stays readable on a screen with little room.

use ttmem_fake::{BYTES, Board, Host, PID, Process};

use super::sampled::{demo, watch};
use super::screen::{LOOK, press, screen};
use crate::tui::choice::View;

#[test]
fn a_selection_and_a_filter_fit_beside_the_tabs() {
    let cases = [
        (View::Overview, "⏎", "only chip 0"),
        (View::Overview, "⇥⏎", "only python3 41377"),
        (View::Telemetry, "/user:alice⏎", "/user:alice"),
        (View::Telemetry, "⏎/user:alice⏎", "only chip 0  /user:alice"),
    ];
    for (view, keys, tag) in cases {
        let mut app = demo(view, LOOK);
        press(&mut app, keys);
        let text = screen(&app, (80, 24));
        let tabs = text.lines().nth(2).unwrap();
        assert!(tabs.ends_with(tag), "{tag}: {text}");
        assert!(tabs.contains(&format!("{} {}", view.number(), view.label())), "{text}");
    }
}

#[test]
fn words_that_are_cut_off_leave_a_sign() {
    let text = screen(&demo(View::Telemetry, LOOK), (80, 24));
    let last = text.lines().nth(23).unwrap();
    assert!(last.contains("(thermal"), "{text}");
    assert!(last.ends_with('…'), "{text}");
}

#[test]
fn addresses_of_chips_are_in_one_column() {
    let text = screen(&demo(View::Overview, LOOK), (120, 40));
    let columns = ["01:00.0", "41:00.0", "81:00.0"].map(|address| {
        let line = text.lines().find(|line| line.contains(address)).unwrap();
        line.split(address).next().unwrap().chars().count()
    });
    assert_eq!(columns, [columns[0]; 3], "{text}");
}

#[test]
fn a_length_of_time_has_one_form() {
    let text = screen(&demo(View::Processes, LOOK), (120, 40));
    for time in [" 2d03h ", " 5h13m ", " 3m03s "] {
        assert!(text.contains(time), "{time}: {text}");
    }
}

#[test]
fn the_address_of_a_long_board_is_whole() {
    let app = watch(Host::p150().into_tree(), View::Overview, LOOK);
    for size in [(110, 40), (120, 40), (200, 60)] {
        let text = screen(&app, size);
        assert!(text.contains("p150a blackhole  01:00.0  "), "{text}");
    }
}

#[test]
fn a_list_of_chips_is_whole_where_there_is_room() {
    let boards = (0..9).map(|number| Board::n150().serial(0x180_0000_0001 + number));
    let host = boards.fold(Host::new(), Host::board);
    let host = host.workload(Process::new(PID, "python3"), BYTES);
    let sparse = [1, 3, 5].into_iter().fold(host, |host, number| {
        let class = format!("/sys/class/tenstorrent/tenstorrent!{number}");
        host.without(class)
    });
    let app = watch(sparse.into_tree(), View::Processes, LOOK);
    let text = screen(&app, (120, 40));
    assert!(text.contains(" 0,2,4,6-8 "), "{text}");
}
