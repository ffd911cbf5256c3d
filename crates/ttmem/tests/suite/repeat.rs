//! `ttmem -l`: samples of a host that changes meanwhile.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use ttmem_fake::Host;

use super::cli::ttmem;

#[test]
fn samples_go_on_while_the_driver_is_unloaded() {
    let folder = tempfile::tempdir().unwrap();
    Host::n150().into_tree().write_to(folder.path()).unwrap();
    let root = folder.path().to_str().unwrap();
    let arguments = ["--root", root, "-i", "0", "-l", "100ms", "--json"];
    let mut child = ttmem(&arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut wait_for_chips = |count: usize| {
        let found = lines.by_ref().map(Result::unwrap).any(|line| {
            let snapshot: serde_json::Value = serde_json::from_str(&line).unwrap();
            snapshot["chips"].as_array().unwrap().len() == count
        });
        assert!(found, "the samples ended before there were {count} chips");
    };
    wait_for_chips(1);
    let rename = |from: &str, to: &str| {
        std::fs::rename(folder.path().join(from), folder.path().join(to)).unwrap();
    };
    rename("dev", "dev-away");
    rename("sys", "sys-away");
    wait_for_chips(0);
    rename("sys-away", "sys");
    rename("dev-away", "dev");
    wait_for_chips(1);
    child.kill().unwrap();
    child.wait().unwrap();
}

/// A snapshot without what differs between two looks at the same state, and without rates, which one look has not.
fn state(mut snapshot: Value) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(object) => {
                object.retain(|name, _| !(name.ends_with("_us") || name.ends_with("_per_s")));
                object.values_mut().for_each(strip);
            }
            Value::Array(array) => array.iter_mut().for_each(strip),
            _ => {}
        }
    }
    strip(&mut snapshot);
    snapshot
}

/// Exchanges the numbers of two devices, as a driver that is loaded again may.
fn renumber(folder: &Path, [first, second]: [u32; 2]) {
    let class = folder.join("sys/class/tenstorrent");
    let link = |number: u32| class.join(format!("tenstorrent!{number}"));
    let exchange = |one: &Path, other: &Path| {
        let aside = folder.join("aside");
        fs::rename(one, &aside).unwrap();
        fs::rename(other, one).unwrap();
        fs::rename(&aside, other).unwrap();
    };
    let parent = |number| {
        let directory = fs::canonicalize(link(number)).unwrap();
        directory.parent().unwrap().to_owned()
    };
    let (parents, links) = ([parent(first), parent(second)], [link(first), link(second)]);
    for name in ["dev", "uevent"] {
        exchange(&links[0].join(name), &links[1].join(name));
    }
    let names = links.each_ref().map(|link| link.file_name().unwrap());
    fs::rename(parents[0].join(names[0]), parents[0].join(names[1])).unwrap();
    fs::rename(parents[1].join(names[1]), parents[1].join(names[0])).unwrap();
    for (index, link) in links.iter().enumerate() {
        let below = parents[1 - index].strip_prefix(folder.join("sys")).unwrap();
        fs::remove_file(link).unwrap();
        symlink(Path::new("../..").join(below).join(names[index]), link).unwrap();
    }
    for directory in ["dev/tenstorrent", "proc/driver/tenstorrent"] {
        let of = |number: u32| folder.join(directory).join(number.to_string());
        exchange(&of(first), &of(second));
    }
}

/// Repeated samples read files that stay open: they show what a first look shows, whatever happens to the files.
#[test]
fn samples_are_those_of_a_first_look() {
    let folder = tempfile::tempdir().unwrap();
    Host::t3000().into_tree().write_to(folder.path()).unwrap();
    let host = Host::t3000();
    let below = |path: &str| folder.path().join(path.trim_start_matches('/'));
    let chip = below(&host.device_directory(3));
    let sensors = below(&host.hwmon_directory(3));
    let write = |file: &Path, text: &str| fs::write(file, text).unwrap();
    let replace = |file: &Path, text: &str| {
        let new = file.with_extension("new");
        write(&new, text);
        fs::rename(new, file).unwrap();
    };
    let region = fs::read_dir(below("dev/shm")).unwrap().map(|entry| entry.unwrap().path());
    let region = region.filter(|path| path.to_str().unwrap().ends_with("_memory")).min().unwrap();
    let changes: [&dyn Fn(); 10] = [
        &|| write(&chip.join("tt_aiclk"), "500\n"),
        &|| replace(&chip.join("tt_aiclk"), "501\n"),
        &|| replace(&sensors.join("temp1_input"), "81000\n"),
        &|| replace(&below("proc/driver/tenstorrent/3/pids"), "1\n4242\n"),
        &|| fs::remove_file(sensors.join("power1_input")).unwrap(),
        &|| write(&sensors.join("power1_input"), "33000000\n"),
        &|| {
            let text = fs::read(&region).unwrap();
            fs::remove_file(&region).unwrap();
            fs::write(&region, &text[..100]).unwrap();
        },
        &|| fs::remove_file(&region).unwrap(),
        &|| renumber(folder.path(), [1, 2]),
        &|| replace(&chip.join("tt_asic_id"), "00041C5A01400099\n"),
    ];
    let arguments = ["--root", folder.path().to_str().unwrap(), "--no-server", "--json"];
    let first_look = || {
        let output = ttmem(&arguments).output().unwrap();
        state(serde_json::from_slice(&output.stdout).unwrap())
    };
    let mut child = ttmem(&[arguments.as_slice(), &["-l", "100ms"]].concat())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut before = Value::Null;
    for (index, change) in changes.iter().enumerate() {
        change();
        let expected = first_look();
        assert!(expected != before, "change {index}");
        let mut shown = Value::Null;
        for line in lines.by_ref().take(50) {
            shown = state(serde_json::from_str(&line.unwrap()).unwrap());
            if shown == expected {
                break;
            }
        }
        assert!(shown == expected, "change {index}");
        before = expected;
        // Now the files are opened that the next change is about.
        assert!(lines.by_ref().take(4).all(|line| line.is_ok()));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}
