//! The page of `ttmem report --html` and the one that `ttmem serve` shows, in a headless Chromium.
//!
//! `TTMEM_PICTURES=DIR` keeps pictures of what is seen.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod hour;
mod live;
mod made;
mod report;

use std::path::Path;
use std::process::{Command, Stdio};

/// `ttmem` with arguments, in a folder.
fn ttmem(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ttmem"));
    command.current_dir(folder).args(arguments).stdin(Stdio::null());
    command
}

fn run(folder: &Path, arguments: &[&str]) {
    let output = ttmem(folder, arguments).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {error}");
}

/// Returns the number of colours on a canvas: a picture has several, an empty one has two or three.
fn colours(browser: &mut ttmem_test_support::browser::Browser, selector: &str) -> u64 {
    let script = format!(
        "(() => {{ const canvas = document.querySelector({selector:?});
           const bytes = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
           const seen = new Set();
           for (let at = 0; at < bytes.length; at += 4) if (bytes[at + 3] === 255) seen.add((bytes[at] << 16) | (bytes[at + 1] << 8) | bytes[at + 2]);
           return seen.size; }})()"
    );
    browser.eval(&script).as_u64().unwrap()
}

/// The share of a canvas that is covered.
fn painted(browser: &mut ttmem_test_support::browser::Browser, selector: &str) -> f64 {
    let script = format!(
        "(() => {{ const canvas = document.querySelector({selector:?});
           const bytes = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
           let opaque = 0;
           for (let at = 3; at < bytes.length; at += 4) if (bytes[at] === 255) opaque++;
           return opaque / (bytes.length / 4); }})()"
    );
    browser.eval(&script).as_f64().unwrap()
}

/// Returns the elements that are wider than the screen, except those that scroll by themselves.
fn overhang(browser: &mut ttmem_test_support::browser::Browser) -> Vec<String> {
    let script = "(() => { const wide = document.documentElement.clientWidth;
        if (document.documentElement.scrollWidth <= wide) return [];
        const beyond = [...document.body.querySelectorAll('*')].filter((part) => !part.closest('.scroll') && part.getBoundingClientRect().right > wide);
        if (!beyond.length) return ['a text without a box of its own'];
        return beyond.map((part) => `${part.tagName}.${part.className} ${part.textContent.slice(0, 60)}`); })()";
    let told = browser.eval(script);
    told.as_array().unwrap().iter().map(ToString::to_string).collect()
}

/// Returns the texts whose contrast with what is behind them is below 4.5, and the swatches with less than 3.
fn faint(browser: &mut ttmem_test_support::browser::Browser) -> Vec<String> {
    let script = "(() => {
        const canvas = new OffscreenCanvas(1, 1);
        const pen = canvas.getContext('2d', { willReadFrequently: true });
        const drawn = (colours) => { for (const colour of colours) { pen.fillStyle = colour; pen.fillRect(0, 0, 1, 1); } return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3); };
        const light = (rgb) => { const [r, g, b] = rgb.map((of) => of / 255).map((of) => (of <= 0.04045 ? of / 12.92 : ((of + 0.055) / 1.055) ** 2.4)); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
        const contrast = (one, other) => { const [low, high] = [light(one), light(other)].sort((a, b) => a - b); return (high + 0.05) / (low + 0.05); };
        const behind = (part) => { const colours = []; for (let at = part; at; at = at.parentElement) colours.unshift(getComputedStyle(at).backgroundColor); return colours; };
        const told = [];
        for (const part of document.body.querySelectorAll('*')) {
          if (!part.checkVisibility() || part.disabled) continue;
          const isText = [...part.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
          const style = getComputedStyle(part);
          const back = behind(part);
          if (isText && contrast(drawn([...back, style.color]), drawn(back)) < 4.5) told.push(`${part.tagName}.${part.className} ${part.textContent.slice(0, 40)}`);
          if (part.classList.contains('swatch') && contrast(drawn(back), drawn(behind(part.parentElement))) < 3) told.push(`swatch ${style.backgroundColor}`);
        }
        return told; })()";
    let told = browser.eval(script);
    told.as_array().unwrap().iter().map(ToString::to_string).collect()
}

/// Returns the number of pictures without a text in their place.
fn without_text(browser: &mut ttmem_test_support::browser::Browser) -> u64 {
    let script = "[...document.querySelectorAll('canvas')].filter((it) => !it.getAttribute('aria-label') && it.getAttribute('aria-hidden') !== 'true').length";
    browser.eval(script).as_u64().unwrap()
}
