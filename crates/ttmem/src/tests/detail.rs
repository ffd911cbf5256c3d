//! `-q`.

use crate::output::detail::render;
use crate::output::page::{Charset, Page};
use insta::assert_snapshot;
use ttmem_model::MissingReason;

use super::made;

#[test]
fn everything_of_four_chips() {
    assert_snapshot!("detail_four_91", render(&made::four(), &Page::plain(91)));
}

#[test]
fn one_chip_on_a_narrow_page() {
    assert_snapshot!("detail_one_60", render(&made::one(), &Page::plain(60)));
}

#[test]
fn a_blank_says_its_reason_and_its_detail() {
    let text = render(&made::reasons(), &Page::plain(120));
    for reason in MissingReason::ALL {
        let reason = reason.as_str();
        assert!(text.contains(&format!("{reason}  made {reason}")), "{reason}");
    }
}

#[test]
fn names_do_no_harm() {
    let text = render(&made::nasty_names(), &Page::plain(91));
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'));
    let page = Page { charset: Charset::Ascii, ..Page::plain(91) };
    assert!(render(&made::nasty_names(), &page).is_ascii());
}
