//! The C++ host: a program that uses a made-up TT-Metal with the real one's exported names.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::OnceLock;

use ttmem_segment::Segment;

/// The directory of real segments.
pub(crate) const SHM: &str = "/dev/shm";

/// Form of TT-Metal that the host uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// The form from 0.80.
    New,
    /// The form from 0.66 to 0.79: buffers do not name their kind.
    Old,
    /// The form before 0.66: classes have other names.
    Legacy,
    /// The form from 0.66 to 0.70: the return type of the circular buffers of a program is not known.
    BeforeSpan,
}

impl Form {
    pub(crate) const ALL: [Self; 3] = [Self::New, Self::Old, Self::Legacy];

    fn flags(self) -> &'static [&'static str] {
        match self {
            Self::New => &[],
            Self::Old => &["-DOLD"],
            Self::Legacy => &["-DOLD", "-DLEGACY"],
            Self::BeforeSpan => &["-DOLD", "-DBEFORE_SPAN"],
        }
    }

    /// Compiles it, once for all tests of a program.
    pub(crate) fn directory(self) -> &'static Path {
        static BUILT: [OnceLock<PathBuf>; 4] = [const { OnceLock::new() }; 4];
        BUILT[self as usize].get_or_init(|| {
            let directory = folder(&format!("{self:?}"));
            object(&directory, "tt_metal.cpp", "tt_metal.o", self.flags());
            object(&directory, "ops.cpp", "ops.o", self.flags());
            let name = "-Wl,-soname,libtt_metal.so";
            compile(&directory, &["-shared", "-pthread", name, "tt_metal.o"], "libtt_metal.so");
            let found = ["-L.", "-ltt_metal", "-Wl,-rpath,$ORIGIN"];
            compile(
                &directory,
                &[&["-shared", "-pthread", "ops.o"], &found[..]].concat(),
                "libops.so",
            );
            directory
        })
    }
}

/// The program that loads the libraries it is given, compiled once.
fn host() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let directory = folder("program");
        compile(&directory, &[&source("host.cpp"), "-ldl"], "host");
        directory.join("host")
    })
}

/// The library that contains TT-Metal: not always one of its usual name that the program can see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packaging {
    /// A library of another name.
    Renamed,
    /// The very library that uses it.
    Plugin,
}

impl Packaging {
    /// Links a library that uses TT-Metal as from 0.80.
    pub(crate) fn library(self) -> PathBuf {
        static BUILT: [OnceLock<PathBuf>; 2] = [const { OnceLock::new() }; 2];
        let built = BUILT[self as usize].get_or_init(|| {
            Form::New.directory();
            let directory = folder(&format!("New/{self:?}"));
            let shared = ["-shared", "-pthread"];
            match self {
                Self::Renamed => {
                    let name = ["-Wl,-soname,libmetal_renamed.so", "../tt_metal.o"];
                    compile(&directory, &[shared, name].concat(), "libmetal_renamed.so");
                    let found = ["../ops.o", "-L.", "-lmetal_renamed", "-Wl,-rpath,$ORIGIN"];
                    compile(&directory, &[&shared[..], &found].concat(), "library.so");
                }
                Self::Plugin => {
                    let both = ["../ops.o", "../tt_metal.o"];
                    compile(&directory, &[shared, both].concat(), "library.so");
                }
            }
            directory.join("library.so")
        });
        built.clone()
    }
}

/// Makes a folder for what is compiled.
fn folder(name: &str) -> PathBuf {
    let crate_name = env!("CARGO_CRATE_NAME");
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("host-{crate_name}/{name}"));
    std::fs::create_dir_all(&path).unwrap();
    path.canonicalize().unwrap()
}

/// Returns the path of a source of the host.
pub(crate) fn source(name: &str) -> String {
    format!("{}/tests/host/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// What objects of all forms are compiled with.
const OBJECT: [&str; 3] = ["-fPIC", "-pthread", "-c"];

/// Compiles a source with the headers of the standard library, which are half of the time of it, compiled before.
fn object(directory: &Path, name: &str, output: &str, flags: &[&str]) {
    static STANDARD: OnceLock<String> = OnceLock::new();
    let standard = STANDARD.get_or_init(|| {
        let directory = folder("standard");
        let header = directory.join("standard.h");
        std::fs::copy(source("standard.h"), &header).unwrap();
        let flags = ["-x", "c++-header", &source("standard.h")];
        compile(&directory, &[&OBJECT[..], &flags].concat(), "standard.h.gch");
        header.display().to_string()
    });
    let path = source(name);
    let header = ["-Winvalid-pch", "-include", standard, &path];
    compile(directory, &[&OBJECT[..], flags, &header].concat(), output);
}

/// Calls the compiler in a directory, unless the output is newer than all sources.
pub(crate) fn compile(directory: &Path, arguments: &[&str], output: &str) {
    let changed =
        |path: &Path| std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    let sources = std::fs::read_dir(source("")).unwrap().flatten();
    let newest = sources.filter_map(|source| changed(&source.path())).max();
    if changed(&directory.join(output)) > newest {
        return;
    }
    let compiled = Command::new("g++")
        .current_dir(directory)
        .args(["-std=c++20", "-O2", "-Wall", "-Wextra", "-o", output])
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("g++ is needed to test the agent: {error}"));
    let errors = String::from_utf8_lossy(&compiled.stderr);
    assert!(compiled.status.success(), "{errors}");
    assert!(!errors.contains("[-Winvalid-pch]"), "{errors}");
}

/// A running host.
pub(crate) struct Host {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// Process id, as the host reports it.
    pub(crate) pid: u32,
}

impl Host {
    /// Starts it with an agent.
    pub(crate) fn start(form: Form) -> Self {
        Self::start_with(form, |command| {
            command.env("LD_PRELOAD", crate::common::library());
        })
    }

    /// Starts it with what `prepare` adds to the command.
    pub(crate) fn start_with(form: Form, prepare: impl FnOnce(&mut Command)) -> Self {
        Self::start_command(|command| {
            command.arg(form.directory().join("libops.so"));
            prepare(command);
        })
    }

    /// Starts it with an agent and these libraries.
    pub(crate) fn start_libraries(libraries: &[PathBuf]) -> Self {
        Self::start_command(|command| {
            command.args(libraries).env("LD_PRELOAD", crate::common::library());
        })
    }

    fn start_command(prepare: impl FnOnce(&mut Command)) -> Self {
        let mut command = Command::new(host());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        prepare(&mut command);
        let mut child = command.spawn().unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut host = Self { child, input, output, pid: 0 };
        host.pid = host.read().parse().unwrap();
        host
    }

    /// Gives it a command and returns its answer.
    pub(crate) fn tell(&mut self, command: &str) -> String {
        self.send(command);
        self.read()
    }

    /// Gives it a command that is not answered.
    pub(crate) fn send(&mut self, command: &str) {
        writeln!(self.input, "{command}").unwrap();
    }

    /// Reads a line of it.
    pub(crate) fn read(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        assert!(line.ends_with('\n'), "the host came to an end, saying {line:?}");
        line.trim().to_owned()
    }

    /// Reads the current segment.
    pub(crate) fn segment(&self) -> Segment {
        crate::common::segment(Path::new(SHM), self.pid)
    }

    /// Reads the segment once its statistics include the last change.
    pub(crate) fn settled(&self) -> Segment {
        crate::common::settled_segment(Path::new(SHM), self.pid)
    }

    /// The statistics of its mesh's allocator: allocated bytes per bank of the four kinds.
    pub(crate) fn statistics(&mut self) -> [u64; 4] {
        let answer = self.tell("statistics");
        let numbers: Vec<u64> = answer.split(' ').map(|number| number.parse().unwrap()).collect();
        numbers.try_into().unwrap()
    }

    /// Kills it as a crash does.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end and returns what it wrote to standard error, which was piped.
    pub(crate) fn wait_with_errors(&mut self) -> (ExitStatus, String) {
        let mut errors = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        (self.child.wait().unwrap(), errors)
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        remove_segment(self.pid);
    }
}

/// The library with the feature `fault-injection`.
pub(crate) fn faulty_library() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fault-injection");
    BUILT.get_or_init(|| crate::common::build(&directory, &["--features", "fault-injection"]))
}

/// Removes the segment of a process that is gone.
pub(crate) fn remove_segment(pid: u32) {
    if let Some(path) = crate::common::segment_path(Path::new(SHM), pid) {
        std::fs::remove_file(path).unwrap();
    }
}
