//! `-L`.

use crate::output::list::render;
use crate::output::page::Page;
use insta::assert_snapshot;

use super::made;

#[test]
fn one_line_a_chip() {
    assert_snapshot!("list_four", render(&made::four(), &Page::plain(91)));
    let mut bare = made::one();
    bare.chips[0].board = None;
    bare.chips[0].bdf = None;
    bare.chips[0].serial = None;
    assert_eq!(render(&bare, &Page::plain(91)), "0  –  wormhole  –  0x0000000261900000  –\n");
    assert_eq!(render(&made::none(), &Page::plain(91)), "");
}
