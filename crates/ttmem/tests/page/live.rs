//! The page of `ttmem serve --http`.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

use serde_json::json;
use ttmem_fake::{Host, PID};
use ttmem_test_support::browser::{Browser, is_installed};

use super::{faint, overhang, painted, ttmem, without_text};

/// A server on a made-up host; ends with the test.
struct Serving {
    child: Child,
    url: String,
}

impl Serving {
    fn new(folder: &Path) -> Self {
        let host = folder.join("host");
        Host::t3000().into_tree().write_to(&host).unwrap();
        Self::of(folder, &["--root", host.to_str().unwrap()])
    }

    fn of(folder: &Path, host: &[&str]) -> Self {
        let serve = ["serve", "--socket", "s", "-l", "250ms", "--http", "127.0.0.1:0"];
        let arguments = [host, &serve].concat();
        let mut child = ttmem(folder, &arguments).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
        let url =
            line.trim().trim_start_matches("ttmem: answering on ").trim_end_matches("metrics");
        Self { child, url: url.to_owned() }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn the_live_page_goes_on_and_says_when_the_server_is_gone() {
    if !is_installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut serving = Serving::new(folder.path());
    let mut browser = Browser::start();
    for (look, width, height, is_phone, scheme) in
        [("desktop", 1280, 900, false, "light"), ("phone", 390, 844, true, "dark")]
    {
        browser.prefer(scheme);
        browser.resize(width, height, is_phone);
        browser.open(&serving.url.clone());
        browser.wait_for("Number(document.documentElement.dataset.samples) > 2");
        let samples = browser.eval("Number(document.documentElement.dataset.samples)");
        browser.wait_for(&format!("Number(document.documentElement.dataset.samples) > {samples}"));
        browser.settle();
        browser.picture(&format!("live-{look}-{scheme}"));
        assert_eq!(browser.eval("document.querySelectorAll('#memory canvas').length"), 16);
        let painted = painted(&mut browser, "#memory canvas");
        assert!((0.01..0.95).contains(&painted), "{look}: {painted}");
        assert_eq!(
            browser.eval("document.querySelectorAll('#chips tbody tr:not(.group)').length"),
            8
        );
        let sparks = self::painted(&mut browser, "#chips canvas.spark");
        assert!(sparks > 0.9, "{look}: {sparks}");
        assert_eq!(overhang(&mut browser), [""; 0], "{look}");
        assert_eq!(faint(&mut browser), [""; 0], "{look}");
        assert_eq!(without_text(&mut browser), 0, "{look}");
        assert_eq!(browser.complaints(), [""; 0], "{look}");
    }
    let text = browser.eval("document.querySelector('#now').textContent");
    assert!(text.as_str().unwrap().contains(&PID.to_string()), "{text}");
    assert!(text.as_str().unwrap().contains("chips 0-7"), "{text}");
    // The remote chips have no temperature and come last, in either order.
    let last = "document.querySelector('#chips tbody tr:last-child td').textContent";
    let sort = "[...document.querySelectorAll('#chips th button')].find((it) => it.textContent === 'temperature').click()";
    for _ in 0..2 {
        browser.eval(sort);
        assert_eq!(browser.eval(last), "7");
    }

    // The focus stays where it is while the pictures go on.
    browser.eval("document.querySelectorAll('#memory canvas')[3].focus()");
    let samples = browser.eval("Number(document.documentElement.dataset.samples)");
    browser.wait_for(&format!("Number(document.documentElement.dataset.samples) > {samples}"));
    let focus = "document.activeElement === document.querySelectorAll('#memory canvas')[3]";
    assert_eq!(browser.eval(focus), true);

    // A chip's row shows its charts alone, by key too; the focus stays on it, and the same key goes back.
    let shown = "[...document.querySelectorAll('#memory h4')].map((it) => it.textContent)";
    browser.eval("document.querySelectorAll('#chips tbody tr:not(.group)')[2].cells[3].click()");
    let second = browser
        .eval("document.querySelectorAll('#chips tbody tr:not(.group)')[2].cells[0].textContent");
    assert_eq!(
        browser.eval(shown),
        json!([
            format!("chip {} n300", second.as_str().unwrap()),
            format!("chip {} n300", second.as_str().unwrap())
        ])
    );
    browser.eval("document.querySelector('#chips tbody tr:last-child button').focus()");
    browser.enter();
    assert_eq!(browser.eval(shown), json!(["chip 7 n300", "chip 7 n300"]));
    let pressed = "document.activeElement.closest('tr').className + ' ' + document.activeElement.getAttribute('aria-pressed')";
    let samples = browser.eval("Number(document.documentElement.dataset.samples)");
    browser.wait_for(&format!("Number(document.documentElement.dataset.samples) > {samples}"));
    assert_eq!(browser.eval(pressed), "chosen true");
    browser.picture("live-one-chip");
    browser.enter();
    assert_eq!(browser.eval("document.querySelectorAll('#memory canvas').length"), 16);
    for (way, charts) in [("sum", 2), ("fullest", 2), ("each", 16)] {
        browser.eval(&format!("document.querySelector('[data-way={way}]').click()"));
        assert_eq!(
            browser.eval("document.querySelectorAll('#memory canvas').length"),
            charts,
            "{way}"
        );
    }
    assert_eq!(browser.complaints(), [""; 0]);

    serving.child.kill().unwrap();
    serving.child.wait().unwrap();
    browser.wait_for("document.querySelector('.status').classList.contains('lost')");
    let status = browser.eval("document.querySelector('.status').textContent");
    assert_eq!(status, "the server does not answer; trying again");
}

#[test]
fn the_demo_moves() {
    if !is_installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let serving = Serving::of(folder.path(), &["--demo"]);
    let mut browser = Browser::start();
    browser.resize(1280, 900, false);
    browser.open(&serving.url);
    browser.wait_for("Number(document.documentElement.dataset.samples) > 2");
    let l1 = "document.querySelector('#chips tbody tr:not(.group)').cells[2].textContent";
    let first = browser.eval(l1);
    browser.wait_for(&format!("{l1} !== {first}"));
    browser.wait_for("Number(document.documentElement.dataset.samples) > 12");
    browser.picture("live-demo");
    assert!(painted(&mut browser, "#memory [data-kind=l1] canvas") > 0.1);
    assert_eq!(faint(&mut browser), [""; 0]);
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn the_history_is_there_from_before_the_page_was_opened() {
    let folder = tempfile::tempdir().unwrap();
    let serving = Serving::new(folder.path());
    let address = serving.url.trim_start_matches("http://").trim_end_matches('/');
    let get = |path: &str| {
        use std::io::{Read as _, Write as _};
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
            .split_once("\r\n\r\n")
            .map(|(head, body)| (head.to_owned(), body.to_owned()))
            .unwrap()
    };
    let (head, page) = get("/");
    assert!(head.contains("Content-Type: text/html; charset=utf-8"), "{head}");
    assert!(page.contains("connect-src 'self'"));
    let history: serde_json::Value = serde_json::from_str(&get("/api/v1/history").1).unwrap();
    assert_eq!(history["chips"].as_array().unwrap().len(), 8);
    assert!(!history["times_us"].as_array().unwrap().is_empty());
}
