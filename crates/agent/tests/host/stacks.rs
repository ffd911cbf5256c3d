//! Stacks of Python code, on every interpreter that is there.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use ttmem_segment::{EventKind, Segment, StackState};

use crate::common::library;
use crate::program::{Form, Host, SHM, remove_segment};

/// Interpreters: those of the search path, and those that `TTMEM_PYTHONS` names with colons between them.
fn interpreters() -> Vec<String> {
    let named = std::env::var("TTMEM_PYTHONS").unwrap_or_default();
    let usual = ["python3", "python3.10", "python3.11", "python3.12", "python3.13"];
    let mut versions = Vec::new();
    let mut found = Vec::new();
    for program in named.split(':').filter(|name| !name.is_empty()).chain(usual) {
        let code = "import sys, ctypes, asyncio; print(sys.version_info[:2])";
        let asked = Command::new(program).args(["-c", code]).output();
        let Ok(answer) = asked else { continue };
        let version = String::from_utf8_lossy(&answer.stdout).into_owned();
        if answer.status.success() && !versions.contains(&version) {
            versions.push(version);
            found.push(program.to_owned());
        }
    }
    found
}

/// Function, file and line.
type Call = (String, String, u32);

/// A Python program that has run `calls.py` and waits.
struct Program {
    child: Child,
    /// Pages of a buffer, and the calls that allocate it.
    expected: Vec<(u64, Vec<Call>)>,
}

impl Program {
    fn start(interpreter: &str, prepare: impl FnOnce(&mut Command)) -> Self {
        Self::start_script(interpreter, "calls.py", prepare)
    }

    fn start_script(interpreter: &str, name: &str, prepare: impl FnOnce(&mut Command)) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python").join(name);
        let mut command = Command::new(interpreter);
        command.arg(script).arg(Form::New.directory().join("libops.so"));
        command.env("LD_PRELOAD", library()).env("PYTHONUTF8", "1");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        prepare(&mut command);
        let mut child = command.spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let lines = output.lines().map(Result::unwrap).take_while(|line| line != "done");
        let expected = lines.map(|line| serde_json::from_str(&line).unwrap()).collect();
        Self { child, expected }
    }

    fn segment(&self) -> Segment {
        crate::common::segment(Path::new(SHM), self.child.id())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        remove_segment(self.child.id());
    }
}

#[test]
fn an_allocation_has_the_stack_that_the_interpreter_has() {
    let interpreters = interpreters();
    assert!(!interpreters.is_empty(), "no Python from 3.10 to 3.13");
    for interpreter in interpreters {
        let program = Program::start(&interpreter, |_| ());
        let segment = program.segment();
        assert_eq!(segment.header.stacks, StackState::Recorded, "{interpreter}");
        assert_eq!(segment.losses.stacks_dropped, 0);
        assert!(program.expected.len() > 200);
        for (pages, calls) in &program.expected {
            let is_it = |buffer: &&ttmem_segment::Buffer| buffer.requested == 32 * pages;
            let buffer = segment.buffers.iter().find(is_it).unwrap();
            let stack = buffer.stack.as_ref().unwrap();
            assert_eq!(stack.is_cut, calls.len() > 32, "{interpreter}: {calls:?}");
            assert_eq!(stack.frames.len(), calls.len().min(32));
            for (frame, (function, file, line)) in stack.frames.iter().zip(calls) {
                let file = match file.char_indices().rev().nth(160) {
                    Some((start, _)) if file.len() > 168 => &file[start..],
                    _ => file,
                };
                let is_same = *function == *frame.function
                    && frame.file.ends_with(file)
                    && frame.line == Some(*line);
                assert!(is_same, "{interpreter}: {frame:?} is {function} in {file}:{line}");
            }
        }
        // Each of the 200 cells is one of 91 functions.
        let mut cells: Vec<_> = segment
            .buffers
            .iter()
            .filter_map(|buffer| buffer.stack.clone())
            .filter(|stack| &*stack.frames[1].function == "cell")
            .collect();
        cells.sort_by_key(|stack| (stack.frames[1].file.clone(), stack.frames[1].line));
        cells.dedup();
        assert_eq!(cells.len(), 91);
    }
}

#[test]
fn an_op_of_ttnn_has_the_name_that_it_has_in_python() {
    for interpreter in interpreters() {
        let ops = |stacks: &str| {
            let program = Program::start_script(&interpreter, "ops.py", |command| {
                command.env("TTMEM_STACKS", stacks).env("PYTHONDONTWRITEBYTECODE", "1");
            });
            let events = program.segment().events.into_iter();
            let allocations = events.filter(|event| event.kind == EventKind::Allocate);
            allocations.map(|event| event.op.unwrap().name.to_string()).collect::<Vec<_>>()
        };
        let code = "Gelu";
        let mut expected = vec![code];
        for name in ["ttnn.gelu", "ttnn.silu", "ttnn.experimental.gelu"] {
            // An op that a Python function calls in its turn is known by its code.
            expected.extend([name, code]);
        }
        expected.push(code);
        expected.extend(["ttnn.gelu"; 20]);
        expected.push(code);
        assert_eq!(ops("1"), expected, "{interpreter}");
        assert_eq!(ops("0"), vec![code; expected.len()], "{interpreter}");
    }
}

#[test]
fn a_process_without_stacks_says_why() {
    let mut host = Host::start(Form::New);
    host.tell("open 1 0");
    host.tell("allocate a 0 2048 12");
    assert_eq!(host.segment().header.stacks, StackState::NoInterpreter);
    assert_eq!(host.segment().buffers[0].stack, None);
    for interpreter in interpreters() {
        let program = Program::start(&interpreter, |command| {
            command.env("TTMEM_STACKS", "0");
        });
        let segment = program.segment();
        assert_eq!(segment.header.stacks, StackState::Off);
        assert!(segment.buffers.iter().all(|buffer| buffer.stack.is_none()));
    }
}
