//! Metrics and their points, as OTLP has them.

use super::message::Message;
use crate::field::cell::{self, Cell};
use crate::field::metric::{Metric, Sample, Shape};

/// Attributes of a resource or a point.
#[derive(Clone, Debug, Default)]
pub(super) struct Attributes(Vec<(String, String)>);

impl Attributes {
    pub(super) fn with(mut self, key: &str, value: &str) -> Self {
        self.0.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Adds the cells that have a value.
    pub(super) fn with_cells<'a>(
        self,
        cells: impl Iterator<Item = (&'static str, Cell<'a>)>,
    ) -> Self {
        cells.fold(self, |attributes, (name, cell)| match cell {
            Cell::Text(text) => attributes.with(name, &text),
            Cell::Number(number, _) => attributes.with(name, &number.in_full()),
            Cell::Blank(..) | Cell::None(_) => attributes,
        })
    }

    /// Adds them to a message as the repeated field of this number.
    pub(super) fn put(&self, field: u32, message: Message) -> Message {
        self.0.iter().fold(message, |message, (key, value)| {
            let value = Message::default().string(1, value);
            message.message(field, &Message::default().string(1, key).message(2, &value))
        })
    }
}

/// A number.
#[derive(Clone, Copy, Debug)]
pub(super) enum Number {
    Whole(u64),
    Real(f64),
}

/// A metric with its points.
#[derive(Debug)]
pub(super) struct Points {
    metric: &'static Metric,
    points: Vec<(Attributes, Number)>,
}

impl Points {
    pub(super) fn new(metric: &'static Metric) -> Self {
        Self { metric, points: Vec::new() }
    }

    pub(super) fn add(&mut self, attributes: Attributes, number: Number) {
        self.points.push((attributes, number));
    }

    /// Adds a row's point if its value is known.
    pub(super) fn sample(&mut self, attributes: Attributes, sample: &Sample, cell: &Cell<'_>) {
        let Cell::Number(number, _) = cell else { return };
        let attributes = match sample.label {
            Some((name, value)) => attributes.with(name, value),
            None => attributes,
        };
        let number = match sample.scale.apply(*number) {
            cell::Number::Whole(value) => Number::Whole(value),
            number => Number::Real(number.real()),
        };
        self.add(attributes, number);
    }

    /// The metric at a time; `None` if nothing of it is known.
    pub(super) fn message(&self, nanoseconds: u64) -> Option<Message> {
        const CUMULATIVE: u64 = 2;
        if self.points.is_empty() {
            return None;
        }
        let mut data = self.points.iter().fold(Message::default(), |data, (attributes, number)| {
            let point = Message::default().fixed(3, nanoseconds);
            let point = match *number {
                Number::Whole(value) => point.signed(6, i64::try_from(value).unwrap_or(i64::MAX)),
                Number::Real(value) => point.double(4, value),
            };
            data.message(1, &attributes.put(7, point))
        });
        let metric = Message::default()
            .string(1, self.metric.name)
            .string(2, self.metric.help)
            .string(3, self.metric.unit);
        Some(match self.metric.shape {
            Shape::Gauge | Shape::Info => metric.message(5, &data),
            Shape::Amount | Shape::Counter => {
                data = data.number(2, CUMULATIVE);
                if self.metric.shape == Shape::Counter {
                    data = data.number(3, 1);
                }
                metric.message(7, &data)
            }
        })
    }
}
