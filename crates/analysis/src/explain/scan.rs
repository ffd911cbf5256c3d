//! The scanner: finds a template with holes in running text.
//!
//! It forgives what happens to a message on its way into a ticket: any run of spaces is as good as one, a line end may
//! be anywhere, and what mail, Markdown, pytest and comments put before a continued line is skipped.

use super::cores::Cores;

/// The allowed content of a hole of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hole {
    /// An unsigned decimal number of up to 64 bits.
    Number,
    /// A name such as `L1_SMALL` or `TENSIX`.
    Word,
    /// A core range or a set of them.
    Cores,
}

/// The content of a hole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Number(u64),
    Word(String),
    Cores(Cores),
}

/// Where the values of a template are: the values in the order of the holes, and the end of the match.
pub(super) type Found = (Vec<Value>, usize);

/// Matches a template, split at its holes, against the text at `start`.
///
/// Releases of early 2024 printed the template as it is, holes and all, and the values in the lines below; that
/// form is understood too.
pub(super) fn match_at(
    text: &[u8],
    start: usize,
    literals: &[&str],
    holes: &[Hole],
) -> Option<Found> {
    Cursor::new(text, start).literal(literals.first()?)?;
    let mut values = Vec::with_capacity(holes.len());
    match follow(text, start, literals, holes, &mut values) {
        Some(end) => Some((values, end)),
        None => match_unformatted(text, start, literals, holes),
    }
}

fn follow(
    text: &[u8],
    start: usize,
    literals: &[&str],
    holes: &[Hole],
    values: &mut Vec<Value>,
) -> Option<usize> {
    let (literal, literals) = literals.split_first()?;
    let mut cursor = Cursor::new(text, start);
    cursor.literal(literal)?;
    let Some((&hole, holes)) = holes.split_first() else { return Some(cursor.position) };
    for (value, end) in cursor.candidates(hole) {
        values.push(value);
        if let Some(end) = follow(text, end, literals, holes, values) {
            return Some(end);
        }
        values.pop();
    }
    None
}

fn match_unformatted(
    text: &[u8],
    start: usize,
    literals: &[&str],
    holes: &[Hole],
) -> Option<Found> {
    let mut cursor = Cursor::new(text, start);
    let (first, others) = literals.split_first()?;
    cursor.literal(first)?;
    for literal in others {
        cursor.literal("{}")?;
        cursor.literal(literal)?;
    }
    let mut values = Vec::with_capacity(holes.len());
    for &hole in holes {
        cursor.skip_space();
        let (value, end) = cursor.candidates(hole).into_iter().next()?;
        values.push(value);
        cursor.position = end;
    }
    Some((values, cursor.position))
}

/// A place in the text that moves forward.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'a> {
    text: &'a [u8],
    position: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a [u8], position: usize) -> Self {
        Self { text, position }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.position).copied()
    }

    /// Steps over one given byte.
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let eaten = self.peek() == Some(byte);
        self.position += usize::from(eaten);
        eaten
    }

    /// Steps over a literal; `None` leaves the cursor anywhere.
    fn literal(&mut self, literal: &str) -> Option<()> {
        let mut spaced = false;
        for &wanted in literal.as_bytes() {
            if wanted == b' ' {
                spaced = true;
                continue;
            }
            if spaced {
                self.skip_space().then_some(())?;
                spaced = false;
            }
            if self.peek() == Some(b'\n') {
                self.skip_line_end();
            }
            self.eat(wanted).then_some(())?;
        }
        (!spaced || self.skip_space()).then_some(())
    }

    /// Steps over spaces and line ends, and says whether there were any.
    pub(super) fn skip_space(&mut self) -> bool {
        let start = self.position;
        loop {
            match self.peek() {
                Some(b' ') => self.position += 1,
                Some(b'\n') => self.skip_line_end(),
                // The closing quote of a string that goes on in the next line of a program.
                Some(b'"' | b'\'') if self.text.get(self.position + 1) == Some(&b'\n') => {
                    self.position += 1;
                }
                _ => return self.position > start,
            }
        }
    }

    /// Steps over a line end and what marks the next line as a continuation: pytest's `E`, quotes, comments.
    fn skip_line_end(&mut self) {
        self.position += 1;
        while self.eat(b' ') {}
        if self.peek() == Some(b'E') && self.text.get(self.position + 1) == Some(&b' ') {
            self.position += 1;
        }
        while matches!(
            self.peek(),
            Some(b' ' | b'>' | b'#' | b'|' | b'*' | b'/' | b'!' | b'"' | b'\'')
        ) {
            self.position += 1;
        }
    }

    /// A number of up to 32 bits.
    pub(super) fn small_number(&mut self) -> Option<u32> {
        let digits = self.digits();
        std::str::from_utf8(digits).ok()?.parse().ok()
    }

    fn digits(&mut self) -> &'a [u8] {
        let rest = self.text.get(self.position..).unwrap_or_default();
        let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.position += length;
        &rest[..length]
    }

    /// The values that can be read here, with the place behind each. A number at a line's end has more than one: its
    /// last digits may be in the next line.
    fn candidates(&self, hole: Hole) -> Vec<(Value, usize)> {
        let mut cursor = self.clone();
        match hole {
            Hole::Number => cursor.numbers(),
            Hole::Word => cursor.word().map(|value| (value, cursor.position)).into_iter().collect(),
            Hole::Cores => Cores::read(&mut cursor)
                .map(|cores| (Value::Cores(cores), cursor.position))
                .into_iter()
                .collect(),
        }
    }

    fn numbers(&mut self) -> Vec<(Value, usize)> {
        let mut found = Vec::new();
        let mut number = String::new();
        if self.peek() == Some(b'\n') {
            self.skip_line_end();
        }
        loop {
            number.push_str(std::str::from_utf8(self.digits()).unwrap_or_default());
            let Ok(value) = number.parse() else { return found };
            found.push((Value::Number(value), self.position));
            if self.peek() != Some(b'\n') {
                return found;
            }
            self.skip_line_end();
            if !self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
                return found;
            }
        }
    }

    fn word(&mut self) -> Option<Value> {
        let rest = self.text.get(self.position..).unwrap_or_default();
        let length =
            rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
        self.position += length;
        let word = std::str::from_utf8(&rest[..length]).ok().filter(|word| !word.is_empty())?;
        Some(Value::Word(word.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(text: &str, template: &str, holes: &[Hole]) -> Option<Vec<Value>> {
        let literals: Vec<&str> = template.split("{}").collect();
        match_at(text.as_bytes(), 0, &literals, holes).map(|(values, _)| values)
    }

    #[test]
    fn spaces_and_line_ends_do_not_matter() {
        let template = "grow to {} B which";
        let expected = Some(vec![Value::Number(1234)]);
        for text in [
            "grow to 1234 B which",
            "grow   to 1234\nB  which",
            "grow to\nE       1234 B which",
            "gr\now to 12\n34 B wh\nich",
            "grow to\n    # 1234 B \"\n    \"which",
        ] {
            assert_eq!(find(text, template, &[Hole::Number]), expected, "{text}");
        }
        assert_eq!(find("growto 1234 B which", template, &[Hole::Number]), None);
    }

    #[test]
    fn a_number_that_does_not_fit_is_none_of_ours() {
        let largest = u64::MAX.to_string();
        assert_eq!(find(&largest, "{}", &[Hole::Number]), Some(vec![Value::Number(u64::MAX)]));
        assert_eq!(find("18446744073709551616", "{}", &[Hole::Number]), None);
        assert_eq!(find("x", "{}", &[Hole::Number]), None);
    }

    #[test]
    fn the_unformatted_form_of_early_2024_is_read() {
        let text = "grow to {} B of {}\nE           1234\nE           56";
        let values = find(text, "grow to {} B of {}", &[Hole::Number, Hole::Number]);
        assert_eq!(values, Some(vec![Value::Number(1234), Value::Number(56)]));
    }
}
