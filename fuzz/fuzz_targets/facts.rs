//! Any bytes as the stored facts of a moment: reading and merging them must not panic, and must not take memory that the
//! bytes do not have.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ttmem_analysis::replay;
use ttmem_recording::{Recording, unsealed_facts};

fuzz_target!(|bytes: &[u8]| {
    let mut recording = Recording::open(unsealed_facts(bytes)).expect("the frame is whole");
    for number in 0..recording.len() {
        let Ok(Some(moment)) = recording.moment(number) else { panic!("moments need no facts") };
        if let Some(snapshot) = replay::merged(&moment) {
            assert!(serde_json::to_string(&snapshot).is_ok());
        }
    }
});
