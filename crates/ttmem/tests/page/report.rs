//! The page of a report.

use std::path::Path;

use serde_json::json;
use ttmem_analysis::run_report::{ProcessReport, RunReport, Timeline};
use ttmem_fake::segment::{NewBuffer, NewProgram, Segment};
use ttmem_fake::{BYTES, Board, Host, PID, Process};
use ttmem_model::Timestamp;
use ttmem_segment::{AllocatorKind, CoreRange, PartKind, Reader, RefusalKind};
use ttmem_test_support::browser::{Browser, is_installed};

use super::{colours, faint, made, overhang, painted, run, without_text};

/// The page of a made-up recording.
fn page(folder: &Path, name: &str, prefix: &str) -> std::path::PathBuf {
    made::recording(&folder.join("a.ttmem"), name, prefix);
    run(folder, &["report", "a.ttmem", "--html", "-o", "a.html"]);
    folder.join("a.html")
}

#[test]
fn a_report_is_seen_wide_narrow_light_and_dark() {
    if !is_installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let page = page(folder.path(), "python3", "ttnn::");
    let mut browser = Browser::start();
    for (look, width, height, is_phone) in
        [("desktop", 1280, 900, false), ("tablet", 800, 1000, false), ("phone", 390, 844, true)]
    {
        for scheme in ["light", "dark"] {
            browser.prefer(scheme);
            browser.resize(width, height, is_phone);
            browser.open_file(&page);
            browser.settle();
            browser.picture(&format!("report-{look}-{scheme}"));
            let seen = format!("{look} {scheme}");
            for canvas in ["#memory canvas", "#buffers canvas"] {
                assert!(colours(&mut browser, canvas) > 4, "{seen} {canvas}");
            }
            assert_eq!(overhang(&mut browser), [""; 0], "{seen}");
            assert_eq!(faint(&mut browser), [""; 0], "{seen}");
            assert_eq!(without_text(&mut browser), 0, "{seen}");
            assert_eq!(browser.complaints(), [""; 0], "{seen}");
        }
    }
    let sections = browser.eval("[...document.querySelectorAll('section')].map((part) => part.id)");
    let expected = json!([
        "failures", "chips", "memory", "holders", "peaks", "buffers", "held", "largest", "events",
        "losses"
    ]);
    assert_eq!(sections, expected);
    let mut says = |part: &str, words: &[&str]| {
        let text = browser.eval(&format!("document.querySelector('{part}').textContent"));
        for word in words {
            assert!(text.as_str().unwrap().contains(word), "{word}: {text}");
        }
    };
    says(
        "#failures",
        &["ttnn::Attention", "largest free block/bank", "address 0x0010dc00 (1,104,896): "],
    );
    says("#peaks", &["python3 4242", "DRAM", "L1", "ttnn::LayerNorm", "ttnn::Softmax"]);
    says("#held", &["never freed", "ttnn::KvCache", "program cache"]);
    says("#memory", &["python3 4242", "vllm 4243"]);
    says(
        "#holders",
        &["python3 4242chip 05.14 GiB33.7 MiBevents", "vllm 4243chip 01.07 GiB5.00 MiBsamples"],
    );
}

#[test]
fn the_pictures_are_read_by_pointer_and_by_key() {
    if !is_installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let page = page(folder.path(), "python3", "ttnn::");
    let mut browser = Browser::start();
    browser.resize(1280, 900, false);
    browser.open_file(&page);
    let tip =
        "document.querySelector('.tip').hidden ? '' : document.querySelector('.tip').textContent";
    let bounds = |browser: &mut Browser, selector: &str| {
        let script = format!(
            "(() => {{ const it = document.querySelector('{selector}'); it.scrollIntoView({{ block: 'center' }});
               const box = it.getBoundingClientRect(); return [box.left, box.top, box.width, box.height]; }})()"
        );
        let bounds = browser.eval(&script);
        let of = |number: usize| bounds[number].as_f64().unwrap();
        (of(0), of(1), of(2), of(3))
    };

    let (left, top, width, height) = bounds(&mut browser, "#memory canvas");
    browser.mouse("mouseMoved", left + width / 2.0, top + height / 2.0);
    let told = browser.eval(tip);
    assert!(told.as_str().unwrap().contains("vllm 4243"), "{told}");
    assert!(told.as_str().unwrap().contains("by its events, after ttnn::"), "{told}");

    // A stretch of time is chosen by dragging, and let go of by the button.
    let all = "document.querySelector('#reset-zoom').disabled";
    assert_eq!(browser.eval(all), true);
    browser.mouse("mousePressed", left + width * 0.4, top + 30.0);
    browser.mouse("mouseMoved", left + width * 0.6, top + 30.0);
    browser.mouse("mouseReleased", left + width * 0.6, top + 30.0);
    browser.settle();
    assert_eq!(browser.eval(all), false);
    browser.picture("report-zoomed");
    browser.eval("document.querySelector('#reset-zoom').click()");
    browser.settle();
    assert_eq!(browser.eval(all), true);

    // L1 is there at once, with the events' peak that no sample has; each kind can be hidden.
    let label = "document.querySelector('[data-kind=l1] canvas')?.getAttribute('aria-label')";
    let shown = browser.eval(label);
    assert_eq!(shown, "L1 of chip 0 n150 over time, at most 38.7 MiB of 103 MiB (38 %)");
    let sampled = browser.eval("JSON.parse(document.getElementById('data').textContent).report.recordings[0].series.chips[0].kinds.find((it) => it.kind === 'l1').peak");
    assert!(sampled.as_u64().unwrap() < 38 * 1024 * 1024, "{sampled}");
    let basis = browser.eval("document.querySelector('#memory-basis').textContent");
    assert!(
        basis
            .as_str()
            .unwrap()
            .contains("events of agents where there are any, else from samples, one each 500 ms"),
        "{basis}"
    );
    browser.eval("document.querySelector('#memory button[data-kind=l1]').click()");
    assert_eq!(browser.eval(label), json!(null));
    browser.eval("document.querySelector('#memory button[data-kind=l1]').click()");

    // Buffers by key: the first one, the next, the one below it, and none.
    bounds(&mut browser, "#buffers canvas");
    browser.eval("document.querySelector('#buffers canvas').focus()");
    let detail = "document.querySelector('#buffer-detail').textContent";
    let mut told = vec![browser.eval(detail)];
    for key in ["ArrowRight", "ArrowRight", "ArrowDown", "Escape"] {
        browser.key(key);
        told.push(browser.eval(detail));
    }
    assert_eq!(told[0], told[4]);
    assert!(told[1].as_str().unwrap().contains("ttnn::as_tensor · 12.0 MiB/bank at 0x"));
    assert!(told[1] != told[2] && told[3] == told[1], "{told:?}");
    browser.key("+");
    assert_eq!(browser.eval(all), false);
    assert_eq!(browser.complaints(), [""; 0]);
}

/// Ten thousand buffers in a process's L1, up and down.
fn crowd() -> RunReport {
    let fake = Segment::wormhole(7, 70, 5).allocate(NewBuffer::new(AllocatorKind::L1, 64, "Add"));
    let segment = Reader::parse(&fake.image()).unwrap();
    let mut timeline = Timeline::of(&segment);
    timeline.ops = (0..40).map(|op| format!("Operation{op}")).collect();
    let buffers = &mut timeline.buffers;
    *buffers = ttmem_analysis::run_report::Buffers::default();
    for number in 0..10_000_u64 {
        let noise = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        let start = timeline.from_us.0 + number * 1000;
        buffers.pool.push(0);
        buffers.address.push(105_824 + noise % 1_200_000);
        buffers.bytes.push(2048 + noise % 60_000);
        buffers.start_us.push(Some(start));
        buffers.end_us.push((number % 50 > 0).then_some(start + 5000 + noise % 900_000));
        buffers.op.push(usize::try_from(number % 40).ok());
        buffers.origin.push("tensor");
    }
    timeline.to_us = Timestamp(timeline.from_us.0 + 10_900_000);
    let process = ProcessReport::of(&segment, false);
    RunReport::new(vec![ProcessReport { timeline: Some(timeline), ..process }])
}

#[test]
fn l1_by_op_is_a_table_that_headings_sort() {
    if !is_installed() {
        return;
    }
    let cores = CoreRange { start: (0, 0), end: (7, 7) };
    let program = |op: &'static str, bytes| {
        NewProgram::new(op).place(PartKind::DataflowBuffer, 105_824, bytes, cores).kernel(
            "bmm",
            Some(268),
            cores,
        )
    };
    let fake = Segment::wormhole(7, 70, 5)
        .program(&program("Matmul", 196_608))
        .program(&program("BinaryNg", 6144))
        .allocate(NewBuffer::new(AllocatorKind::L1, 1_310_720, "KvCache"))
        .dispatch(1)
        .dispatch(1)
        .dispatch(0)
        .refuse(0, RefusalKind::Clash, 0);
    let report = ProcessReport::of(&Reader::parse(&fake.image()).unwrap(), false);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("programs.html");
    let text = ttmem::testing::page("programs", &RunReport::new(vec![report])).unwrap();
    std::fs::write(&path, text).unwrap();
    let mut browser = Browser::start();
    browser.resize(1280, 900, false);
    browser.open_file(&path);
    let first_cells = "[...document.querySelectorAll('#programs tbody tr')].map((row) => row.cells[0].textContent)";
    assert_eq!(browser.eval(first_cells), json!(["Matmul", "BinaryNg"]));
    let click = |browser: &mut Browser, title: &str| {
        browser.eval(&format!(
            "[...document.querySelectorAll('#programs th button')].find((it) => it.textContent === '{title}').click()"
        ));
    };
    click(&mut browser, "dispatches");
    assert_eq!(browser.eval(first_cells), json!(["BinaryNg", "Matmul"]));
    click(&mut browser, "dispatches");
    assert_eq!(browser.eval(first_cells), json!(["Matmul", "BinaryNg"]));
    let text = |browser: &mut Browser, part: &str| {
        let text = browser.eval(&format!("document.querySelector('{part}').textContent"));
        text.as_str().unwrap().to_owned()
    };
    assert!(text(&mut browser, "#programs").contains("192 KiB"));
    assert!(text(&mut browser, "#refused").contains("KvCache"));
    assert!(text(&mut browser, "#peaks").contains("circular buffers 12.0 MiB"));
    browser.picture("l1-by-op");
    assert_eq!(overhang(&mut browser), [""; 0]);
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn ten_thousand_buffers_stay_responsive() {
    if !is_installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("crowd.html");
    std::fs::write(&path, ttmem::testing::page("crowd", &crowd()).unwrap()).unwrap();
    let mut browser = Browser::start();
    browser.resize(1280, 900, false);
    browser.open_file(&path);
    browser.eval("document.querySelector('#buffers canvas').scrollIntoView({ block: 'center' })");
    browser.picture("crowd");
    for scheme in ["dark", "light"] {
        browser.prefer(scheme);
        assert_eq!(faint(&mut browser), [""; 0], "{scheme}");
    }
    // From the pointer's move to the picture that follows it, and how long the page was busy with it.
    let script = "(async () => {
        const canvas = document.querySelector('#buffers canvas');
        const box = canvas.getBoundingClientRect();
        const took = [];
        for (let move = 0; move < 40; move++) {
          const at = { clientX: box.left + 90 + (move * 83) % (box.width - 120), clientY: box.top + 20 + (move * 37) % (box.height - 60), pointerId: 1, bubbles: true };
          const began = performance.now();
          canvas.dispatchEvent(new PointerEvent('pointermove', at));
          took.push(performance.now() - began);
          await new Promise((done) => requestAnimationFrame(done));
        }
        took.sort((one, other) => one - other);
        return [took[20], took[39], Number(canvas.dataset.drawMs)];
      })()";
    let told = browser.eval(script);
    println!(
        "10,000 buffers, milliseconds a move of the pointer: median, longest, last picture: {told}"
    );
    let milliseconds = |index: usize| told[index].as_f64().unwrap();
    // docs/overhead.md has what it is on an idle machine; this one may have other things to do.
    assert!(milliseconds(0) < 100.0, "median, longest and last: {told}");
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn hostile_names_are_text() {
    if !is_installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let name = "</script><img src=x onerror=\"document.title='owned'\">";
    let page = page(folder.path(), name, "<b onclick=alert(1)>\u{202e}</textarea>");
    let mut browser = Browser::start();
    browser.resize(390, 844, true);
    browser.open_file(&page);
    assert_eq!(browser.eval("document.title"), "a.ttmem");
    assert_eq!(browser.eval("document.querySelectorAll('img, [onerror], [onclick]').length"), 0);
    let text = browser.eval("document.querySelector('#peaks').textContent");
    assert!(text.as_str().unwrap().contains("<b onclick=alert(1)>"), "{text}");
    assert_eq!(overhang(&mut browser), [""; 0]);
    // What would be script is refused by the page's own policy, which is heard of.
    browser.eval("document.body.append(Object.assign(document.createElement('script'), { textContent: 'document.title = 1' })); 0");
    assert_eq!(browser.eval("document.title"), "a.ttmem");
    assert!(browser.complaints().iter().any(|text| text.contains("Content Security Policy")));
}

#[test]
fn cores_are_shown_at_the_peak_of_l1() {
    if !is_installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), &["--demo", "record", "--l1", "-o", "a", "-l", "100ms", "--for", "150ms"]);
    run(folder.path(), &["report", "a", "--html", "-o", "a.html"]);
    let mut browser = Browser::start();
    browser.resize(1280, 900, false);
    browser.open_file(&folder.path().join("a.html"));
    browser.eval("document.querySelector('#cores').scrollIntoView()");
    browser.picture("cores");
    assert_eq!(browser.eval("document.querySelectorAll('#cores button').length"), 72);
    assert_eq!(browser.eval("document.querySelector('#cores h3').textContent"), "chip 0 n150");
    let in_one_row = "(() => { const [one, other] = document.querySelectorAll('.tabs.end button:not([hidden])'); return one.offsetTop === other.offsetTop && document.querySelectorAll('#programs thead th').length; })()";
    // Without scratchpads no column is of them.
    assert_eq!(browser.eval(in_one_row), 11);
    browser.eval("document.querySelectorAll('#cores button')[20].focus()");
    let text = browser.eval("document.querySelector('#cores .detail').textContent");
    assert!(
        text.as_str().unwrap().starts_with("core 4,2 · finished · 192 KiB of circular"),
        "{text}"
    );
    assert!(text.as_str().unwrap().contains("bmm_large_block_zm"), "{text}");
    assert_eq!(browser.complaints(), [""; 0]);
}

/// Numbers that a segment cannot hold honestly: the page may draw nonsense, and must not stumble.
#[test]
fn impossible_numbers_are_survived() {
    if !is_installed() {
        return;
    }
    let mut report = crowd();
    let timeline = report.processes[0].timeline.as_mut().unwrap();
    for (number, value) in [u64::MAX, 0, 1 << 63, u64::MAX - 1].into_iter().enumerate() {
        let buffers = &mut timeline.buffers;
        (buffers.address[number], buffers.bytes[number]) = (value, u64::MAX - value);
        (buffers.start_us[number], buffers.end_us[number]) = (Some(value), Some(u64::MAX - value));
        timeline.pools[0].steps.at_us.push(value);
        timeline.pools[0].steps.bytes.push(u64::MAX - value);
        timeline.pools[0].steps.op.push(Some(39));
    }
    timeline.pools[0].bank_bytes = Some(u64::MAX);
    (timeline.from_us, timeline.to_us) = (Timestamp(u64::MAX), Timestamp(0));
    report.processes[0].since = Timestamp(u64::MAX);
    for peak in &mut report.processes[0].peaks {
        (peak.bytes, peak.allocatable, peak.after_us) = (u64::MAX, Some(1), Some(u64::MAX));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("odd.html");
    std::fs::write(&path, ttmem::testing::page("odd", &report).unwrap()).unwrap();
    let mut browser = Browser::start();
    browser.resize(800, 700, false);
    browser.open_file(&path);
    browser.eval("document.querySelector('#buffers canvas').focus()");
    for key in ["ArrowRight", "ArrowUp", "ArrowDown", "ArrowLeft", "+", "-", "0", "PageDown"] {
        browser.key(key);
    }
    browser.eval("document.querySelector('#memory canvas').focus()");
    for key in ["ArrowRight", "+", "ArrowLeft"] {
        browser.key(key);
    }
    browser.eval("document.querySelector('#peaks button').click()");
    browser.settle();
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn a_long_beginning_without_memory_is_folded() {
    if !is_installed() {
        return;
    }
    let mut report = crowd();
    let timeline = report.processes[0].timeline.as_mut().unwrap();
    timeline.from_us = Timestamp(timeline.from_us.0 - 130_000_000);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("late.html");
    std::fs::write(&path, ttmem::testing::page("late", &report).unwrap()).unwrap();
    let mut browser = Browser::start();
    browser.resize(1280, 900, false);
    browser.open_file(&path);
    let fold = "(() => { const it = document.querySelector('#fold'); return [it.textContent, it.getAttribute('aria-expanded'), it.hidden]; })()";
    let told = browser.eval(fold);
    assert_eq!(told, json!(["2 min 10 s without memory folded", "false", false]));
    browser.picture("folded");
    let area = painted(&mut browser, "#memory canvas");
    browser.eval("document.querySelector('#fold').focus()");
    browser.enter();
    assert_eq!(browser.eval(fold), json!(["fold the beginning", "true", false]));
    browser.picture("unfolded");
    assert!(area > 2.0 * painted(&mut browser, "#memory canvas"), "{area}");
    browser.enter();
    assert_eq!(browser.eval(fold), told);
    // The mark itself opens it, too.
    let mark = browser.eval("(() => { const it = document.querySelector('#memory canvas'); it.scrollIntoView({ block: 'center' }); const box = it.getBoundingClientRect(); return [box.left + 92, box.top + 50]; })()");
    let (x, y) = (mark[0].as_f64().unwrap(), mark[1].as_f64().unwrap());
    browser.mouse("mousePressed", x, y);
    browser.mouse("mouseReleased", x, y);
    browser.settle();
    assert_eq!(browser.eval(fold)[1], "true");
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn thirty_two_chips_are_a_table_and_charts_on_one_scale() {
    if !is_installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let host = folder.path().join("host");
    Host::galaxy().into_tree().write_to(&host).unwrap();
    let root = host.to_str().unwrap();
    run(folder.path(), &["--root", root, "record", "-o", "a", "-l", "100ms", "--for", "250ms"]);
    run(folder.path(), &["report", "a", "--html", "-o", "a.html"]);
    let mut browser = Browser::start();
    for (look, width, height, is_phone, scheme) in
        [("desktop", 1280, 900, false, "light"), ("phone", 390, 844, true, "dark")]
    {
        browser.prefer(scheme);
        browser.resize(width, height, is_phone);
        browser.open_file(&folder.path().join("a.html"));
        let charts = "document.querySelectorAll('#memory canvas').length";
        let row = "[...document.querySelectorAll('#chips tbody tr:not(.group)')[9].cells].map((it) => it.textContent.trim())";
        let row = browser.eval(row);
        assert_eq!(
            row,
            json!([
                "9",
                "1.00 GiB 8 %",
                "8.00 MiB 7 %",
                "45 / 75 °C",
                "35 / 85 W",
                "python3 4242",
                "",
                "2:2",
                "galaxy-wormhole"
            ])
        );
        let group = "document.querySelectorAll('#chips tr.group')[1].textContent";
        assert_eq!(
            browser.eval(group),
            "tray 2 8 chips · DRAM 8.00 GiB 8 % · L1 64.0 MiB 7 % · 280 W · at most 45 °C"
        );
        for (way, count) in [("sum", 2), ("fullest", 2), ("groups", 8), ("each", 64)] {
            browser.eval(&format!("document.querySelector('[data-way={way}]').click()"));
            browser.settle();
            assert_eq!(browser.eval(charts), count, "{way}");
            browser.picture(&format!("galaxy-{way}-{look}"));
            assert_eq!(overhang(&mut browser), [""; 0], "{look} {way}");
        }
        let scale = browser.eval("document.querySelector('.scale').textContent");
        assert_eq!(scale, "each from 0 to 12.0 GiB", "8 % does not look full");
        browser.eval("document.querySelector('[data-way=sum]').click()");
        let sum =
            browser.eval("document.querySelector('#memory canvas').getAttribute('aria-label')");
        assert_eq!(
            sum,
            "DRAM of all 32 chips together over time, at most 32.0 GiB of 384 GiB (8 %)"
        );
        assert_eq!(browser.complaints(), [""; 0], "{look}");
    }
}

#[test]
fn the_capacity_of_some_chips_of_a_board_is_not_that_of_all() {
    if !is_installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let host = folder.path().join("host");
    let (first, second) = (Board::n150(), Board::p150().serial(0x0000_0180_0000_0001));
    let all = Host::new().board(Board::n300()).board(first).board(second);
    all.workload(Process::new(PID, "python3"), BYTES).into_tree().write_to(&host).unwrap();
    let root = host.to_str().unwrap();
    run(folder.path(), &["--root", root, "record", "-o", "a", "-l", "100ms", "--for", "250ms"]);
    run(folder.path(), &["report", "a", "--html", "-o", "a.html"]);
    let mut browser = Browser::start();
    browser.open_file(&folder.path().join("a.html"));
    let text = browser.eval("document.querySelectorAll('#chips tr.group')[1].textContent");
    let text = text.as_str().unwrap();
    assert!(text.contains("2 chips · DRAM 2.00 GiB 5 % · L1 16.0 MiB · 95 W"), "{text}");
    let bars = "document.querySelectorAll('#chips canvas.spark').length";
    assert_eq!(browser.eval(bars), 7, "L1 of a p150a has no scale");
}

#[test]
fn chips_that_have_one_number_after_the_other_are_apart() {
    if !is_installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    made::removed(&folder.path().join("a"));
    run(folder.path(), &["report", "a", "--html", "-o", "a.html"]);
    let mut browser = Browser::start();
    browser.open_file(&folder.path().join("a.html"));
    let text = browser.eval("document.querySelector('#chips tr.group').textContent");
    let text = text.as_str().unwrap();
    assert!(text.contains("n300 0, 4"), "{text}");
    assert!(text.contains("DRAM 2.00 GiB") && !text.contains("3.00 GiB"), "{text}");
}
