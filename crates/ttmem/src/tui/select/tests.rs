use super::*;
use ttmem_sources::Collector;

fn pids(filter: &str, column: Column, ascending: bool) -> Vec<i32> {
    let snapshot = Collector::demo().snapshot();
    let filter = Filter::parse(filter).unwrap();
    let order = Order { column, ascending, tree: false };
    let rows = rows(&snapshot, &BTreeMap::new(), &order, |process| {
        filter.shows_process(&snapshot, process)
    });
    rows.iter().map(|row| row.process.pid.0).collect()
}

#[test]
fn a_filter_is_words_and_fields() {
    let found = |filter| pids(filter, Column::Pid, true);
    assert_eq!(found(""), [39_122, 41_377, 52_110, 58_213]);
    assert_eq!(found("LLAMA"), [41_377]);
    assert_eq!(found("user:alice"), [39_122, 58_213]);
    assert_eq!(found("user:alice state:live"), [58_213]);
    assert_eq!(found("chip:3"), [52_110]);
    assert_eq!(found("chip:41:00.0"), [52_110]);
    assert_eq!(found("board:n150 name:python3"), [41_377]);
    assert_eq!(found("pid:4137"), [0; 0]);
    assert_eq!(found("container:docker"), [41_377]);
    assert_eq!(Filter::parse("usr:bob"), Err(filter::UnknownField("usr".into())));
}

#[test]
fn what_is_not_known_stands_last_in_either_direction() {
    let by_dram = |ascending| pids("", Column::Dram, ascending);
    assert_eq!(by_dram(false), [41_377, 52_110, 58_213, 39_122]);
    assert_eq!(by_dram(true), [39_122, 58_213, 52_110, 41_377]);
    assert_eq!(pids("", Column::Host, false).last(), Some(&39_122));
    assert_eq!(pids("", Column::Host, true).last(), Some(&39_122));
    assert_eq!(pids("", Column::Runtime, false), [41_377, 52_110, 58_213, 39_122]);
}

#[test]
fn a_tree_has_the_chips_of_a_process_below_it() {
    let snapshot = Collector::demo().snapshot();
    let order = Order { tree: true, ..Order::default() };
    let rows = rows(&snapshot, &BTreeMap::new(), &order, |process| process.pid.0 == 52_110);
    let figures: Vec<_> = rows.iter().map(|row| row.figure(Column::Dram)).collect();
    let bytes = |index: usize| *figures[index].as_ref().unwrap().value().unwrap();
    assert_eq!(rows.len(), 3);
    assert_eq!(bytes(0), bytes(1) + bytes(2));
    assert_eq!(rows[1].figure(Column::Host), None);
}
