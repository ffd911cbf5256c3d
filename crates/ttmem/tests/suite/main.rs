//! Every output of `ttmem`, drawn from made-up snapshots.

mod made;
mod table;
mod width;
