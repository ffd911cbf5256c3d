//! The cost of an hour: size, time, memory. Slow, so only on demand:
//!
//! With `RECORDING=FILE` the recording is kept.
//!
//! `cargo test --profile bench -p ttmem-service --test over_time -- --ignored --nocapture`
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::time::{Duration, Instant};

use ttmem_fake::NOW;
use ttmem_model::Timestamp;
use ttmem_recording::{Contents, Encoder, Header, Limits, Recording, Tracker};
use ttmem_sources::demo::Busy;

const MOMENTS: u64 = 36_000;
const TICK_US: u64 = 100_000;

#[test]
#[ignore = "takes minutes"]
fn an_hour_of_a_galaxy() {
    let mut busy = Busy::galaxy();
    let mut encoder = Encoder::new(Limits::default());
    let mut tracker = Tracker::default();
    let (mut contents, mut file) = Contents::begin(&Header::default());
    let (mut encoding, mut tracking) = (Duration::ZERO, Duration::ZERO);
    let mut events = 0_u64;
    let mut sampled: Vec<(Timestamp, String)> = Vec::new();
    let mut waiting = 0;
    for tick in 0..MOMENTS {
        let snapshot = busy.next(TICK_US);
        if tick % 1777 == 0 {
            sampled.push((snapshot.time_us, serde_json::to_string(&snapshot).unwrap()));
        }
        let watch = Instant::now();
        let block = encoder.push(snapshot.time_us, &snapshot).unwrap();
        encoding += watch.elapsed();
        if let Some(block) = block {
            contents.add(&block);
            file.extend(&block.bytes);
        }
        let watch = Instant::now();
        for event in tracker.observe(&snapshot) {
            events += 1;
            encoder.event(event);
        }
        tracking += watch.elapsed();
        waiting = waiting.max(encoder.waiting_bytes());
    }
    let block = encoder.flush().unwrap();
    contents.add(&block);
    file.extend(&block.bytes);
    file.extend(contents.end());
    let core = |spent: Duration| 100.0 * spent.as_secs_f64() / 3600.0;
    println!(
        "size        {:.2} MB, {} bytes a moment",
        file.len() as f64 / 1e6,
        file.len() as u64 / MOMENTS
    );
    println!("encoding    {:.2} % of a core, {:?} a moment", core(encoding), encoding / 36_000);
    println!("events      {:.2} % of a core, {events} events", core(tracking));
    println!("waiting     at most {waiting} bytes");

    if let Some(path) = std::env::var_os("RECORDING") {
        std::fs::write(path, &file).unwrap();
    }
    let mut recording = Recording::open(file).unwrap();
    assert_eq!(recording.len(), MOMENTS);
    let mut slowest = Duration::ZERO;
    for (time, json) in sampled.iter().rev() {
        let watch = Instant::now();
        let moment = recording.at(*time).unwrap().unwrap();
        slowest = slowest.max(watch.elapsed());
        assert!(serde_json::to_string(&moment).unwrap() == *json, "{time:?}");
    }
    println!("seek        at most {slowest:?}");
    let watch = Instant::now();
    let typed =
        recording.at(Timestamp(NOW.0 + 1_800_000_000)).unwrap().unwrap().snapshot().unwrap();
    println!("seek, typed {:?}, {} chips", watch.elapsed(), typed.chips.len());
}

/// CPU time of this thread.
fn spent() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let part = |value: i64| u64::try_from(value).unwrap_or_default();
    Duration::from_nanos(part(time.tv_sec) * 1_000_000_000 + part(time.tv_nsec))
}

#[test]
#[ignore = "a figure, not a test"]
fn a_hundred_clients_of_a_galaxy() {
    use std::io::Read as _;
    const CLIENTS: usize = 100;
    const TICKS: u32 = 300;
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    let options = ttmem_service::server::Options {
        socket: socket.clone(),
        interval: Duration::from_millis(100),
        history: Duration::from_secs(600),
        history_bytes: 32 << 20,
        share_commands: false,
        boot: None,
    };
    let root = ttmem_root::Root::memory(ttmem_root::Tree::new());
    let mut server = ttmem_service::server::Server::bind(options, root).unwrap();
    let mut busy = Busy::galaxy();
    server.publish(busy.next(TICK_US), None);
    let hello = serde_json::to_vec(&ttmem_recording::wire::Hello::new(0)).unwrap();
    let hello = ttmem_recording::wire::frame(ttmem_recording::wire::FrameKind::Hello, &hello);
    let mut clients: Vec<std::os::unix::net::UnixStream> = Vec::new();
    for _ in 0..CLIENTS {
        let mut stream = std::os::unix::net::UnixStream::connect(&socket).unwrap();
        std::io::Write::write_all(&mut stream, &hello).unwrap();
        stream.set_nonblocking(true).unwrap();
        clients.push(stream);
        server.serve_until(0).unwrap();
    }
    let mut buffer = vec![0; 1 << 16];
    let mut bytes = 0;
    let mut drain = |clients: &mut Vec<std::os::unix::net::UnixStream>| {
        for client in clients {
            while let Ok(count) = client.read(&mut buffer) {
                bytes += count;
            }
        }
    };
    drain(&mut clients);
    let mut serving = Duration::ZERO;
    for _ in 0..TICKS {
        let snapshot = busy.next(TICK_US);
        let before = spent();
        server.publish(snapshot, None);
        server.serve_until(0).unwrap();
        serving += spent() - before;
        drain(&mut clients);
    }
    assert_eq!((server.clients(), server.dropped()), (CLIENTS, 0));
    let share = 100.0 * serving.as_secs_f64() / (f64::from(TICKS) * 0.1);
    println!("serving     {share:.2} % of a core at 10 Hz, {:?} a tick", serving / TICKS);
    println!("sent        {} bytes a client and tick", bytes / CLIENTS / TICKS as usize);
}

/// CPU time of the recorder's thread, and the resident memory of this process in KiB.
fn recorder_takes() -> (Duration, u64) {
    let mut spent = Duration::ZERO;
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let task = task.unwrap().path();
        // The kernel keeps 15 bytes of a name.
        if std::fs::read_to_string(task.join("comm")).unwrap_or_default() == "ttmem-recorder\n" {
            let stat = std::fs::read_to_string(task.join("schedstat")).unwrap();
            let nanoseconds = stat.split(' ').next().unwrap().parse().unwrap();
            spent = Duration::from_nanos(nanoseconds);
        }
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    (spent, line.split_whitespace().nth(1).unwrap().parse().unwrap())
}

#[test]
#[ignore = "takes minutes"]
fn an_hour_through_the_recorder() {
    use ttmem_root::clock::Marks;
    use ttmem_service::recorder::{OfferResult, Options, Recorder};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hour.ttmem");
    let header = Header::default();
    let options = Options { path: path.clone(), header, max_bytes: None, ring: None };
    let recorder = Recorder::start(options, None).unwrap();
    let mut busy = Busy::galaxy();
    let mut sizes = Vec::new();
    let mut last = Duration::ZERO;
    for tick in 0..MOMENTS {
        let snapshot = busy.next(TICK_US);
        let (time, wall) = ((tick + 1) * TICK_US, snapshot.time_us);
        let marks = Marks { wall, awake_us: time, since_boot_us: time };
        // Here snapshots come faster than at ten a second, and wait for their turn.
        while recorder.offer(snapshot.clone(), None, marks) != OfferResult::Taken {
            std::thread::sleep(Duration::from_micros(200));
        }
        if tick % 3600 == 3599 {
            let (spent, size) = recorder_takes();
            (last, _) = (spent, sizes.push(size));
        }
    }
    let report = recorder.stop("");
    assert_eq!((report.moments, &report.failure), (MOMENTS, &None));
    println!("recorder    {:.2} % of a core at 10 Hz", 100.0 * last.as_secs_f64() / 3600.0);
    println!("file        {:.2} MB", report.bytes as f64 / 1e6);
    println!("memory      {sizes:?} KiB, after every tenth of the hour");
}
