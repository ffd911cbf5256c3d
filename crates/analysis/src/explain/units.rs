//! Numbers in running text.

/// `1234567` as `1,234,567`.
#[must_use]
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// An address in hexadecimal, as ttmem prints it everywhere, and in decimal, as TT-Metal does: `0x000fa000 (1,024,000)`.
#[must_use]
pub(super) fn address(number: u64) -> String {
    format!("0x{number:08x} ({})", grouped(number))
}

/// `525,664 bytes (513.3 KiB)`; below 10 KiB only the bytes.
#[must_use]
pub(super) fn bytes(number: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let exact =
        if number == 1 { "1 byte".to_owned() } else { format!("{} bytes", grouped(number)) };
    if number < 10 << 10 {
        return exact;
    }
    let (size, unit) = UNITS.into_iter().find(|(size, _)| number >= *size).unwrap_or((1, "B"));
    let tenths = (u128::from(number) * 10 + u128::from(size) / 2) / u128::from(size);
    format!("{exact} ({}.{} {unit})", tenths / 10, tenths % 10)
}

/// `1 core`, `64 cores`.
#[must_use]
pub(super) fn count(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_scaled() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(bytes(1), "1 byte");
        assert_eq!(bytes(192), "192 bytes");
        assert_eq!(bytes(525_664), "525,664 bytes (513.3 KiB)");
        assert_eq!(bytes(1_072_693_184), "1,072,693,184 bytes (1023.0 MiB)");
        assert_eq!(bytes(u64::MAX), "18,446,744,073,709,551,615 bytes (17179869184.0 GiB)");
        assert_eq!(count(1, "core"), "1 core");
        assert_eq!(count(1200, "bank"), "1,200 banks");
    }
}
