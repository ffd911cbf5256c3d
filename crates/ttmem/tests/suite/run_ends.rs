//! `ttmem run`: segments that are there for a moment only.

use std::process::{Command, Output, Stdio};
use std::time::Duration;

use ttmem_fake::segment::{NewBuffer, Segment};
use ttmem_segment::{AllocatorKind, Identity};

use crate::run::{error, image, sh};

/// Runs a script that gets two images of segments of this run, `FOLDER/first` and `FOLDER/second`, once it has run for
/// longer than it takes from one look to the next. `NAME` is the name of its own segment.
fn with_images(starter: &str, inside: &str) -> Output {
    const WAIT: &str = "set -- $(cat /proc/$$/stat); echo $TTMEM_RUN > FOLDER/run; mv FOLDER/run FOLDER/token; \
                        until [ -e FOLDER/first ]; do sleep 0.05; done; ";
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let inside = inside.replace("WAIT;", WAIT).replace("NAME", "/dev/shm/ttmem-$$-${22}");
    let inside = inside.replace("FOLDER", &folder.path().display().to_string());
    std::fs::write(path("script"), inside).unwrap();
    let command = format!("{starter} sh {}", path("script").display());
    let child = sh(&["--report"], &command).stderr(Stdio::piped()).spawn().unwrap();
    while !path("token").exists() {
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(600));
    let token = std::fs::read_to_string(path("token")).unwrap();
    let of_run = |mut bytes: Vec<u8>, name: &str| {
        for (index, word) in Identity::new(None, token.trim()).header_words() {
            bytes[index * 8..][..8].copy_from_slice(&word.to_le_bytes());
        }
        std::fs::write(path("written"), bytes).unwrap();
        std::fs::rename(path("written"), path(name)).unwrap();
    };
    let second = Segment::wormhole(4242, 5, 0x180_0000_0001).allocate(NewBuffer::new(
        AllocatorKind::Dram,
        4 << 20,
        "Concat",
    ));
    of_run(second.image(), "second");
    of_run(std::fs::read(image(folder.path())).unwrap(), "first");
    child.wait_with_output().unwrap()
}

fn is_allowed(starter: &str) -> bool {
    let status = Command::new("sh").args(["-c", &format!("{starter} true")]).status();
    status.is_ok_and(|status| status.success())
}

#[test]
fn the_segment_of_a_process_that_ends_with_its_container_is_in_the_report() {
    let private = "unshare --mount --map-root-user";
    if !is_allowed(private) {
        return;
    }
    let inside = "mount -t tmpfs tmpfs /dev/shm; WAIT; cp FOLDER/first NAME; exit 5";
    let output = with_images(private, inside);
    assert_eq!(output.status.code(), Some(5));
    assert!(error(&output).contains("Matmul"), "{}", error(&output));
}

#[test]
fn a_segment_that_another_one_replaces_is_in_the_report_too() {
    let output = with_images(
        "exec",
        "WAIT; cp FOLDER/first NAME; sleep 0.4; rm NAME; cp FOLDER/second NAME",
    );
    assert!(error(&output).contains("Matmul"), "{}", error(&output));
    assert!(error(&output).contains("Concat"), "{}", error(&output));
}

#[test]
fn a_segment_that_is_removed_before_its_header_is_written_is_in_the_report() {
    let inside = "WAIT; exec 9> NAME; sleep 0.4; rm NAME; cat FOLDER/first >&9; sleep 0.1";
    let output = with_images("exec", inside);
    assert!(error(&output).contains("Matmul"), "{}", error(&output));
}
