//! A snapshot as one flat row of tokens: containers before what they contain, leaves as one word each.
//!
//! Nothing here knows what a snapshot is. Fields that a later version adds are tokens like any other, so that what is
//! recorded comes back whole, also in a `ttmem` that does not know them.

use super::bytes::{Reader, put_varint, unzigzag, zigzag};
use super::error::Damage;

/// The maximum depth of containers. A snapshot is 6 deep.
pub(crate) const MAX_DEPTH: usize = 64;
/// The most tokens of one snapshot: forty times the 25,000 of a Galaxy with eight processes.
pub(crate) const MAX_TOKENS: usize = 1 << 20;
/// Digits after the point that a [`Token::decimal`] may have.
pub(crate) const MAX_DIGITS: u8 = 9;

const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const UNSIGNED: u8 = 3;
const NEGATIVE: u8 = 4;
const FLOAT: u8 = 5;
const SINGLE: u8 = 6;
const STRING: u8 = 7;
const LIST: u8 = 8;
const MAP: u8 = 9;
/// `DECIMAL + n` is a number with `n` digits after the point.
const DECIMAL: u8 = 16;

/// One word of a flat snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    tag: u8,
    bits: u64,
}

/// The value of a token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Unsigned(u64),
    Negative(i64),
    Float(f64),
    Single(f32),
    /// The number of a string in the dictionary.
    String(u32),
    /// A list of this number of elements.
    List(u32),
    /// A map, by the number of its shape in the dictionary.
    Map(u32),
    /// A mantissa and its number of digits after the point.
    Decimal(i64, u8),
}

impl Token {
    pub(crate) const NULL: Self = Self { tag: NULL, bits: 0 };

    pub(crate) fn bool(value: bool) -> Self {
        Self { tag: if value { TRUE } else { FALSE }, bits: 0 }
    }

    pub(crate) fn unsigned(value: u64) -> Self {
        Self { tag: UNSIGNED, bits: value }
    }

    pub(crate) fn signed(value: i64) -> Self {
        match u64::try_from(value) {
            Ok(value) => Self::unsigned(value),
            Err(_) => Self { tag: NEGATIVE, bits: value.cast_unsigned() },
        }
    }

    pub(crate) fn single(value: f32) -> Self {
        Self { tag: SINGLE, bits: u64::from(value.to_bits()) }
    }

    /// A number with `digits` digits after the point. Whole ones print without a point.
    pub(crate) fn decimal(mantissa: i64, digits: u8) -> Self {
        Self { tag: DECIMAL + digits, bits: mantissa.cast_unsigned() }
    }

    /// A floating-point number: as a decimal where that is exactly it, since the differences of decimals are small.
    /// `like` is the previous value, so that 53.25 and 53.2 are counted in the same unit.
    pub(crate) fn float(value: f64, like: Option<Self>) -> Self {
        let digits = like.and_then(Self::digits);
        let found = digits.into_iter().chain(1..=MAX_DIGITS).find_map(|digits| {
            let mantissa = mantissa_of(value, digits)?;
            Some(Self::decimal(mantissa, digits))
        });
        found.unwrap_or(Self { tag: FLOAT, bits: value.to_bits() })
    }

    /// Converts a whole number to the unit of the previous value.
    pub(crate) fn whole(self, like: Option<Self>) -> Self {
        let scaled = || {
            let digits = like.and_then(Self::digits)?;
            let value = i64::try_from(self.bits).ok()?;
            Some(Self::decimal(value.checked_mul(power(digits))?, digits))
        };
        if self.tag == UNSIGNED { scaled().unwrap_or(self) } else { self }
    }

    pub(crate) fn string(number: u32) -> Self {
        Self { tag: STRING, bits: u64::from(number) }
    }

    pub(crate) fn list(elements: u32) -> Self {
        Self { tag: LIST, bits: u64::from(elements) }
    }

    pub(crate) fn map(shape: u32) -> Self {
        Self { tag: MAP, bits: u64::from(shape) }
    }

    fn digits(self) -> Option<u8> {
        self.tag.checked_sub(DECIMAL).filter(|digits| (1..=MAX_DIGITS).contains(digits))
    }

    /// True for a list or a map.
    pub(crate) fn is_container(self) -> bool {
        matches!(self.tag, LIST | MAP)
    }

    #[expect(clippy::cast_possible_truncation, reason = "constructors and `read` keep to 32 bits")]
    pub(crate) fn value(self) -> Value {
        match self.tag {
            FALSE => Value::Bool(false),
            TRUE => Value::Bool(true),
            UNSIGNED => Value::Unsigned(self.bits),
            NEGATIVE => Value::Negative(self.bits.cast_signed()),
            FLOAT => Value::Float(f64::from_bits(self.bits)),
            SINGLE => Value::Single(f32::from_bits(self.bits as u32)),
            STRING => Value::String(self.bits as u32),
            LIST => Value::List(self.bits as u32),
            MAP => Value::Map(self.bits as u32),
            tag if tag > DECIMAL => Value::Decimal(self.bits.cast_signed(), tag - DECIMAL),
            _ => Value::Null,
        }
    }

    /// Returns the distance from another number of the same kind.
    pub(crate) fn difference(self, from: Self) -> Option<i64> {
        let counts = self.tag == UNSIGNED || self.tag > DECIMAL;
        (counts && self.tag == from.tag).then(|| self.bits.wrapping_sub(from.bits).cast_signed())
    }

    /// The number that is so far from it.
    pub(crate) fn plus(self, difference: i64) -> Result<Self, Damage> {
        if self.tag != UNSIGNED && self.tag <= DECIMAL {
            return Err(Damage::Impossible("a difference to what is no number"));
        }
        Ok(Self { tag: self.tag, bits: self.bits.wrapping_add(difference.cast_unsigned()) })
    }

    pub(crate) fn put(self, out: &mut Vec<u8>) {
        out.push(self.tag);
        match self.tag {
            NULL | FALSE | TRUE => {}
            FLOAT => out.extend_from_slice(&self.bits.to_le_bytes()),
            tag if tag > DECIMAL => put_varint(out, zigzag(self.bits.cast_signed())),
            _ => put_varint(out, self.bits),
        }
    }

    /// Reads a token. Strings and shapes must be among those that the dictionary has.
    pub(crate) fn read(
        reader: &mut Reader<'_>,
        strings: usize,
        shapes: usize,
    ) -> Result<Self, Damage> {
        let tag = reader.byte()?;
        let bits = match tag {
            NULL | FALSE | TRUE => 0,
            UNSIGNED | NEGATIVE => reader.varint()?,
            FLOAT => super::bytes::u64_at(reader.take(8)?, 0),
            SINGLE | LIST => u64::from(reader.index(u32::MAX as usize)?),
            STRING => u64::from(reader.index(strings)?),
            MAP => u64::from(reader.index(shapes)?),
            tag if tag > DECIMAL && tag <= DECIMAL + MAX_DIGITS => {
                unzigzag(reader.varint()?).cast_unsigned()
            }
            _ => return Err(Damage::Impossible("a value of an unknown type")),
        };
        Ok(Self { tag, bits })
    }
}

fn power(digits: u8) -> i64 {
    10_i64.pow(u32::from(digits.min(MAX_DIGITS)))
}

/// The mantissa with this number of digits after the point, if that is exactly the number and it is not whole.
fn mantissa_of(value: f64, digits: u8) -> Option<i64> {
    /// The first whole `f64` that may stand for two integers: 2^53.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let unit = unit(digits);
    let mantissa = (value * unit).round();
    #[expect(clippy::float_cmp, reason = "only the very same number may be put back")]
    let is_same = mantissa.abs() < EXACT && mantissa / unit == value && value.fract() != 0.0;
    #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
    is_same.then_some(mantissa as i64)
}

fn unit(digits: u8) -> f64 {
    10_f64.powi(i32::from(digits))
}

/// The number of a [`Value::Decimal`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Decimal {
    /// A number with nothing but zeros after the point.
    Whole(i64),
    /// A number with a fraction.
    Fraction(f64),
}

impl Decimal {
    /// Returns the number of a mantissa with this number of digits after the point.
    pub(crate) fn new(mantissa: i64, digits: u8) -> Self {
        if mantissa % power(digits) == 0 {
            return Self::Whole(mantissa / power(digits));
        }
        #[expect(clippy::cast_precision_loss, reason = "mantissas that are written are below 2^53")]
        let mantissa = mantissa as f64;
        Self::Fraction(mantissa / unit(digits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_float_is_a_decimal_where_that_is_exactly_it() {
        let value = |float| Token::float(float, None).value();
        assert_eq!(value(0.85), Value::Decimal(85, 2));
        assert_eq!(value(-53.2), Value::Decimal(-532, 1));
        assert_eq!(value(std::f64::consts::PI), Value::Float(std::f64::consts::PI));
        assert_eq!(value(3.0), Value::Float(3.0));
        let like = Some(Token::float(53.25, None));
        assert_eq!(Token::float(53.2, like).value(), Value::Decimal(5320, 2));
        assert_eq!(Token::unsigned(53).whole(like).value(), Value::Decimal(5300, 2));
        assert_eq!(Token::unsigned(u64::MAX).whole(like), Token::unsigned(u64::MAX));
    }

    #[test]
    fn every_token_comes_back() {
        let tokens = [
            Token::NULL,
            Token::bool(true),
            Token::unsigned(u64::MAX),
            Token::signed(-7),
            Token::float(f64::NAN, None),
            Token::float(1e300, None),
            Token::single(0.1),
            Token::string(3),
            Token::list(9),
            Token::map(1),
            Token::decimal(-85, 2),
        ];
        for token in tokens {
            let mut bytes = Vec::new();
            token.put(&mut bytes);
            assert_eq!(Token::read(&mut Reader::new(&bytes), 4, 2), Ok(token));
        }
        assert!(Token::read(&mut Reader::new(&[STRING, 4]), 4, 2).is_err());
        assert!(Token::read(&mut Reader::new(&[200]), 4, 2).is_err());
    }
}
