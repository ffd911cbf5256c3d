//! Finds simulation servers: `/tmp/tt-umd-sim-server-<server>/tt-umd-sim-<chip>.sock`.
//!
//! Source: tt-umd 0.9.14, `device/simulation/simulation_server_socket.cpp`.

use ttmem_model::Pid;
use ttmem_model::order;

use ttmem_root::Root;

/// The most directories of servers that are examined.
const MAX_SERVERS: usize = 256;

/// A socket of a server, which may be stale.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// The number of the server.
    pub server: u32,
    /// The number of the chip in that server.
    pub chip: u32,
    /// Path of the socket.
    pub path: String,
}

/// The sockets on this host, by server and chip. None if there are none, or `/tmp` cannot be read. With a user, only
/// those in directories that belong to that user.
#[must_use]
pub fn find(root: &Root, user: Option<u32>) -> Vec<Found> {
    find_below(root, "/tmp", user)
}

/// The sockets that a process sees in its `/tmp`, which is another one in a container. Takes the process's user or
/// root.
#[must_use]
pub(crate) fn find_of_process(root: &Root, pid: Pid, user: Option<u32>) -> Vec<Found> {
    find_below(root, &format!("/proc/{pid}/root/tmp"), user)
}

fn find_below(root: &Root, directory: &str, user: Option<u32>) -> Vec<Found> {
    let servers = numbered(root, directory, "tt-umd-sim-server-", "");
    let is_of_user = |(_, directory): &(u32, String)| {
        user.is_none() || root.entry_status(directory).is_ok_and(|status| status.uid == user)
    };
    let sockets = servers.into_iter().filter(is_of_user).take(MAX_SERVERS);
    let sockets = sockets.flat_map(|(server, directory)| {
        let chips = numbered(root, &directory, "tt-umd-sim-", ".sock");
        chips.into_iter().map(move |(chip, path)| Found { server, chip, path })
    });
    let mut found: Vec<_> = sockets.collect();
    order::sort(&mut found);
    found
}

/// Returns the entries of a directory named `prefix`, a number, `suffix`. No links: any user may create one in `/tmp`.
fn numbered(root: &Root, directory: &str, prefix: &str, suffix: &str) -> Vec<(u32, String)> {
    let names = root.list(directory).unwrap_or_default();
    let named = names.iter().filter_map(|name| {
        let name = name.to_str()?;
        let digits = name.strip_prefix(prefix)?.strip_suffix(suffix)?;
        let plain = digits == "0" || !digits.starts_with(['0', '+']);
        let number = digits.parse().ok().filter(|_| plain)?;
        Some((number, format!("{directory}/{name}")))
    });
    named.filter(|(_, path)| root.link(path).is_err()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ttmem_root::{Entry, Tree};

    #[test]
    fn sockets_are_found_by_their_names_and_links_are_not() {
        let mut tree = Tree::new();
        for path in [
            "/tmp/tt-umd-sim-server-10/tt-umd-sim-0.sock",
            "/tmp/tt-umd-sim-server-2/tt-umd-sim-3.sock",
            "/tmp/tt-umd-sim-server-2/tt-umd-sim-0.sock",
            "/tmp/tt-umd-sim-server-2/tt-umd-sim-00.sock",
            "/tmp/tt-umd-sim-server-2/tt-umd-sim-x.sock",
            "/tmp/tt-umd-sim-server-2x/tt-umd-sim-0.sock",
            "/tmp/other/tt-umd-sim-0.sock",
            "/proc/77/root/tmp/tt-umd-sim-server-0/tt-umd-sim-0.sock",
        ] {
            tree.put(path, Entry::file(""));
        }
        tree.put("/tmp/tt-umd-sim-server-5", Entry::Link("/tmp/other".into()));
        let root = Root::memory(tree);
        let found: Vec<_> = find(&root, None).into_iter().map(|it| (it.server, it.chip)).collect();
        assert_eq!(found, [(2, 0), (2, 3), (10, 0)]);
        assert_eq!(
            find_of_process(&root, Pid(77), None)[0].path,
            "/proc/77/root/tmp/tt-umd-sim-server-0/tt-umd-sim-0.sock"
        );
        assert_eq!(find(&Root::memory(Tree::new()), None), []);
    }

    #[test]
    fn the_sockets_of_one_user_are_those_in_that_users_directories() {
        let folder = tempfile::tempdir().unwrap();
        let server = folder.path().join("tmp/tt-umd-sim-server-3");
        std::fs::create_dir_all(&server).unwrap();
        std::fs::write(server.join("tt-umd-sim-1.sock"), "").unwrap();
        let root = Root::directory(folder.path()).unwrap();
        let own = rustix::process::geteuid().as_raw();
        assert_eq!(find(&root, Some(own)).len(), 1);
        assert_eq!(find(&root, Some(own + 1)), []);
    }
}
