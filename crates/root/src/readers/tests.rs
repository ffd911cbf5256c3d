//! The pool, with shell scripts as readers. Reader processes of the real program are tested in `crates/ttmem`.

use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::Tree;

/// A host with one file for each of `count` keys.
fn host(count: u32) -> (Root, Vec<Arc<Request>>) {
    let mut tree = Tree::new();
    let request = |key: u32| {
        tree.put_line(format!("/sys/{key}/value"), key);
        let folder = FolderRequest {
            path: format!("/sys/{key}"),
            names: vec!["value"],
            limit: 64,
            is_repeated: false,
        };
        Arc::new(Request { key, folders: vec![folder] })
    };
    let requests = (0..count).map(request).collect();
    (Root::memory(tree), requests)
}

/// Readers of a program that is no reader.
fn script(text: &str) -> (tempfile::TempDir, Readers) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("reader");
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let program = Program { executable: path, arguments: Vec::new(), is_this: false };
    (folder, Readers { program: Some(program), ..Readers::in_process() })
}

fn values(responses: &[Response]) -> Vec<Option<String>> {
    let first = |response: &Response| {
        let file = response.folders.first()?.file(0)?.ok()?;
        String::from_utf8(file.to_vec()).ok()
    };
    responses.iter().map(first).collect()
}

#[test]
fn files_are_read_in_the_process_where_no_reader_can_be_started() {
    let (root, requests) = host(3);
    let (folder, mut another) = script("echo hello; cat > /dev/null");
    let mut absent = Readers::of_this_program(None);
    absent.program.as_mut().unwrap().executable = folder.path().join("none");
    for mut readers in [Readers::in_process(), std::mem::take(&mut another), absent] {
        let responses = readers.read(&root, requests.clone(), Clock::System);
        let expected: Vec<_> = (0..3).map(|key| Some(key.to_string())).collect();
        assert_eq!(values(&responses), expected);
        assert!(responses.iter().all(|response| response.late_since.is_none()));
    }
}

#[test]
fn a_key_that_is_late_is_not_requested_twice() {
    let (root, requests) = host(2);
    let (folder, readers) = script("echo x >> $(dirname $0)/starts; printf 'ttmrdr1\\n'; sleep 9");
    let mut readers = readers.with_deadline(Duration::from_millis(150));
    for _ in 0..3 {
        let responses = readers.read(&root, requests.clone(), Clock::System);
        assert!(responses.iter().all(|response| response.late_since.is_some()));
    }
    let starts = std::fs::read_to_string(folder.path().join("starts")).unwrap();
    assert_eq!(starts.lines().count(), 2, "one reader for each key, however often it is asked");
}
