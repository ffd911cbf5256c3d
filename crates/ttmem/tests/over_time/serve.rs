//! `ttmem serve`, with clients, with curl's kind of request, and with the real Prometheus.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use ttmem_service::client::Client;

use super::{command, fail, host, signal, start, start_command};

/// A server on a made-up host; ends with the test.
pub(crate) struct Serving {
    pub(crate) child: Child,
    pub(crate) address: String,
    folder: tempfile::TempDir,
}

impl Serving {
    pub(crate) fn new(more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let host = host(folder.path());
        Self::in_folder(folder, &host, more, None)
    }

    /// A server on a made-up host whose threads share one arena of glibc's malloc, as in the systemd unit: its memory is
    /// then what it keeps, and not what each arena set aside.
    pub(crate) fn with_one_arena(more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let host = host(folder.path());
        Self::in_folder(folder, &host, more, Some(("MALLOC_ARENA_MAX", "1")))
    }

    /// A server on the host in a directory.
    pub(crate) fn of_host(host: &str, more: &[&str]) -> Self {
        Self::in_folder(tempfile::tempdir().unwrap(), host, more, None)
    }

    fn in_folder(
        folder: tempfile::TempDir,
        host: &str,
        more: &[&str],
        variable: Option<(&str, &str)>,
    ) -> Self {
        let arguments =
            ["--root", host, "serve", "--socket", "s", "-l", "100ms", "--http", "127.0.0.1:0"];
        let mut command = command(folder.path(), &[&arguments, more].concat());
        let (child, mut lines) = start_command(command.envs(variable));
        assert!(lines.next().unwrap().unwrap().contains("serving on s"));
        // The first line had the address; the port is what the child listens on.
        let address = listening(&child);
        Self { child, address, folder }
    }

    pub(crate) fn socket(&self) -> std::path::PathBuf {
        self.folder.path().join("s")
    }

    pub(crate) fn get(&self, path: &str, accept: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The loopback address that a process listens on, from its own tables.
fn listening(child: &Child) -> String {
    let inodes: Vec<String> = std::fs::read_dir(format!("/proc/{}/fd", child.id()))
        .unwrap()
        .filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok())
        .filter_map(|link| {
            Some(link.to_str()?.strip_prefix("socket:[")?.trim_end_matches(']').to_owned())
        })
        .collect();
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let line =
        table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).find(|words| {
            words.len() > 9 && words[3] == "0A" && inodes.iter().any(|inode| inode == words[9])
        });
    let port = u16::from_str_radix(line.unwrap()[1].split_once(':').unwrap().1, 16).unwrap();
    format!("127.0.0.1:{port}")
}

#[test]
fn clients_and_pages_see_the_host() {
    let serving = Serving::new(&[]);
    let mut client = Client::connect(&serving.socket(), Duration::from_secs(60)).unwrap();
    assert_eq!(client.interval(), Duration::from_millis(100));
    let first = client.snapshot().unwrap();
    let next = client.wait().unwrap().snapshot().unwrap();
    assert!(next.time_us > first.time_us && next.chips.len() == 8);

    let (status, metrics) = serving.get("/metrics", "text/plain");
    assert!(
        status == 200 && metrics.contains("tt_device_memory_used_bytes{index=\"0\",asic_id=\"0x")
    );
    assert!(!metrics.contains("tt_process_memory"));
    let (_, open) = serving.get("/metrics", "application/openmetrics-text; version=1.0.0");
    assert!(open.ends_with("# EOF\n"));
    let (status, snapshot) = serving.get("/api/v1/snapshot", "");
    let value: serde_json::Value = serde_json::from_str(&snapshot).unwrap();
    assert_eq!((status, &value["schema"]), (200, &"ttmem/snapshot".into()));
    assert_eq!(value["processes"][0]["command"], "", "HTTP has no user");
    assert_eq!(serving.get("/healthz", ""), (200, "ok\n".to_owned()));
    assert_eq!(serving.get("/x", "").0, 404);
}

#[test]
fn processes_are_shown_when_asked_for_and_command_lines_to_clients_alone() {
    let serving = Serving::new(&["--share-commands", "--process-metrics"]);
    let (_, snapshot) = serving.get("/api/v1/snapshot", "");
    assert!(!snapshot.contains("pytest tests/test_llama.py"));
    let mut client = Client::connect(&serving.socket(), Duration::ZERO).unwrap();
    let shown = client.snapshot().unwrap();
    assert!(shown.processes.iter().any(|process| process.command.contains("test_llama.py")));
    assert!(serving.get("/metrics", "").1.contains("tt_process_memory_used_bytes{"));
}

#[test]
fn a_server_takes_its_socket_away_and_a_killed_one_is_replaced() {
    let serving = Serving::new(&[]);
    let said = fail(serving.folder.path(), &["--demo", "serve", "--socket", "s"], 7);
    assert_eq!(said, "a server is running on s already");
    signal(&serving.child, Signal::KILL);
    while Client::connect(&serving.socket(), Duration::ZERO).is_ok() {}
    let (mut second, _lines) = start(serving.folder.path(), &["--demo", "serve", "--socket", "s"]);
    assert!(Client::connect(&serving.socket(), Duration::ZERO).is_ok());
    signal(&second, Signal::TERM);
    assert!(second.wait().unwrap().success());
    assert!(!serving.socket().exists());
}

/// A program of the prometheus package, if it is there.
fn installed(program: &str) -> bool {
    let there = Command::new(program).arg("--version").output().is_ok();
    assert!(there || std::env::var_os("CI").is_none(), "CI installs the package prometheus");
    if !there {
        // On a bare machine CI installs it; elsewhere one line says that it is missing.
        let mut stderr = std::io::stderr().lock();
        writeln!(stderr, "passed over: {program} is not installed (apt-get install prometheus)")
            .unwrap();
    }
    there
}

#[test]
fn promtool_finds_nothing_to_complain_about() {
    if !installed("promtool") {
        return;
    }
    let serving = Serving::new(&["--process-metrics"]);
    let (_, metrics) = serving.get("/metrics", "");
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    promtool.stdin.take().unwrap().write_all(metrics.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success() && said.is_empty(), "{}", String::from_utf8_lossy(&said));
}

#[test]
fn the_real_prometheus_scrapes_it() {
    if !installed("prometheus") {
        return;
    }
    let serving = Serving::new(&[]);
    let folder = serving.folder.path();
    let config = format!(
        "global:\n  scrape_interval: 200ms\n  scrape_timeout: 200ms\nscrape_configs:\n  - job_name: ttmem\n    \
         static_configs:\n      - targets: ['{}']\n",
        serving.address
    );
    std::fs::write(folder.join("prometheus.yml"), config).unwrap();
    // A port that was free a moment ago.
    let own = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut prometheus = Command::new("prometheus")
        .current_dir(folder)
        .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"])
        .arg(format!("--web.listen-address={own}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let found = wait_for(&own, "count(tt_device_memory_used_bytes{type=\"dram\"})", "\"8\"");
    let up = wait_for(&own, "up{job=\"ttmem\"}", "\"1\"");
    prometheus.kill().unwrap();
    prometheus.wait().unwrap();
    assert!(found.is_ok() && up.is_ok(), "{found:?} {up:?}");
}

/// Asks Prometheus until the answer has a text in it.
fn wait_for(address: &str, query: &str, text: &str) -> Result<(), String> {
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut last = String::new();
    while Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(200));
        let Ok(mut stream) = TcpStream::connect(address) else { continue };
        let query: String = query.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let request =
            format!("GET /api/v1/query?query={query} HTTP/1.0\r\nHost: {address}\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        last.clear();
        if stream.read_to_string(&mut last).is_ok() && last.contains(text) {
            return Ok(());
        }
    }
    Err(last)
}

#[test]
fn an_address_that_makes_no_sense_is_refused_with_one_that_does() {
    let folder = tempfile::tempdir().unwrap();
    for address in ["", "9401", ":9401", "127.0.0.1", "a.host:9401", "127.0.0.1:99999"] {
        let said = fail(folder.path(), &["--demo", "serve", &format!("--http={address}")], 2);
        assert!(said.contains("write ADDRESS:PORT, such as 127.0.0.1:9401"), "{said}");
    }
}
