//! Any bytes as a segment.

use proptest::prelude::*;

use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_bytes_are_harmless(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u64>()), 1..200)) {
        let mut image = Image::full();
        for (index, word) in changes {
            let index = index.index(image.0.len());
            image.0[index] = word;
        }
        let _ignored = Reader::parse(&image.bytes()).map(|segment| segment.losses);
        // Sections anywhere, with a header that holds together.
        for word in fixed::SECTIONS..fixed::CHECKSUM {
            image.0[word] = image.0[word].rotate_left(u32::try_from(image.0[7000] % 64).unwrap_or(0));
        }
        image.0[fixed::CHECKSUM] = u64::from(entry::checksum(&image.0[1..fixed::CHECKSUM]));
        let programs = entry::checksum(&image.0[fixed::PROGRAM_SECTIONS..fixed::PROGRAM_CHECKSUM]);
        image.0[fixed::PROGRAM_CHECKSUM] = u64::from(programs);
        let stacks = entry::checksum(&image.0[fixed::STACK_SECTIONS..fixed::STACK_CHECKSUM]);
        image.0[fixed::STACK_CHECKSUM] = u64::from(stacks);
        let _ignored = Reader::parse(&image.bytes()).map(|segment| segment.losses);
    }
}
