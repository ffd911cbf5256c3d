//! Writes a made-up host into a directory, for `ttmem --root DIR`:
//! `cargo run -p ttmem-fake --example fake_host -- t3000 DIR`.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use ttmem_fake as fake;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [name, directory] => match write(name, Path::new(directory)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => complain(&why),
        },
        _ => complain(&format!("usage: fake_host NAME DIR; names: {}", names().join(", "))),
    }
}

fn names() -> Vec<&'static str> {
    fake::healthy().into_iter().chain(fake::variants()).map(|(name, _)| name).collect()
}

fn write(name: &str, directory: &Path) -> Result<(), String> {
    let mut hosts = fake::healthy().into_iter().chain(fake::variants());
    let (_, tree) = hosts
        .find(|(other, _)| *other == name)
        .ok_or_else(|| format!("no host `{name}`; there are: {}", names().join(", ")))?;
    tree.write_to(directory)
        .map(|_bytes| ())
        .map_err(|error| format!("{}: {error}", directory.display()))
}

fn complain(why: &str) -> ExitCode {
    let _closed = writeln!(std::io::stderr(), "fake_host: {why}");
    ExitCode::from(2)
}
