//! Programs whose memory comes from somewhere else: the agent frees what TT-Metal allocated where TT-Metal does.
//!
//! A few steps as a test; `ALLOCATORS=5000` makes a campaign, and `SEED` other steps.

use std::path::{Path, PathBuf};
use std::process::Command;

use ttmem_test_support::random::{Random, number};

use super::program::{Form, Host, compile, source};
use super::{assert_agreed, common};

/// Opens, works and closes with all forms of TT-Metal, of which the older return vectors from every question.
fn works(preload: &str, prepare: impl Fn(&mut Command)) {
    for form in [Form::New, Form::Old] {
        let mut host = Host::start_with(form, |command| {
            command.env("LD_PRELOAD", preload);
            prepare(command);
        });
        for command in ["open 2 0", "allocate a 0 2048 12", "allocate b 1 1024 64", "free a"] {
            host.tell(command);
        }
        assert_agreed(&mut host);
        works_at_random(&mut host);
        host.tell("threads 2 200");
        host.tell("close");
        host.send("exit 3");
        assert_eq!(host.wait().code(), Some(3), "{preload} {form:?}");
    }
}

/// Allocates and frees in any order, for ops with names of any length.
fn works_at_random(host: &mut Host) {
    let mut random = Random::from_environment();
    let mut live = [false; 40];
    for step in 0..number("ALLOCATORS", 40) {
        let index = random.index(live.len());
        let is_live = &mut live[index];
        if *is_live {
            host.tell(&format!("free r{index}"));
        } else {
            let (kind, pages) = (random.below(2), 1 + random.below(300));
            // An op allocates for itself, under its name.
            host.tell(&format!("op {}{step}", "n".repeat(random.index(200))));
            host.tell(&format!("allocate r{index} {kind} 1024 {pages}"));
        }
        *is_live = !*is_live;
    }
    assert_agreed(host);
}

#[test]
fn a_replacement_of_operator_new_before_or_after_the_agent() {
    let directory = Form::New.directory();
    let source = source("prefixed_new.cpp");
    let arguments = ["-fPIC", "-shared", "-Wno-mismatched-new-delete", &source];
    compile(directory, &arguments, "libprefixed_new.so");
    let replacement = directory.join("libprefixed_new.so");
    let (agent, replacement) = (common::library().display(), replacement.display());
    works(&format!("{replacement}:{agent}"), |_| {});
    works(&format!("{agent}:{replacement}"), |_| {});
}

#[test]
fn allocators_of_the_distribution() {
    let folder = Path::new("/usr/lib/x86_64-linux-gnu");
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let libraries: Vec<PathBuf> = files.map(|file| file.path()).collect();
    for name in ["libjemalloc.so.", "libtcmalloc_minimal.so.", "libmimalloc.so."] {
        let is_it = |path: &&PathBuf| {
            path.file_name().is_some_and(|file| file.to_string_lossy().starts_with(name))
        };
        // CI installs all of them; elsewhere those that are there are tested.
        if let Some(library) = libraries.iter().find(is_it) {
            works(&format!("{}:{}", library.display(), common::library().display()), |_| {});
        } else {
            assert!(std::env::var_os("CI").is_none(), "install {name}");
        }
    }
}

#[test]
fn a_program_of_the_address_sanitizer_starts_and_ends_without_a_word() {
    let found = Command::new("g++").arg("-print-file-name=libasan.so").output().unwrap();
    let library = String::from_utf8(found.stdout).unwrap().trim().to_owned();
    let Ok(library) = std::fs::canonicalize(&library) else {
        assert!(std::env::var_os("CI").is_none(), "install libasan");
        return;
    };
    // What `ttmem run` sets for every command.
    let options = |command: &mut Command| {
        command.env("ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0:exitcode=99");
    };
    let agent = common::library().display();
    works(&format!("{}:{agent}", library.display()), options);
    works(&format!("{agent}:{}", library.display()), options);
}
