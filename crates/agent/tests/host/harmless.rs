//! Programs that are fine without the agent are fine with it, and are seen.

use std::path::Path;
use std::process::{Command, Stdio};

use ttmem_segment::layout::HEADER_BYTES;
use ttmem_segment::{AgentState, Off, OffStep, Reader};

use super::program::{self, Form, Host, SHM};
use super::{assert_agreed, common, live};

/// Start time of a process in clock ticks, whatever its name is.
fn start_ticks(pid: u32) -> String {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).unwrap();
    let stat = String::from_utf8_lossy(&stat).into_owned();
    stat.rsplit_once(')').unwrap().1.split_whitespace().nth(19).unwrap().to_owned()
}

#[test]
fn a_process_that_overwrites_its_environment_and_its_name_is_known_by_its_run() {
    let mut host = Host::start_with(Form::New, |command| {
        command.env("LD_PRELOAD", common::library()).env("TTMEM_RUN", "1-2,3-4");
    });
    host.tell("overwrite_title");
    let environment = std::fs::read(format!("/proc/{}/environ", host.pid)).unwrap();
    assert!(!String::from_utf8_lossy(&environment).contains("TTMEM_RUN"));
    host.tell("open 1 0");
    host.tell("allocate a 0 2048 12");
    assert_agreed(&mut host);
    let header = host.segment().header;
    assert_eq!(header.identity.runs, ["1-2", "3-4"]);
    let path = common::segment_path(Path::new(SHM), host.pid).unwrap();
    let bytes = std::fs::read(path).unwrap();
    assert_eq!(Reader::parse_header(&bytes[..HEADER_BYTES]).unwrap().identity, header.identity);
}

#[test]
fn a_process_is_known_by_its_command_line_and_its_rank_after_it_has_left_by_exit() {
    let mut host = Host::start_with(Form::New, |command| {
        command.env("LD_PRELOAD", common::library());
        command.env("PYTEST_XDIST_WORKER", "").env("RANK", "3").env("SLURM_PROCID", "7");
        command.env("SLURM_JOB_ID", "4711");
    });
    host.tell("open 1 0");
    host.tell("allocate a 0 2048 12");
    assert_eq!(host.tell("vfork"), "5");
    let segment = host.segment();
    assert_eq!(segment.header.state, AgentState::Recording, "the child of vfork left, not it");
    let label = segment.header.identity.label;
    assert_eq!((&*label.name, &*label.rank, &*label.job), ("host", "3", "4711"));
    let command: Vec<&str> = label.command.split(' ').collect();
    assert!(command[0].ends_with("/host") && command[1].ends_with("/libops.so"), "{command:?}");
    host.send("_exit 6");
    assert_eq!(host.wait().code(), Some(6));
    let left = host.segment().header;
    assert_eq!((left.state, left.exit_code), (AgentState::Left, Some(6)));
}

#[test]
fn signals_while_the_segment_is_reserved_do_not_switch_it_off() {
    let mut host = Host::start(Form::New);
    host.tell("open_interrupted");
    host.tell("allocate a 0 2048 12");
    assert_agreed(&mut host);
}

#[test]
fn a_fork_while_the_allocator_is_asked_leaves_the_child_a_free_allocator() {
    let mut host = Host::start(Form::New);
    host.tell("open 1 0");
    host.settled();
    let answer = host.tell("fork_while_asked");
    let (status, child) = answer.split_once(' ').unwrap();
    program::remove_segment(child.parse().unwrap());
    assert_eq!(status, "0");
}

#[test]
fn a_name_that_exists_belongs_to_somebody_else() {
    let mut host = Host::start(Form::New);
    let name = format!("ttmem-{}-{}", host.pid, start_ticks(host.pid));
    let taken = Path::new(SHM).join(&name);
    std::fs::write(&taken, "somebody else's").unwrap();
    host.tell("open 1 0");
    host.tell("allocate a 0 2048 12");
    assert_eq!(std::fs::read(&taken).unwrap(), b"somebody else's");
    std::fs::remove_file(&taken).unwrap();
    let path = common::segment_path(Path::new(SHM), host.pid).unwrap();
    assert_eq!(path, Path::new(SHM).join(format!("{name}-1")));
    assert_agreed(&mut host);

    // Of another pid namespace: all numbers are equal.
    let mut bytes = std::fs::read(&path).unwrap();
    let inode = 8 * ttmem_segment::layout::identity::FIRST;
    bytes[inode] ^= 1;
    std::fs::write(&taken, &bytes).unwrap();
    host.send("exec");
    assert_eq!(host.read(), host.pid.to_string());
    host.tell("open 1 0");
    host.tell("allocate b 1 1024 64");
    assert_eq!(std::fs::read(&taken).unwrap(), bytes);
    std::fs::remove_file(&taken).unwrap();
    assert_eq!(live(&host.segment()), [0, 1024, 0, 0], "its own from before exec is replaced");
    program::remove_segment(host.pid);
}

#[test]
fn an_agent_without_a_segment_leaves_the_reason_in_the_maps() {
    // In a limit on the size of files of 1 MiB no segment fits.
    let mut host = Host::start_with(Form::New, |command| {
        let program = command.get_program().to_owned();
        let arguments: Vec<_> = command.get_args().map(std::ffi::OsStr::to_owned).collect();
        *command = Command::new("sh");
        command.args(["-c", "ulimit -f 1024; exec \"$0\" \"$@\""]).arg(program).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command.env("LD_PRELOAD", common::library());
    });
    host.tell("open 1 0");
    assert_eq!(host.tell("allocate a 0 2048 12"), "0");
    let maps = std::fs::read_to_string(format!("/proc/{}/maps", host.pid)).unwrap();
    assert_eq!(Off::in_maps(&maps), Some(Off { step: OffStep::Limit, errno: libc::EFBIG }));
    assert!(common::segment_path(Path::new(SHM), host.pid).is_none());
}
