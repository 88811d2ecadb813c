//! Who is at the other end of a socket.

use std::io::Read;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use keyhold_os::peer::{Peer, PeerError, credentials};
use keyhold_os::pidfd::{PidFd, Signal, Waited};
use keyhold_os::privileges::is_root;
use keyhold_os::spawn::{ChildOptions, spawn_as};

use crate::lanes::{Lane, command, lanes, loudly, own_folder};

const DEADLINE: Duration = Duration::from_secs(30);

/// A child that connects by itself, after its launch.
fn connected(lane: Lane) -> (std::process::Child, UnixStream) {
    let folder = own_folder(lane);
    let path = folder.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    if let Some(identity) = lane.0 {
        std::os::unix::fs::chown(&path, Some(identity.uid()), Some(identity.gid())).unwrap();
    }
    let options = ChildOptions { identity: lane.0, ..ChildOptions::default() };
    let child = spawn_as(&mut command("peer", &[("SOCKET", path.to_str().unwrap())]), options).unwrap();
    (child, listener.accept().unwrap().0)
}

#[test]
fn a_peer_is_identified_and_its_end_noticed() {
    for lane in lanes() {
        let (mut child, socket) = connected(lane);
        let peer = Peer::of(&socket).unwrap();
        assert_eq!(peer.credentials().pid, child.id());
        if let Some(identity) = lane.0 {
            assert_eq!((peer.credentials().uid, peer.credentials().gid), (identity.uid(), identity.gid()));
        }
        let mut program = Vec::new();
        peer.executable().unwrap().read_to_end(&mut program).unwrap();
        assert!(
            program == std::fs::read(std::env::current_exe().unwrap()).unwrap(),
            "the very program it runs"
        );
        assert!(peer.start_ticks().unwrap() > 0);
        assert_eq!(peer.handle().wait(Duration::ZERO).unwrap(), Waited::StillRunning);

        drop(child.stdin.take());
        assert_eq!(peer.handle().wait(DEADLINE).unwrap(), Waited::Ended);
        assert!(child.wait().unwrap().success());
        assert!(matches!(peer.start_ticks(), Err(PeerError::Ended { .. } | PeerError::Process(_))));
    }
}

#[test]
fn a_process_can_be_signaled_by_descriptor() {
    let (mut child, _socket) = connected(crate::lanes::unprivileged());
    let handle = PidFd::open(child.id()).unwrap();
    handle.signal(Signal::KILL).unwrap();
    assert_eq!(handle.wait(DEADLINE).unwrap(), Waited::Ended);
    assert!(!child.wait().unwrap().success());
    assert!(handle.signal(Signal::TERM).unwrap_err().is_gone());
}

#[test]
fn an_inherited_pair_tells_only_who_made_it() {
    if !is_root() {
        loudly("not root: that a socket pair shows its maker is NOT PROVEN here");
        return;
    }
    let (near, _far) = UnixStream::pair().unwrap();
    assert_eq!(credentials(&near).unwrap().pid, std::process::id());
}

#[test]
fn sockets_that_have_no_peer_process_are_an_error() {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    assert!(matches!(Peer::of(&socket), Err(PeerError::ForeignNamespace | PeerError::Socket { .. })));
    assert!(PidFd::open(0).unwrap_err().is_gone());
}
