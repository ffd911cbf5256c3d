//! Messages of TT-Metal, as `fixtures/explain` has them and as logs decorate them.

mod blocks;
mod cases;
mod counted;
mod decorations;
mod front;
mod limits;
mod messages;
mod prose;
mod report;
mod source_code;
mod templates;
mod wordings;
mod written;
