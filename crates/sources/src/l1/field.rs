//! Little-endian numbers out of bytes that are not trusted.

use super::layout::Field;

/// The number in a field of 1, 2, 4 or 8 bytes; `None` if the bytes end before it does.
#[must_use]
pub(super) fn number(bytes: &[u8], field: Field) -> Option<u64> {
    let start = usize::try_from(field.offset).ok()?;
    let end = start.checked_add(usize::try_from(field.bytes).ok()?)?;
    let mut padded = [0; 8];
    let bytes = bytes.get(start..end)?;
    padded.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(u64::from_le_bytes(padded))
}

/// Element `index` of an array field whose elements have `bytes` bytes each; `None` past its end.
#[must_use]
pub(crate) fn element(bytes: &[u8], array: Field, index: usize, element_bytes: u32) -> Option<u64> {
    let skip = u32::try_from(index).ok()?.checked_mul(element_bytes)?;
    if skip.checked_add(element_bytes)? > array.bytes {
        return None;
    }
    number(bytes, Field::new(array.offset.checked_add(skip)?, element_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_past_the_end_is_none() {
        let bytes = [1, 2, 3, 4, 5];
        assert_eq!(number(&bytes, Field::new(1, 2)), Some(0x0302));
        assert_eq!(number(&bytes, Field::new(3, 4)), None);
        assert_eq!(number(&bytes, Field::new(u32::MAX, 4)), None);
        assert_eq!(number(&bytes, Field::new(0, 9)), None);
    }

    #[test]
    fn an_element_past_the_array_is_none() {
        let bytes = [1, 0, 2, 0, 3, 0];
        assert_eq!(element(&bytes, Field::new(0, 4), 1, 2), Some(2));
        assert_eq!(element(&bytes, Field::new(0, 4), 2, 2), None);
        assert_eq!(element(&bytes, Field::new(0, u32::MAX), usize::MAX, 2), None);
    }
}
