//! `ttmem serve --otlp` with a real receiver: rotel, an OpenTelemetry collector that PyPI has.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use ttmem_service::client::Client;

use super::start;

/// Path of the tool: where `.ci/run` installs it, or what `ROTEL` names.
fn rotel() -> Option<PathBuf> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/rotel");
    let named = std::env::var_os("ROTEL").map(PathBuf::from);
    let program = named.unwrap_or_else(|| tools.join("run"));
    if !program.exists() {
        assert!(std::env::var_os("CI").is_none(), "CI installs rotel");
        let mut stderr = std::io::stderr().lock();
        writeln!(stderr, "passed over: rotel is not installed (.ci/run does it)").unwrap();
        return None;
    }
    Some(program)
}

/// A port that was free a moment ago.
fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// The receiver, and what it prints of what it received.
struct Rotel {
    child: Child,
    lines: Receiver<String>,
}

impl Rotel {
    fn new(program: &Path, address: &str) -> Self {
        let mut child = Command::new(program)
            .args(["start", "--exporter", "blackhole", "--debug-log", "metrics"])
            .args(["--debug-log-verbosity", "detailed", "--otlp-http-endpoint", address])
            .args(["--otlp-grpc-endpoint", &free_address()])
            .stdout(Stdio::piped())
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    /// Waits for lines that have these texts in them, one after the other.
    fn wait_for(&self, texts: &[&str]) {
        for text in texts {
            loop {
                let line = self.lines.recv_timeout(Duration::from_secs(30));
                let line = line.unwrap_or_else(|_| panic!("no line with {text}"));
                if line.contains(text) {
                    break;
                }
            }
        }
    }

    fn kill(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Drop for Rotel {
    fn drop(&mut self) {
        self.kill();
    }
}

#[test]
fn a_real_collector_takes_the_metrics_and_may_come_and_go() {
    let Some(program) = rotel() else { return };
    let folder = tempfile::tempdir().unwrap();
    let address = free_address();
    let mut rotel = Rotel::new(&program, &address);
    rotel.wait_for(&["Starting Rotel"]);
    let url = format!("http://{address}");
    let arguments =
        ["serve", "--socket", "s", "-l", "100ms", "--otlp", &url, "--otlp-interval", "1"];
    let (mut child, mut lines) = start(folder.path(), &[&["--demo"], &arguments[..]].concat());
    assert!(lines.next().unwrap().unwrap().contains("serving on s"));
    rotel.wait_for(&[
        "host.name: Str(tt-demo)",
        "Name: hw.gpu.memory.limit",
        "Unit: By",
        "hw.name: Str(n150 0)",
        "Value: 12884901888",
        "Name: hw.temperature",
        "Unit: Cel",
    ]);

    rotel.kill();
    assert!(lines.next().unwrap().unwrap().contains("does not accept metrics"));
    let mut client = Client::connect(&folder.path().join("s"), Duration::ZERO).unwrap();
    for _ in 0..5 {
        assert_eq!(client.wait().unwrap().snapshot().unwrap().chips.len(), 4);
    }
    let again = Rotel::new(&program, &address);
    again.wait_for(&["Name: hw.gpu.memory.usage"]);
    assert!(lines.next().unwrap().unwrap().contains("accepts metrics again"));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn an_address_that_makes_no_sense_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (url, said) in [("https://x", "let it encrypt"), ("x", "write http://HOST:PORT")] {
        let error = super::fail(folder.path(), &["--demo", "serve", "--otlp", url], 2);
        assert!(error.contains(said), "{error}");
    }
}
