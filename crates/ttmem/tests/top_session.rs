//! `ttmem top` in a real terminal: tmux, with keys sent and screens captured.
#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(clippy::print_stderr, reason = "a test that is passed over says why")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread::sleep;
use std::time::{Duration, Instant};

use ttmem_fake::Host;

/// The time limit for anything to appear, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A terminal with a shell in it.
struct Terminal {
    folder: tempfile::TempDir,
    socket: String,
}

impl Terminal {
    /// A terminal of a size; nothing where there is no tmux.
    fn open(name: &str, (columns, rows): (u16, u16)) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let socket = format!("ttmem-test-{}-{name}", std::process::id());
        let terminal = Self { folder, socket };
        let size = [columns.to_string(), rows.to_string()];
        let started = terminal.tmux(&[
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            &size[0],
            "-y",
            &size[1],
            "-s",
            "t",
            "env -i sh",
        ]);
        match started {
            Ok(output) => {
                assert!(output.status.success(), "{output:?}");
                terminal.type_in("PS1='$ '; clear");
                terminal.wait_for("$ ");
                Some(terminal)
            }
            Err(error) => {
                assert!(std::env::var_os("CI").is_none(), "tmux is not installed: {error}");
                eprintln!("passed over: tmux is not installed ({error})");
                None
            }
        }
    }

    fn tmux(&self, arguments: &[&str]) -> std::io::Result<Output> {
        Command::new("tmux").args(["-L", &self.socket]).args(arguments).output()
    }

    fn keys(&self, keys: &[&str]) {
        for key in keys {
            let output = self.tmux(&["send-keys", "-t", "t", key]).unwrap();
            assert!(output.status.success(), "{output:?}");
        }
    }

    /// A line for the shell.
    fn type_in(&self, line: &str) {
        self.tmux(&["send-keys", "-t", "t", "-l", line]).unwrap();
        self.keys(&["Enter"]);
    }

    fn screen(&self) -> String {
        let output = self.tmux(&["capture-pane", "-p", "-t", "t"]).unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// Waits until the screen is as it should be.
    fn wait(&self, what: &str, is_right: impl Fn(&str) -> bool) -> String {
        let start = Instant::now();
        loop {
            let screen = self.screen();
            if is_right(&screen) {
                return screen;
            }
            assert!(start.elapsed() < PATIENCE, "waited for {what}, saw:\n{screen}");
            sleep(Duration::from_millis(20));
        }
    }

    fn wait_for(&self, text: &str) -> String {
        self.wait(text, |screen| screen.contains(text))
    }

    fn variable(&self, name: &str) -> String {
        let output = self.tmux(&["display-message", "-p", "-t", "t", name]).unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Everything that is written to the terminal from now on, in a file.
    fn pipe(&self) -> PathBuf {
        let file = self.folder.path().join("written");
        let command = format!("cat > {}", file.display());
        self.tmux(&["pipe-pane", "-t", "t", &command]).unwrap();
        file
    }

    /// Starts `ttmem top`, with a terminal of many colours and a home of its own.
    fn top(&self, arguments: &str) {
        self.run(&format!("top {arguments}"));
    }

    /// Runs `ttmem` the same way.
    fn run(&self, arguments: &str) {
        let home = self.folder.path().display();
        let ttmem = env!("CARGO_BIN_EXE_ttmem");
        self.type_in(&format!(
            "cd {home}; TERM=tmux-256color HOME={home} LANG=C.UTF-8 {ttmem} {arguments}; \
             echo ended with $?"
        ));
    }

    fn exports(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> = files
            .map(|file| file.unwrap().file_name().to_string_lossy().into_owned())
            .filter(|name| name.starts_with("ttmem-"))
            .collect();
        names.sort();
        names
    }

    /// The process that has the terminal.
    fn process_of(&self, name: &str) -> u32 {
        let shell = self.variable("#{pane_pid}");
        let children = format!("/proc/{shell}/task/{shell}/children");
        let children = std::fs::read_to_string(children).unwrap();
        let is_it = |pid: &&str| {
            std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim() == name
        };
        children.split_whitespace().find(is_it).unwrap().parse().unwrap()
    }

    fn signal(&self, signal: &str) {
        let pid = self.process_of("ttmem").to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// The terminal is as the shell left it: its screen, its cursor, its line discipline, no mouse.
    fn is_given_back(&self) {
        self.wait("the terminal's own screen", |_| self.variable("#{alternate_on}") == "0");
        assert_eq!(self.variable("#{cursor_flag}"), "1", "the cursor is hidden");
        for mouse in ["#{mouse_any_flag}", "#{mouse_all_flag}", "#{mouse_standard_flag}"] {
            assert_ne!(self.variable(mouse), "1", "{mouse}");
        }
        self.type_in("stty -a | tr ' ;' '\\n\\n' | grep -x -e '-*icanon' -e '-*echo' | xargs");
        self.wait("a terminal that is not raw", |screen| {
            screen.lines().any(|line| matches!(line.trim(), "icanon echo" | "echo icanon"))
        });
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Whatever is left of the session is of no interest.
        drop(self.tmux(&["kill-server"]));
    }
}

/// A FIFO in place of a driver's file blocks as the driver's lock does: no signal interrupts the read, so a thread of `top`
/// that waited there would keep it from ending.
#[test]
fn a_device_that_blocks_holds_up_neither_the_view_nor_its_end() {
    let Some(terminal) = Terminal::open("blocked", (160, 50)) else { return };
    let (host, root) = (Host::galaxy(), terminal.folder.path().join("host"));
    let device = host.device_directory(5);
    host.into_tree().write_to(&root).unwrap();
    let file = root.join(device.trim_start_matches('/')).join("tt_aiclk");
    std::fs::remove_file(&file).unwrap();
    assert!(Command::new("mkfifo").arg(&file).status().unwrap().success());
    terminal.run("--root host --no-server top -l 100ms");
    terminal.wait_for("1000 MHz");
    terminal.keys(&["7"]);
    terminal.wait_for("timed out");
    terminal.keys(&["q"]);
    terminal.wait_for("ended with 0");
    terminal.is_given_back();
    // Lets the reader that is still blocked end.
    drop(std::fs::OpenOptions::new().read(true).write(true).open(&file));
}

#[test]
fn devices_are_picked_from_a_list_while_standard_output_is_a_pipe() {
    let Some(terminal) = Terminal::open("pick", (100, 20)) else { return };
    let home = terminal.folder.path().display().to_string();
    let ttmem = env!("CARGO_BIN_EXE_ttmem");
    terminal.type_in(&format!("export TERM=tmux-256color HOME={home} LANG=C.UTF-8"));
    terminal.type_in(&format!(
        "eval \"export $({ttmem} --demo pick)\"; echo ended with $? and $TT_VISIBLE_DEVICES."
    ));
    terminal.wait_for("3 devices, 1 free");
    terminal.keys(&["Enter"]);
    terminal.wait_for("no device is picked; Space picks one");
    terminal.keys(&["Space", "j", "Space"]);
    terminal.wait_for("TT_VISIBLE_DEVICES=0,2");
    terminal.keys(&["Enter"]);
    terminal.wait_for("ended with 0 and 0,2.");
    terminal.is_given_back();
    for (key, code) in [("q", 130), ("Escape", 130), ("C-c", 130)] {
        terminal.type_in("clear");
        terminal.run("--demo pick");
        terminal.wait_for("3 devices, 1 free");
        terminal.keys(&[key]);
        let screen = terminal.wait_for(&format!("ended with {code}"));
        assert!(!screen.contains("TT_VISIBLE_DEVICES"), "{screen}");
        terminal.is_given_back();
    }
    terminal.run("--demo pick");
    terminal.wait_for("3 devices, 1 free");
    terminal.signal("-TERM");
    terminal.wait_for("ended with 143");
    terminal.is_given_back();
}

#[test]
fn what_reads_keys_ends_with_its_terminal() {
    for (name, arguments, text) in [
        ("gone-pick", "--demo pick", "3 devices, 1 free"),
        ("gone-top", "top --demo", "1 Overview"),
    ] {
        let Some(terminal) = Terminal::open(name, (100, 20)) else { return };
        terminal.run(arguments);
        terminal.wait_for(text);
        let process = format!("/proc/{}/stat", terminal.process_of("ttmem"));
        drop(terminal);
        let end = Instant::now() + Duration::from_secs(60);
        while std::fs::read_to_string(&process).is_ok_and(|stat| !stat.contains(") Z ")) {
            assert!(Instant::now() < end, "{arguments} goes on without a terminal");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn no_list_is_shown_without_a_device_or_with_an_option() {
    let Some(terminal) = Terminal::open("pick-none", (100, 20)) else { return };
    Host::new().into_tree().write_to(&terminal.folder.path().join("host")).unwrap();
    terminal.run("--root host pick");
    terminal.wait_for("ended with 6");
    assert!(terminal.screen().contains("there is no device to pick"), "{}", terminal.screen());
    terminal.run("--demo pick --free");
    let screen = terminal.wait_for("ended with 0");
    assert!(screen.contains("TT_VISIBLE_DEVICES=2"), "{screen}");
}

#[test]
fn a_session_from_the_first_view_to_the_last() {
    let Some(terminal) = Terminal::open("session", (160, 50)) else { return };
    terminal.top("--demo");
    terminal.wait_for("stale");
    for (key, text) in [
        ("2", "scale to the limit"),
        ("3", "dispatch 2"),
        ("4", "PID USER"),
        ("5", "ttnn::as_tensor"),
        ("6", "PCIe host to device"),
        ("7", "SOURCES"),
        ("1", "OWNERS"),
    ] {
        let shown = if key == "1" { "upstream approximate" } else { text };
        terminal.keys(&[key]);
        terminal.wait_for(shown);
    }
    for (columns, rows) in [("80", "24"), ("40", "12"), ("30", "8"), ("160", "50")] {
        terminal.tmux(&["resize-window", "-t", "t", "-x", columns, "-y", rows]).unwrap();
        let text = if columns == "30" { "is too small" } else { "1 Overview" };
        let screen = terminal.wait_for(text);
        let widest = screen.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= columns.parse().unwrap(), "{screen}");
    }
    terminal.keys(&["5", "/"]);
    terminal.tmux(&["send-keys", "-t", "t", "-l", "kind:l1"]).unwrap();
    terminal.keys(&["Enter"]);
    // Those of L1 come and go, among 70 and more of DRAM.
    terminal.wait("few of many buffers", |screen| {
        (1..=3).any(|few| screen.contains(&format!(" {few} of "))) && screen.contains(" buffers, ")
    });
    terminal.keys(&["Escape", "4", "/"]);
    terminal.tmux(&["send-keys", "-t", "t", "-l", "user:bob"]).unwrap();
    terminal.keys(&["Enter"]);
    terminal.wait("the filter", |screen| screen.contains("52110") && !screen.contains("41377"));
    terminal.keys(&["Enter"]);
    terminal.wait_for("Process 52110");
    terminal.keys(&["Escape"]);
    terminal.wait("the list alone", |screen| !screen.contains("Process 52110"));
    terminal.keys(&["Escape", "Space"]);
    let frozen = terminal.wait_for("frozen");
    sleep(Duration::from_millis(2_500));
    assert_eq!(terminal.screen(), frozen, "a frozen screen stands still");
    terminal.keys(&["Space", "e", "c"]);
    terminal.wait_for("saved ttmem-processes-");
    terminal.keys(&["2", "e", "s"]);
    terminal.wait_for("saved ttmem-charts-");
    terminal.keys(&["?"]);
    terminal.wait_for("search:");
    terminal.keys(&["Escape", "c", "q"]);
    terminal.wait_for("ended with 0");
    terminal.is_given_back();
    let exports = terminal.exports();
    assert_eq!(exports.len(), 2, "{exports:?}");
    assert!(exports[0].ends_with(".svg") && exports[1].ends_with(".csv"), "{exports:?}");
    let config = terminal.folder.path().join(".config/ttmem/config.toml");
    assert!(std::fs::read_to_string(config).unwrap().contains("theme = \"light\""));
}

#[test]
fn the_terminal_is_given_back_whatever_ends_it() {
    for (signal, code) in [("-TERM", 143), ("-HUP", 129), ("-INT", 130), ("-QUIT", 131)] {
        let Some(terminal) = Terminal::open(&signal[1..], (80, 24)) else { return };
        terminal.top("--demo");
        terminal.wait_for("1 Overview");
        terminal.wait_for("41377");
        terminal.signal(signal);
        terminal.wait_for(&format!("ended with {code}"));
        terminal.is_given_back();
    }
}

#[test]
fn it_stops_and_goes_on_like_any_program() {
    let Some(terminal) = Terminal::open("stop", (80, 24)) else { return };
    terminal.type_in("set -m");
    terminal.top("--demo");
    terminal.wait_for("41377");
    for stop in ["key", "signal"] {
        match stop {
            "key" => terminal.keys(&["C-z"]),
            _ => terminal.signal("-TSTP"),
        }
        terminal.wait("the shell", |_| terminal.variable("#{alternate_on}") == "0");
        terminal.type_in("echo here i am");
        terminal.wait_for("here i am");
        terminal.type_in("fg");
        terminal.wait_for("41377");
        assert_eq!(terminal.variable("#{alternate_on}"), "1");
    }
    terminal.keys(&["7"]);
    terminal.wait_for("SOURCES");
    terminal.keys(&["q"]);
    terminal.is_given_back();
}

#[test]
fn a_tick_in_which_nothing_changed_writes_nothing() {
    let Some(terminal) = Terminal::open("quiet", (160, 50)) else { return };
    let host = terminal.folder.path().join("host");
    Host::galaxy().into_tree().write_to(&host).unwrap();
    // On a busy machine a device may be late, which is a change.
    let host = host.display();
    terminal.top(&format!("--root {host} --interval 100ms --deadline 1m --view telemetry"));
    terminal.wait_for("HEARTBEAT");
    // The first rates appear with the second sample.
    terminal.wait("the rates", |screen| !screen.contains("Missing values"));
    sleep(Duration::from_millis(1_500));
    let written = terminal.pipe();
    sleep(Duration::from_secs(3));
    let bytes = std::fs::metadata(&written).map_or(0, |file| file.len());
    assert_eq!(bytes, 0, "{:?}", std::fs::read_to_string(&written));
    terminal.keys(&["1"]);
    terminal.wait_for("galaxy");
    terminal.wait("bytes", |_| std::fs::metadata(&written).is_ok_and(|file| file.len() > 1_000));
    terminal.keys(&["q"]);
    terminal.is_given_back();
}

/// Records a host whose process comes and goes, and gives the file.
fn recorded(terminal: &Terminal) -> PathBuf {
    let host = terminal.folder.path().join("host");
    Host::n150().into_tree().write_to(&host).unwrap();
    let file = terminal.folder.path().join("run.ttmem");
    let output = Command::new(env!("CARGO_BIN_EXE_ttmem"))
        .args(["--root", host.to_str().unwrap(), "record", "-l", "100ms", "--for", "3s", "-o"])
        .arg(&file)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    file
}

#[test]
fn a_recording_is_played_in_a_terminal() {
    let Some(terminal) = Terminal::open("replay", (120, 30)) else { return };
    let file = recorded(&terminal);
    terminal.run(&format!("replay {}", file.display()));
    terminal.wait_for("RECORDING");
    terminal.wait("the end", |screen| screen.contains("at the end"));
    terminal.keys(&["{"]);
    terminal.wait("the beginning", |screen| screen.contains("paused"));
    terminal.keys(&["@"]);
    terminal.tmux(&["send-keys", "-t", "t", "-l", "+2s"]).unwrap();
    terminal.keys(&["Enter", "2"]);
    terminal.wait("charts", |screen| screen.contains("then") && screen.contains("DRAM"));
    for (key, text) in [
        ("4", "PID USER"),
        ("5", "No process had an agent"),
        ("6", "worker cores"),
        ("7", "SOURCES"),
    ] {
        terminal.keys(&[key]);
        terminal.wait_for(text);
    }
    terminal.keys(&[">", "Space"]);
    terminal.wait("the end again", |screen| screen.contains("at the end"));
    terminal.keys(&["q"]);
    terminal.wait_for("ended with 0");
    terminal.is_given_back();
    terminal.run(&format!("replay --summary {}", file.display()));
    terminal.wait_for("snapshots");
}

#[test]
fn what_is_missing_is_said_in_one_line() {
    let run = |setup: &dyn Fn(&mut Command)| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ttmem"));
        command.args(["top", "--demo"]).env("TERM", "xterm");
        setup(&mut command);
        let output = command.output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{message}");
        assert_eq!(message.lines().count(), 1, "{message}");
        message
    };
    assert!(run(&|_| {}).contains("standard output is not one"));
    let Some(terminal) = Terminal::open("dumb", (80, 24)) else { return };
    let ttmem = env!("CARGO_BIN_EXE_ttmem");
    terminal.type_in(&format!("TERM=dumb {ttmem} top --demo; echo ended with $?"));
    let screen = terminal.wait_for("ended with 3");
    assert!(screen.contains("TERM=dumb cannot move the cursor"), "{screen}");
    terminal.type_in(&format!("{ttmem} top --demo < /dev/null; echo now ended with $?"));
    let screen = terminal.wait_for("now ended with 3");
    assert!(screen.contains("standard input is not one"), "{screen}");
}

#[test]
fn a_wrong_configuration_is_named_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ttmem/config.toml");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, "theme = \"light\"\nmouse = \"on\"\ncolor = 1\n").unwrap();
    let config = |path: &Path, arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ttmem"));
        command.arg("config").args(arguments).env("XDG_CONFIG_HOME", path).output().unwrap()
    };
    let output = config(folder.path(), &[]);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(5));
    assert!(message.contains("line 2: mouse: true or false is needed"), "{message}");
    assert!(message.contains("line 3: unknown key color"), "{message}");
    std::fs::write(&path, config(folder.path(), &["--default"]).stdout).unwrap();
    let output = config(folder.path(), &[]);
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), path.display().to_string());
}

#[test]
fn a_wrong_configuration_is_told_on_the_screen_and_a_paste_is_no_keys() {
    let Some(terminal) = Terminal::open("paste", (120, 30)) else { return };
    let folder = terminal.folder.path().join(".config/ttmem");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("config.toml"), "colour = 1\n").unwrap();
    terminal.top("--demo");
    terminal.wait_for("line 1: unknown key colour");
    terminal.keys(&["/"]);
    terminal.wait_for("Enter keep");
    terminal.tmux(&["set-buffer", "user:bob\nq"]).unwrap();
    terminal.tmux(&["paste-buffer", "-p", "-t", "t"]).unwrap();
    terminal.wait_for("/user:bob");
    terminal.keys(&["Enter"]);
    terminal.wait("the filter", |screen| {
        screen.contains("python3") && !screen.contains("Enter keep") && !screen.contains("pytest ·")
    });
    terminal.keys(&["q"]);
    terminal.wait_for("ended with 0");
    terminal.is_given_back();
}

#[test]
fn the_view_that_it_begins_with_is_read() {
    let Some(terminal) = Terminal::open("begin", (140, 40)) else { return };
    terminal.top("--demo --view l1");
    terminal.wait_for("harvested");
    terminal.keys(&["q"]);
    terminal.wait_for("ended with 0");
    // A serial line has no size.
    terminal.type_in("stty columns 0 rows 0");
    terminal.top("--demo --view buffers");
    terminal.wait_for("ttnn::as_tensor");
    terminal.keys(&["q"]);
}
