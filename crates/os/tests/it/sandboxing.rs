//! The sandbox from inside: what a bot needs works, what an attacker needs does not.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::ExitStatusExt;

use crate::lanes::{Lane, hear, lanes, own_folder, run};

/// A listener on a port of its own that answers what it hears, for as long as the test program runs.
fn echo() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut heard = [0; 4];
            let mut stream = stream.unwrap();
            // A peer that leaves without a word is part of the tests.
            if stream.read_exact(&mut heard).is_ok() {
                stream.write_all(&heard).unwrap();
            }
        }
    });
    port.to_string()
}

/// A folder with a readable file and a directory of the user's own.
fn folder(lane: Lane) -> tempfile::TempDir {
    let folder = own_folder(lane);
    std::fs::write(folder.path().join("readable"), "content").unwrap();
    let own = folder.path().join("own");
    std::fs::create_dir(&own).unwrap();
    if let Some(identity) = lane.0 {
        for path in [own, folder.path().join("readable")] {
            std::os::unix::fs::chown(path, Some(identity.uid()), Some(identity.gid())).unwrap();
        }
    }
    folder
}

#[test]
fn every_probe_is_refused_inside() {
    for lane in lanes() {
        let folder = folder(lane);
        let path = folder.path().to_str().unwrap();
        for settings in [vec![("FOLDER", path)], vec![("FOLDER", path), ("PORT", "443")]] {
            let said = hear("jail", lane, &settings);
            assert_eq!(said["isolation"], "Full", "as {lane:?} with {settings:?}: {said:#?}");
            assert!(!said.values().any(|outcome| outcome == "ALLOWED"));
            assert_eq!(said["left_open"], "0", "the self-test leaves nothing behind");
            // Positive controls: these were possible before for every user, so it is the sandbox that refuses.
            for probe in [
                "read_file_outside",
                "create_file_outside",
                "tcp_connect_outside",
                "tcp_listen",
                "mptcp_socket",
                "tcp_fastopen_send",
                "tcp_fastopen_option",
                "udp_socket",
                "unix_socket",
                "netlink_socket",
                "execve",
                "execveat",
                "fork",
                "fork_clone3",
                "ptrace",
                "process_vm_readv",
                "pidfd_getfd",
                "keyctl",
                "unshare",
                "setns",
                "executable_memory",
                "become_dumpable",
                "set_resource_limit",
            ] {
                assert_eq!(said[probe], "refused", "{probe} as {lane:?} with {settings:?}");
            }
        }
    }
}

#[test]
fn a_bot_can_do_its_work() {
    let (port, other) = (echo(), echo());
    for lane in lanes() {
        let folder = folder(lane);
        let path = folder.path().to_str().unwrap();
        let said = hear("work", lane, &[("FOLDER", path), ("PORT", &port), ("OTHER_PORT", &other)]);
        assert_eq!((said["port_before"].as_str(), said["other_port_before"].as_str()), ("true", "true"));
        assert_eq!((said["port"].as_str(), said["other_port"].as_str()), ("true", "permission denied"));
        assert_eq!((said["read"].as_str(), said["write"].as_str()), ("content", "kept"));
        assert_eq!(said["write_readable"], "permission denied");
        assert_eq!(
            (said["thread"].as_str(), said["fork"].as_str()),
            ("permission denied", "permission denied")
        );
        assert_eq!(said["pair"], "true");
    }
}

#[test]
fn the_ways_around_the_port_rule_are_closed() {
    let (port, other) = (echo(), echo());
    for lane in lanes() {
        let folder = folder(lane);
        let path = folder.path().to_str().unwrap();
        let settings = [("FOLDER", path), ("PORT", &*port), ("OTHER_PORT", &*other)];
        let open = hear("reach", lane, &settings);
        assert_eq!(open["fast_open"], "sent", "positive control");
        assert!(["sent", "no such protocol"].contains(&&*open["multipath"]), "positive control: {open:?}");
        let jailed = hear("reach", lane, &[settings.as_slice(), &[("JAILED", "yes")]].concat());
        assert_eq!((&*jailed["multipath"], &*jailed["fast_open"]), ("refused", "refused"), "as {lane:?}");
    }
}

#[test]
fn names_can_be_looked_up_where_granted() {
    for lane in lanes() {
        let folder = folder(lane);
        let said = hear("names", lane, &[("FOLDER", folder.path().to_str().unwrap())]);
        assert_eq!(said["limitations"], "[UdpToAnyHost]", "what is open besides is said");
        assert_eq!((said["found"].as_str(), said["passwd"].as_str()), ("true", "permission denied"));
        assert_eq!(said["bind"], "permission denied");
    }
}

#[test]
fn unix_sockets_can_be_reached_where_granted() {
    for lane in lanes() {
        let folder = folder(lane);
        let path = folder.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
        let settings = [("FOLDER", folder.path().to_str().unwrap()), ("SOCKET", path.to_str().unwrap())];
        let said = hear("connect", lane, &settings);
        assert!(["[]", "[AnyUnixSocket]"].contains(&&*said["limitations"]));
        assert_eq!((said["connected"].as_str(), said["accepted"].as_str()), ("true", "true"));
        assert_eq!(
            (said["listen"].as_str(), said["tcp"].as_str()),
            ("permission denied", "permission denied")
        );
    }
}

#[test]
fn once_armed_running_a_program_ends_the_process() {
    for lane in lanes() {
        let folder = folder(lane);
        let output = run("armed", lane, &[("FOLDER", folder.path().to_str().unwrap())]);
        assert_eq!(String::from_utf8_lossy(&output.stdout), "entered=yes\n");
        assert_eq!(output.status.signal(), Some(libc::SIGSYS), "{}", output.status);
    }
}

#[test]
fn a_process_with_threads_is_not_let_in() {
    let refused =
        std::thread::spawn(|| keyhold_os::sandbox::apply(&keyhold_os::sandbox::Profile::default()).map(drop));
    let error = refused.join().unwrap().unwrap_err();
    assert!(matches!(error, keyhold_os::sandbox::SandboxError::ThreadsRunning { .. }), "{error}");
}

fn address(port: u16) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET.try_into().unwrap(),
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from(Ipv4Addr::LOCALHOST).to_be() },
        sin_zero: [0; 8],
    }
}

fn answered(result: isize) -> &'static str {
    if result >= 0 {
        return "sent";
    }
    match std::io::Error::last_os_error().raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => "refused",
        Some(libc::EPROTONOSUPPORT | libc::ENOPROTOOPT) => "no such protocol",
        _ => "failed",
    }
}

/// Connects by Multipath TCP and sends a byte.
pub(crate) fn multipath_connect(port: u16) -> &'static str {
    let address = address(port);
    // SAFETY: the address and the byte outlive the calls; the descriptor is left to the end of the process.
    unsafe {
        let socket = libc::socket(libc::AF_INET, libc::SOCK_STREAM, libc::IPPROTO_MPTCP);
        if socket < 0 {
            return answered(-1);
        }
        let connected = libc::connect(socket, (&raw const address).cast(), 16);
        if connected < 0 { answered(-1) } else { answered(libc::send(socket, b"!".as_ptr().cast(), 1, 0)) }
    }
}

/// Sends a byte together with the connection request.
pub(crate) fn fast_open_send(port: u16) -> &'static str {
    let address = address(port);
    // SAFETY: as above.
    unsafe {
        let socket = libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0);
        let (byte, to) = (b"!".as_ptr().cast(), (&raw const address).cast());
        answered(libc::sendto(socket, byte, 1, libc::MSG_FASTOPEN, to, 16))
    }
}
