//! The real Prometheus, with the files of contrib, and the real VictoriaMetrics that it forwards to.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::network::Network;
use super::{contrib, silent};

/// Repeats a check until it holds; panics with what it last said after half a minute.
pub(crate) fn eventually(what: &str, mut check: impl FnMut() -> Result<(), String>) {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        match check() {
            Ok(()) => return,
            Err(why) => assert!(Instant::now() < deadline, "{what}: {why}"),
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// A store that answers queries.
pub(crate) struct Store {
    pub(crate) name: &'static str,
    address: String,
    child: Child,
}

impl Drop for Store {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Store {
    /// The result of an instant query; empty while the store does not answer.
    pub(crate) fn query(&self, expr: &str) -> Value {
        let encoded: String = expr.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let answer = self.get(&format!("/api/v1/query?query={encoded}"));
        let Some(answer) = answer else { return Value::Array(Vec::new()) };
        assert_eq!(answer["status"], "success", "{}: {expr}: {answer}", self.name);
        answer["data"]["result"].clone()
    }

    /// The groups of rules as the store loaded them.
    pub(crate) fn rules(&self) -> Value {
        self.get("/api/v1/rules").unwrap()["data"]["groups"].clone()
    }

    fn get(&self, path: &str) -> Option<Value> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        let request = format!("GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", self.address);
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()
    }
}

/// Both stores.
pub(crate) struct Stores {
    pub(crate) prometheus: Store,
    pub(crate) victoria: Store,
}

impl Stores {
    /// Starts both, and waits until every host was scraped and the rules have values.
    pub(crate) fn start(network: &Network, folder: &Path, targets: &[String]) -> Self {
        let (prometheus, victoria) = (network.own_address(), network.own_address());
        configure(folder, targets, &victoria);
        let child = silent(
            Command::new("victoria-metrics")
                .current_dir(folder)
                .arg(format!("-httpListenAddr={victoria}"))
                .args(["-storageDataPath=victoria", "-search.latencyOffset=0s"]),
        );
        let victoria = Store { name: "VictoriaMetrics", address: victoria, child };
        let child = silent(
            Command::new("prometheus")
                .current_dir(folder)
                .args(["--config.file=fleet.yml", "--storage.tsdb.path=prometheus"])
                .arg(format!("--web.listen-address={prometheus}")),
        );
        let prometheus = Store { name: "Prometheus", address: prometheus, child };
        for store in [&prometheus, &victoria] {
            eventually(&format!("{} has all hosts", store.name), || {
                match store.query("instance:tt_dram_used:bytes").as_array().map(Vec::len) {
                    Some(count) if count >= targets.len() - 1 => Ok(()),
                    other => Err(format!("{other:?} hosts")),
                }
            });
        }
        Self { prometheus, victoria }
    }
}

/// Writes the configuration of contrib with the hosts of the test, intervals for a test, and the store behind it.
fn configure(folder: &Path, targets: &[String], victoria: &str) {
    let read =
        |file: &str| std::fs::read_to_string(contrib().join("prometheus").join(file)).unwrap();
    let write = |file: &str, text: String| std::fs::write(folder.join(file), text).unwrap();
    let replaced = |text: &str, from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    };
    let fleet = read("fleet.yml");
    let fleet = replaced(&fleet, "scrape_interval: 5s", "scrape_interval: 500ms");
    let fleet = replaced(&fleet, "evaluation_interval: 15s", "evaluation_interval: 500ms");
    let fleet = replaced(&fleet, "# remote_write:\n#   - url:", "remote_write:\n  - url:");
    write(
        "fleet.yml",
        replaced(&fleet, "http://metrics.example.org:8428", &format!("http://{victoria}")),
    );
    write("rules.yml", read("rules.yml"));
    // Alerts fire after a second instead of minutes.
    let alerts = read("alerts.yml");
    let lines = alerts.lines().map(|line| match line.trim().starts_with("for: ") {
        true => "        for: 1s\n".to_owned(),
        false => format!("{line}\n"),
    });
    write("alerts.yml", lines.collect());
    let targets: Vec<String> = targets.iter().map(|target| format!("{target:?}")).collect();
    write(
        "hosts.yml",
        format!("- targets: [{}]\n  labels: {{ cluster: test }}\n", targets.join(", ")),
    );
}
