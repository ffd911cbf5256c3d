//! A headless Chromium that opens a page, is controlled over the DevTools protocol, and reports errors of the page.
//!
//! Chromium reads commands from descriptor 3 and writes answers to descriptor 4, each terminated by a zero byte. A
//! shell opens them as named pipes, so that no port is used.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// The time limit of an answer, for a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser with one page.
pub struct Browser {
    child: Child,
    commands: File,
    messages: Receiver<Value>,
    last_id: u64,
    session: Option<String>,
    complaints: Vec<String>,
    _folder: tempfile::TempDir,
}

/// True if Chromium can be started. Otherwise prints the reason: CI installs it.
#[must_use]
pub fn is_installed() -> bool {
    let output = Command::new("chromium").arg("--version").output();
    let is_there = output.is_ok_and(|output| output.status.success());
    if !is_there {
        eprintln!("passed over: chromium is not installed (apt-get install chromium)");
        assert!(std::env::var_os("CI").is_none(), "in CI the page is opened");
    }
    is_there
}

impl Browser {
    /// Starts Chromium with an empty page.
    #[must_use]
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pipe = |name: &str| {
            let path = folder.path().join(name);
            assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
            path
        };
        let (to, from) = (pipe("to"), pipe("from"));
        let script = "exec chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run \
             --hide-scrollbars --remote-debugging-pipe \"--user-data-dir=$3\" 3<\"$1\" 4>\"$2\"";
        let child = Command::new("sh")
            .args(["-c", script, "sh"])
            .args([&to, &from])
            .arg(folder.path().join("profile"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let commands = OpenOptions::new().write(true).open(to).unwrap();
        let answers = File::open(from).unwrap();
        let (sender, messages) = channel();
        thread::spawn(move || {
            for message in BufReader::new(answers).split(0) {
                let Ok(message) = message else { return };
                let message = serde_json::from_slice(&message).unwrap();
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let (last_id, session, complaints) = (0, None, Vec::new());
        let mut browser =
            Self { child, commands, messages, last_id, session, complaints, _folder: folder };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" }));
        let target = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = browser.call("Target.attachToTarget", target);
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser
    }

    /// Calls a method of the protocol and returns its result.
    pub fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.last_id += 1;
        let mut message = json!({ "id": self.last_id, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            message["sessionId"] = session.as_str().into();
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.commands.write_all(&bytes).unwrap();
        loop {
            let message = self.messages.recv_timeout(PATIENCE).expect(method);
            if message["id"] == self.last_id {
                assert!(message["error"].is_null(), "{method}: {message}");
                return message["result"].clone();
            }
            self.note(&message);
        }
    }

    fn note(&mut self, message: &Value) {
        let text = match message["method"].as_str() {
            Some("Runtime.exceptionThrown") => &message["params"]["exceptionDetails"],
            Some("Log.entryAdded") if message["params"]["entry"]["level"] == "error" => {
                &message["params"]["entry"]["text"]
            }
            Some("Runtime.consoleAPICalled") if message["params"]["type"] == "error" => {
                &message["params"]["args"]
            }
            _ => return,
        };
        self.complaints.push(text.to_string());
    }

    /// Takes the errors in the page since the last call: exceptions, errors, violations of its security policy.
    pub fn complaints(&mut self) -> Vec<String> {
        // Everything sent before this answer has arrived.
        self.eval("0");
        std::mem::take(&mut self.complaints)
    }

    /// Opens a page and waits for `data-ready`.
    pub fn open(&mut self, url: &str) {
        self.call("Page.navigate", json!({ "url": url }));
        self.wait_for("document.documentElement?.dataset.ready === 'yes'");
    }

    /// Opens a page in a file.
    pub fn open_file(&mut self, path: &Path) {
        self.open(&format!("file://{}", path.display()));
    }

    /// Sets the size of the screen, and phone emulation.
    pub fn resize(&mut self, width: u32, height: u32, is_phone: bool) {
        let scale = if is_phone { 2 } else { 1 };
        let screen = json!({ "width": width, "height": height, "deviceScaleFactor": scale, "mobile": is_phone });
        self.call("Emulation.setDeviceMetricsOverride", screen);
        self.settle();
    }

    /// Sets the light or dark colour scheme, and ends transitions at once.
    pub fn prefer(&mut self, scheme: &str) {
        let features = json!([
            { "name": "prefers-color-scheme", "value": scheme },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        self.call("Emulation.setEmulatedMedia", json!({ "features": features }));
        self.settle();
    }

    /// Waits until the page has drawn twice.
    pub fn settle(&mut self) {
        self.eval(
            "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))",
        );
    }

    /// Returns the value of an expression, or of its promise.
    pub fn eval(&mut self, expression: &str) -> Value {
        let parameters =
            json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let result = self.call("Runtime.evaluate", parameters);
        assert!(result["exceptionDetails"].is_null(), "{expression}: {result}");
        result["result"]["value"].clone()
    }

    /// Waits until an expression is true.
    pub fn wait_for(&mut self, expression: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.eval(expression) != true {
            assert!(Instant::now() < deadline, "{expression}: {:?}", self.complaints);
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Moves the pointer, or presses or releases its button, at a position on screen.
    pub fn mouse(&mut self, what: &str, x: f64, y: f64) {
        let buttons = u8::from(what != "mouseReleased");
        let button = if what == "mouseMoved" { "none" } else { "left" };
        let event = json!({ "type": what, "x": x, "y": y, "button": button, "buttons": buttons, "clickCount": 1 });
        self.call("Input.dispatchMouseEvent", event);
    }

    /// Presses a key.
    pub fn key(&mut self, key: &str) {
        for what in ["keyDown", "keyUp"] {
            self.call("Input.dispatchKeyEvent", json!({ "type": what, "key": key }));
        }
        self.settle();
    }

    /// Presses Enter, which activates a button.
    pub fn enter(&mut self) {
        let key =
            json!({ "key": "Enter", "code": "Enter", "text": "\r", "windowsVirtualKeyCode": 13 });
        for what in ["keyDown", "keyUp"] {
            let mut event = key.clone();
            event["type"] = what.into();
            self.call("Input.dispatchKeyEvent", event);
        }
        self.settle();
    }

    /// Saves a picture of the whole page in the directory `TTMEM_PICTURES`, if it is set.
    pub fn picture(&mut self, name: &str) {
        let Some(folder) = std::env::var_os("TTMEM_PICTURES") else { return };
        let shot = self.call(
            "Page.captureScreenshot",
            json!({ "format": "png", "captureBeyondViewport": true }),
        );
        let path = Path::new(&folder).join(format!("{name}.png"));
        std::fs::write(path, from_base64(shot["data"].as_str().unwrap())).unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn from_base64(text: &str) -> Vec<u8> {
    const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits: Vec<u32> = text
        .trim_end_matches('=')
        .chars()
        .map(|letter| u32::try_from(LETTERS.find(letter).unwrap()).unwrap())
        .collect();
    let group = |digits: &[u32]| {
        let bits =
            digits.iter().fold(0, |bits, digit| bits << 6 | digit) << (6 * (4 - digits.len()));
        bits.to_be_bytes()[1..digits.len()].to_vec()
    };
    digits.chunks(4).flat_map(group).collect()
}
