//! The table of messages: the wording of every release, and what its holes mean.
//!
//! Wordings of 0.62 to 0.81 are as in the released libraries; the shorter ones are of builds of 2024 and
//! 2025. Where one wording begins like another the longer is first.

use super::breakdown;
use super::cores::Cores;
use super::message::{
    BelowLimit, BuffersBeyondL1, BuffersClash, Message, OutOfMemory, ProgramTooLarge,
    ServiceCoreClash, StaticBuffers,
};
use super::scan::{self, Hole, Value};

const N: Hole = Hole::Number;
const W: Hole = Hole::Word;
const C: Hole = Hole::Cores;

/// One wording of one message.
pub(super) struct Template {
    /// The text, with `{}` where a value is.
    pub(super) text: &'static str,
    /// The content of the holes.
    pub(super) holes: &'static [Hole],
    make: fn(Values) -> Option<Message>,
}

/// Every wording.
pub(super) const TEMPLATES: &[Template] = &[
    Template {
        text: "Statically allocated circular buffers in program {} clash with L1 buffers on core range {}. L1 buffer allocated at {} and static circular buffer region ends at {}",
        holes: &[N, C, N, N],
        make: |values| clash(StaticBuffers::Circular, values),
    },
    Template {
        text: "Statically allocated dataflow buffers in program {} clash with L1 buffers on core range {}. L1 buffer allocated at {} and static dataflow buffer region ends at {}",
        holes: &[N, C, N, N],
        make: |values| clash(StaticBuffers::Dataflow, values),
    },
    Template {
        text: "Statically allocated circular buffers on core range {} grow to {} B which is beyond max L1 size of {} B",
        holes: &[C, N, N],
        make: |values| beyond(StaticBuffers::Circular, values),
    },
    Template {
        text: "Statically allocated dataflow buffers on core range {} grow to {} B which is beyond max L1 size of {} B",
        holes: &[C, N, N],
        make: |values| beyond(StaticBuffers::Dataflow, values),
    },
    Template {
        text: "Circular buffers on service-core range {} in program {} clash with ServiceCoreManager-allocated L1 (lowest service allocation at {}, CB region ends at {})",
        holes: &[C, N, N, N],
        make: service,
    },
    Template {
        text: "Out of Memory: Not enough space to allocate {} B {} buffer across {} banks, where each bank needs to store {} B, but bank size is {} B (allocated: {} B, free: {} B, largest free block: {} B)",
        holes: &[N, W, N, N, N, N, N, N],
        make: |values| memory(false, values),
    },
    Template {
        text: "Out of Memory: Not enough space to allocate {} B {} buffer across {} banks, where each bank needs to store {} B, but bank size is {} B (allocated: {} B, free: {} B)",
        holes: &[N, W, N, N, N, N, N],
        make: |values| memory(false, values),
    },
    Template {
        text: "Out of Memory: Not enough space to allocate {} B {} buffer across {} banks, where each bank needs to store {} B, but bank size is {} B",
        holes: &[N, W, N, N, N],
        make: |values| memory(false, values),
    },
    Template {
        text: "Out of Memory: Not enough space to allocate {} B {} buffer across {} banks, where each bank needs to store {} B, but bank size is only {} B",
        holes: &[N, W, N, N, N],
        make: |values| memory(false, values),
    },
    Template {
        text: "Out of Memory: Not enough space to allocate {} B {} buffer across {} banks, where each bank needs to store {} B",
        holes: &[N, W, N, N],
        make: |values| memory(false, values),
    },
    Template {
        text: "Out of Memory: Not enough space after considering dependencies to allocate {} B {} across {} banks ({} B per bank), bank size is {} B (allocated: {} B, free: {} B, largest free block: {} B)",
        holes: &[N, W, N, N, N, N, N, N],
        make: |values| memory(true, values),
    },
    Template {
        text: "Out of Memory: Not enough space after considering dependencies to allocate {} B {} across {} banks ({} B per bank)",
        holes: &[N, W, N, N],
        make: |values| memory(true, values),
    },
    Template {
        text: "Out of Memory: Cannot allocate at an address below {}. Allocation at {}",
        holes: &[N, N],
        make: below,
    },
    Template {
        text: "Out of Memory: Cannot allocate at an address below {}. Tried to allocate at {}",
        holes: &[N, N],
        make: below,
    },
    Template {
        text: "Out of Memory: Cannot allocate at an address below {}. Allocation ends at {}",
        holes: &[N, N],
        make: below,
    },
    Template {
        text: "Program size ({}) too large for kernel config buffer ({}) on {}",
        holes: &[N, N, W],
        make: program,
    },
    Template {
        text: "Program size ({}) too large for kernel config buffer ({})",
        holes: &[N, N],
        make: program,
    },
];

/// The table, with each text split at its holes.
pub(super) struct Templates(Vec<(&'static Template, Vec<&'static str>)>);

impl Templates {
    pub(super) fn new() -> Self {
        Self(
            TEMPLATES
                .iter()
                .map(|template| (template, template.text.split("{}").collect()))
                .collect(),
        )
    }

    /// True if a message can begin with this byte.
    pub(super) fn can_begin(&self, byte: u8) -> bool {
        matches!(byte, b'S' | b'C' | b'O' | b'P')
    }

    /// The message that begins at an offset of the text, where its wording ends, and where its breakdown does.
    pub(super) fn match_at(&self, text: &str, start: usize) -> Option<(Message, usize, usize)> {
        let bytes = text.as_bytes();
        let first = bytes.get(start)?;
        let candidates =
            self.0.iter().filter(|(template, _)| template.text.as_bytes().first() == Some(first));
        for (template, literals) in candidates {
            let Some((values, end)) = scan::match_at(bytes, start, literals, template.holes) else {
                continue;
            };
            let Some(message) = (template.make)(Values(values.into_iter())) else { continue };
            let Message::ProgramTooLarge(program) = message else {
                return Some((message, end, end));
            };
            let (program, breakdown_end) = breakdown::read(program, text, end);
            return Some((Message::ProgramTooLarge(program), end, breakdown_end));
        }
        None
    }
}

/// The values of a match, taken one by one.
struct Values(std::vec::IntoIter<Value>);

impl Values {
    fn number(&mut self) -> Option<u64> {
        match self.0.next()? {
            Value::Number(number) => Some(number),
            Value::Word(_) | Value::Cores(_) => None,
        }
    }

    fn word(&mut self) -> Option<String> {
        match self.0.next()? {
            Value::Word(word) => Some(word),
            Value::Number(_) | Value::Cores(_) => None,
        }
    }

    fn cores(&mut self) -> Option<Cores> {
        match self.0.next()? {
            Value::Cores(cores) => Some(cores),
            Value::Number(_) | Value::Word(_) => None,
        }
    }
}

fn clash(buffers: StaticBuffers, mut values: Values) -> Option<Message> {
    Some(Message::BuffersClash(BuffersClash {
        buffers,
        program: values.number()?,
        cores: values.cores()?,
        l1_address: values.number()?,
        end: values.number()?,
    }))
}

fn beyond(buffers: StaticBuffers, mut values: Values) -> Option<Message> {
    Some(Message::BuffersBeyondL1(BuffersBeyondL1 {
        buffers,
        cores: values.cores()?,
        end: values.number()?,
        l1_size: values.number()?,
    }))
}

fn service(mut values: Values) -> Option<Message> {
    Some(Message::ServiceCoreClash(ServiceCoreClash {
        cores: values.cores()?,
        program: values.number()?,
        service_address: values.number()?,
        end: values.number()?,
    }))
}

fn memory(dependencies: bool, mut values: Values) -> Option<Message> {
    Some(Message::OutOfMemory(OutOfMemory {
        requested: values.number()?,
        memory: values.word()?,
        banks: values.number()?,
        per_bank: values.number()?,
        bank_size: values.number(),
        allocated: values.number(),
        free: values.number(),
        largest_free: values.number(),
        dependencies,
    }))
}

fn below(mut values: Values) -> Option<Message> {
    Some(Message::BelowLimit(BelowLimit { limit: values.number()?, address: values.number()? }))
}

fn program(mut values: Values) -> Option<Message> {
    Some(Message::ProgramTooLarge(ProgramTooLarge {
        size: values.number()?,
        ring: values.number()?,
        processor: values.word(),
        parts: Vec::new(),
        kernels: Vec::new(),
    }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::explain::cores::CoreRange;

    fn value(hole: Hole) -> BoxedStrategy<Value> {
        let coordinate = 0..64_u32;
        let range = (coordinate.clone(), coordinate.clone(), coordinate.clone(), coordinate)
            .prop_map(|(x, y, end_x, end_y)| CoreRange { start: (x, y), end: (end_x, end_y) });
        match hole {
            Hole::Number => prop_oneof![any::<u64>(), 0..10_u64].prop_map(Value::Number).boxed(),
            Hole::Word => "[A-Z][A-Z0-9_]{0,12}".prop_map(Value::Word).boxed(),
            Hole::Cores => prop::collection::vec(range, 1..4)
                .prop_map(|ranges| Value::Cores(Cores(ranges)))
                .boxed(),
        }
    }

    /// A value as a release prints it: core ranges have two spellings, and more than one are in braces.
    fn spelled(value: &Value, old: bool) -> String {
        let spell = |range: &CoreRange| {
            let ((x, y), (end_x, end_y)) = (range.start, range.end);
            if old {
                format!("[(x={x},y={y}) - (x={end_x},y={end_y})]")
            } else {
                format!("[{x}-{y} - {end_x}-{end_y}]")
            }
        };
        match value {
            Value::Number(number) => number.to_string(),
            Value::Word(word) => word.clone(),
            Value::Cores(Cores(ranges)) if ranges.len() == 1 => spell(&ranges[0]),
            Value::Cores(Cores(ranges)) => {
                format!("{{{}}}", ranges.iter().map(spell).collect::<Vec<_>>().join(", "))
            }
        }
    }

    fn filled(template: &Template, values: &[Value], old: bool) -> String {
        let mut text = String::new();
        let mut values = values.iter();
        for (index, literal) in template.text.split("{}").enumerate() {
            if index > 0 {
                text += &spelled(values.next().unwrap(), old);
            }
            text += literal;
        }
        text
    }

    fn cases() -> impl Strategy<Value = (usize, Vec<Value>)> {
        (0..TEMPLATES.len()).prop_flat_map(|index| {
            let values: Vec<_> = TEMPLATES[index].holes.iter().map(|&hole| value(hole)).collect();
            (Just(index), values)
        })
    }

    #[test]
    fn every_template_has_as_many_holes_as_it_says() {
        let templates = Templates::new();
        for template in TEMPLATES {
            assert_eq!(
                template.text.matches("{}").count(),
                template.holes.len(),
                "{}",
                template.text
            );
            assert!(templates.can_begin(template.text.as_bytes()[0]), "{}", template.text);
        }
    }

    proptest! {
        #[test]
        fn what_a_template_says_is_read_back(
            (index, values) in cases(),
            old: bool,
            before in "[a-z |:]{0,20}",
            after in "( \\(assert.hpp:104\\)|\\.|\n|,)?",
        ) {
            let template = &TEMPLATES[index];
            let text = format!("{before}{}{after}", filled(template, &values, old));
            let expected = (template.make)(Values(values.into_iter())).unwrap();
            let (message, end, _) = Templates::new().match_at(&text, before.len()).unwrap();
            prop_assert_eq!(message, expected);
            prop_assert_eq!(end, text.len() - after.len());
        }

        #[test]
        fn a_wrapped_line_says_the_same((index, values) in cases(), old: bool, columns in 20..120_usize) {
            let template = &TEMPLATES[index];
            // The last value is kept whole: nothing behind it tells whether the next line goes on with it.
            let text = filled(template, &values, old) + " ";
            let words: Vec<&str> = text.split(' ').collect();
            let mut wrapped = String::new();
            let mut column = 0;
            for word in words {
                if column > 0 && column + word.len() >= columns {
                    wrapped += "\nE       ";
                    column = 0;
                }
                wrapped += word;
                wrapped.push(' ');
                column += word.len() + 1;
            }
            let expected = (template.make)(Values(values.into_iter())).unwrap();
            let (message, ..) = Templates::new().match_at(&wrapped, 0).unwrap();
            prop_assert_eq!(message, expected);
        }
    }
}
