//! A stage for `ttmem-test-driver`: a device with the L1 of a capture, its owners, and an injected error.
//!
//! A test that runs on a stage starts its own binary again, with the stand-in preloaded: see [`Stage::play`].

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::Value;

use crate::capture::Chip;

/// The variable that tells a test binary which scene to run on a stage.
pub const SCENE: &str = "TTMEM_TEST_SCENE";

/// The number of the staged device. High, so that it does not exist on a host with devices.
pub const DEVICE: u32 = 61;

/// The owner that a stage has by default: a process that runs TT-Metal.
pub const OWNER: u32 = 4242;

/// A stage.
#[derive(Debug)]
pub struct Stage {
    directory: tempfile::TempDir,
    settings: Vec<(String, String)>,
}

/// The result of a scene.
#[derive(Debug)]
pub struct Ending {
    /// The status and output of the program.
    pub output: Output,
    /// The lines of the stand-in's report.
    pub report: Vec<String>,
}

impl Stage {
    /// Creates a device with the cores of this chip that are not harvested, owned by TT-Metal.
    #[must_use]
    pub fn new(chip: &Chip) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let cores = directory.path().join("cores");
        std::fs::create_dir(&cores).unwrap();
        for core in &chip.cores {
            if let Some((x, y)) = chip.translated(core) {
                core.write_l1(&cores.join(format!("{x}-{y}"))).unwrap();
            }
        }
        std::fs::write(cores.join("ones"), vec![0xFF; chip.l1_bytes]).unwrap();
        let (pci_device, window, first) = match chip.arch {
            2 => (0x401E, 1 << 20, "18-18"),
            _ => (0xB140, 1 << 21, "1-2"),
        };
        let mut stage = Self { directory, settings: Vec::new() };
        stage.set("device", DEVICE).set("pci_device", pci_device).set("window", window);
        stage.set("first", first).set("l1_bytes", chip.l1_bytes).set("owners", OWNER);
        let library = "7f0000000000-7f0000001000 r-xp 00000000 08:01 99 /opt/ttnn/libtt_metal.so\n";
        stage.file(&format!("proc/{OWNER}/maps"), library);
        let stat = format!("{OWNER} (python3) S 1 1 1 0 -1 0 0 0 0 0 1 1 0 0 20 0 1 0 700 0 0\n");
        stage.file(&format!("proc/{OWNER}/stat"), &stat);
        let files = stage.directory.path().join(format!("root/proc/{OWNER}/fd"));
        std::fs::create_dir(&files).unwrap();
        std::os::unix::fs::symlink(format!("/dev/tenstorrent/{DEVICE}"), files.join("9")).unwrap();
        stage
    }

    /// Changes a setting; the stand-in's documentation lists them.
    pub fn set(&mut self, key: &str, value: impl std::fmt::Display) -> &mut Self {
        self.settings.push((key.to_owned(), value.to_string()));
        self
    }

    /// Adds a file of the host. The path does not start with a slash.
    pub fn file(&mut self, path: &str, content: &str) -> &mut Self {
        let path = self.directory.path().join("root").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        self
    }

    /// Returns a directory that scene and test share.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Runs a program on the stage.
    #[must_use]
    pub fn run(&self, command: &mut Command) -> Ending {
        let settings: String =
            self.settings.iter().map(|(key, value)| format!("{key}={value}\n")).collect();
        std::fs::write(self.directory().join("settings"), settings).unwrap();
        let output = command
            .env("LD_PRELOAD", driver())
            .env("TTMEM_TEST_DRIVER", self.directory())
            .output()
            .unwrap();
        let report = std::fs::read_to_string(self.directory().join("report")).unwrap_or_default();
        Ending { output, report: report.lines().map(str::to_owned).collect() }
    }

    /// Runs a scene of the calling test binary on the stage. That binary must have a test `scene`, which runs the scene
    /// named by [`SCENE`], and does nothing if it is not set.
    #[must_use]
    pub fn play(&self, scene: &str) -> Ending {
        self.run(scene_command().env(SCENE, scene))
    }
}

impl Ending {
    /// Returns the violations of the program.
    #[must_use]
    pub fn violations(&self) -> Vec<&str> {
        let lines = self.report.iter().map(String::as_str);
        lines.filter_map(|line| line.strip_prefix("violation: ")).collect()
    }

    /// Returns the other lines of the report.
    #[must_use]
    pub fn steps(&self) -> Vec<&str> {
        let lines = self.report.iter().map(String::as_str);
        lines.filter(|line| !line.starts_with("violation")).collect()
    }
}

/// Returns a command that runs the test `scene` of the calling test binary.
#[must_use]
pub fn scene_command() -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["scene", "--exact", "--nocapture", "--test-threads=1"]);
    command
}

/// Returns the stand-in, built on demand: cargo builds no `cdylib` for the tests of another package.
fn driver() -> &'static Path {
    static DRIVER: OnceLock<PathBuf> = OnceLock::new();
    DRIVER.get_or_init(|| {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args(["build", "--package", "ttmem-test-driver", "--message-format", "json"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("cargo runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let messages = String::from_utf8(output.stdout).unwrap();
        let mut library = messages.lines().filter_map(|line| {
            let message: Value = serde_json::from_str(line).ok()?;
            let ours = message["target"]["name"] == "ttmem_test_driver";
            let names = message["filenames"].as_array().filter(|_| ours)?.iter();
            names.filter_map(Value::as_str).find(|name| name.ends_with(".so")).map(PathBuf::from)
        });
        library.next_back().expect("cargo names the library")
    })
}
