//! The open connections: bounded in all and for each peer. A peer on the loopback interface is a user, any other an address.

use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use ttmem_root::Root;

/// The most connections.
pub(super) const MAX_CONNECTIONS: usize = 64;
/// The most connections of one peer, and the number from which peers are distinguished.
pub(super) const MAX_OF_PEER: usize = 16;
/// The most bytes of the kernel's list of connections that are searched.
const MAX_LIST_BYTES: usize = 16 << 20;

/// The open connections of a server.
#[derive(Debug)]
pub(super) struct Connections {
    open: Mutex<Vec<Open>>,
    /// The server's own port.
    port: u16,
}

#[derive(Debug)]
struct Open {
    id: u64,
    from: SocketAddr,
    peer: Option<Peer>,
    /// Stream of the connection, kept to shut it down.
    stream: TcpStream,
    /// True until its request is read.
    is_idle: bool,
}

/// The other side of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Peer {
    User(u32),
    Address(IpAddr),
}

/// A connection that is counted until this is dropped.
#[derive(Debug)]
pub(super) struct Admission {
    connections: Arc<Connections>,
    id: u64,
}

impl Connections {
    pub(super) fn new(port: u16) -> Arc<Self> {
        Arc::new(Self { open: Mutex::new(Vec::new()), port })
    }

    /// Counts a connection. Where there are too many, ends the oldest that has sent no request: of the same peer, or of the
    /// peer with the most. `None` if there is none to end.
    pub(super) fn admit(
        self: &Arc<Self>,
        stream: &TcpStream,
        from: SocketAddr,
    ) -> Option<Admission> {
        let stream = stream.try_clone().ok()?;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let id = open.last().map_or(0, |newest| newest.id + 1);
        open.push(Open { id, from, peer: None, stream, is_idle: true });
        if open.len() > MAX_OF_PEER {
            self.identify(&mut open);
            if let Some(peer) = crowded(&open) {
                let end = open.iter().position(|one| one.is_idle && one.peer == Some(peer));
                let ended = end.map(|index| open.remove(index));
                match ended {
                    Some(ended) if ended.id != id => drop(ended.stream.shutdown(Shutdown::Both)),
                    Some(_) => return None,
                    None => {
                        open.pop();
                        return None;
                    }
                }
            }
        }
        Some(Admission { connections: Arc::clone(self), id })
    }

    /// Finds out whose the connections are.
    fn identify(&self, open: &mut [Open]) {
        let list = |path| {
            let file = Root::system().read(path, MAX_LIST_BYTES);
            file.map(|file| String::from_utf8_lossy(&file.bytes).into_owned()).unwrap_or_default()
        };
        let mut lists = None;
        for one in open.iter_mut().filter(|one| one.peer.is_none()) {
            let address = one.from.ip().to_canonical();
            let user = address.is_loopback().then(|| {
                let lists =
                    lists.get_or_insert_with(|| list("/proc/net/tcp") + &list("/proc/net/tcp6"));
                user_of(lists, one.from.port(), self.port)
            });
            one.peer = Some(user.flatten().map_or(Peer::Address(address), Peer::User));
        }
    }
}

/// The peer that has too many connections, if one has, or there are too many in all.
fn crowded(open: &[Open]) -> Option<Peer> {
    let count = |peer: Peer| open.iter().filter(|one| one.peer == Some(peer)).count();
    let peers = open.iter().filter_map(|one| one.peer);
    let most = peers.max_by_key(|peer| count(*peer))?;
    (count(most) > MAX_OF_PEER || open.len() > MAX_CONNECTIONS).then_some(most)
}

/// Returns the user whose socket has a port of this machine and is connected to another, from `/proc/net/tcp` (proc(5)).
fn user_of(list: &str, port: u16, server: u16) -> Option<u32> {
    list.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let port_in = |field: usize| {
            let (_, port) = fields.get(field)?.rsplit_once(':')?;
            u16::from_str_radix(port, 16).ok()
        };
        (port_in(1)? == port && port_in(2)? == server).then(|| fields.get(7)?.parse().ok())?
    })
}

impl Admission {
    /// Notes that the request was read: the connection is not ended for another one.
    pub(super) fn note_request(&self) {
        let mut open = self.connections.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = open.iter_mut().find(|one| one.id == self.id) {
            own.is_idle = false;
        }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut open = self.connections.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|one| one.id != self.id);
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn the_user_of_a_connection_is_in_the_kernels_list() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        let client = TcpStream::connect(server).unwrap();
        let list = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let own = rustix::process::geteuid().as_raw();
        let port = client.local_addr().unwrap().port();
        assert_eq!(user_of(&list, port, server.port()), Some(own));
        assert_eq!(user_of(&list, port, server.port().wrapping_add(1)), None);
    }

    #[test]
    fn the_peer_with_the_most_gives_way() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stream = TcpStream::connect(address).unwrap();
        let connections = Connections::new(address.port());
        let mut admissions = Vec::new();
        let mut admit = |host: u8| {
            let from = SocketAddr::from(([10, 0, 0, host], 9));
            let admission = connections.admit(&stream, from);
            let is_in = admission.is_some();
            admissions.extend(admission);
            is_in
        };
        for _ in 0..40 {
            assert!(admit(66));
        }
        for host in 1..=60 {
            assert!(admit(host));
        }
        let open = connections.open.lock().unwrap();
        let of = |host: u8| {
            open.iter().filter(move |one| one.from.ip() == IpAddr::from([10, 0, 0, host]))
        };
        assert_eq!(open.len(), MAX_CONNECTIONS);
        assert!(of(66).count() <= MAX_OF_PEER);
        assert!((1..=60).all(|host| of(host).count() == 1));
    }
}
