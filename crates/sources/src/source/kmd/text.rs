//! Texts of the driver and of PCI as numbers.

/// Every bit of a register set, in the decimal of a counter or clock.
pub(super) const ONES: &str = "4294967295";

/// True for a number with all bits set: signed, in hexadecimal digits, or of 4 (with 12 and 8, Ethernet firmware), 16, 32 or 64 bits.
pub(super) fn is_ones(number: &str) -> bool {
    let digits = number.strip_prefix("0x").unwrap_or(number);
    let is_hexadecimal =
        digits.len() > 1 && digits.bytes().all(|digit| matches!(digit, b'f' | b'F'));
    is_hexadecimal
        || matches!(number, "-1" | "15" | "255" | "4095" | "65535" | ONES | "18446744073709551615")
}

/// The two words of the chip that an id consists of.
pub(super) fn halves(id: u64) -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = id.to_be_bytes();
    [u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h])]
}

/// True for a version of which every field is 0: the firmware's table has no such entry.
pub(super) fn is_version_of_zeros(text: &str) -> bool {
    text.contains('.') && text.bytes().all(|byte| matches!(byte, b'0' | b'.'))
}

/// `16.0 GT/s PCIe` as 16.0; at most twice the rate of PCIe 7.0. Kernels before 5.7 leave out `PCIe`.
pub(super) fn transfer_rate(text: &str) -> Option<f64> {
    let (number, unit) = text.split_once(' ')?;
    let number = number.parse::<f64>().ok()?;
    (matches!(unit, "GT/s" | "GT/s PCIe") && number > 0.0 && number <= 256.0).then_some(number)
}

/// `0x401e` as a number.
pub(super) fn hexadecimal(text: &str) -> Option<u16> {
    u16::from_str_radix(text.trim_start_matches("0x"), 16).ok()
}

/// Lanes of a link. A device that fell off the bus answers 0 or 255.
pub(super) fn lanes(text: &str) -> Option<u64> {
    text.parse().ok().filter(|lanes| (1..=32).contains(lanes))
}
