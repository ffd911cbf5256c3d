//! Names of users from `/etc/passwd`.

use std::collections::BTreeMap;

use ttmem_root::Root;

/// The names of users, read when the first is asked for. Directory services are not asked: that may go over a
/// network, and a monitor must not wait for one.
#[derive(Debug, Default)]
pub struct Users {
    names: Option<BTreeMap<u32, String>>,
}

impl Users {
    /// The name of a user, or the number where `/etc/passwd` has no name.
    pub fn name(&mut self, root: &Root, uid: u32) -> String {
        let names = self.names.get_or_insert_with(|| read(root));
        names.get(&uid).cloned().unwrap_or_else(|| uid.to_string())
    }
}

fn read(root: &Root) -> BTreeMap<u32, String> {
    let Ok(file) = root.read("/etc/passwd", 1 << 20) else { return BTreeMap::new() };
    let mut names = BTreeMap::new();
    for line in String::from_utf8_lossy(&file.bytes).lines() {
        let mut fields = line.split(':');
        let name = fields.next().unwrap_or_default();
        if let Some(uid) = fields.nth(1).and_then(|uid| uid.parse().ok()) {
            // The first line of a number counts, as for getpwuid(3).
            names.entry(uid).or_insert_with(|| name.to_owned());
        }
    }
    names
}
