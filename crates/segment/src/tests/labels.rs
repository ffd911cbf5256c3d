//! A label and a shape.

use crate::{Label, Shape};

pub(super) fn shape() -> Shape {
    Shape { dimensions: vec![1, 1, 1024, 512], data_type: 3, layout: 1 }
}

pub(super) fn label() -> Label {
    Label {
        name: "python3".to_owned(),
        command: "python3 train.py".to_owned(),
        rank: "3".to_owned(),
        job: "4711".to_owned(),
    }
}
