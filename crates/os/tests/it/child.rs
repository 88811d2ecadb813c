//! The roles a child of the tests can play. A role prints `key=value` lines and leaves.
//!
//! Roles start from the C library's list of functions to call before `main`, because the test harness runs tests on
//! threads of their own and the code under test insists on there being one.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream, ToSocketAddrs};
use std::os::fd::IntoRawFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use keyhold_os::harden::{Descriptors, EarlyOptions, Environment, harden_early, is_dumpable};
use keyhold_os::limits::Limits;
use keyhold_os::privileges::{Identity, drop_to};
use keyhold_os::sandbox::{
    Accept, IsolationPolicy, NameResolution, Network, Profile, UnixConnect, apply, enter,
};
use keyhold_os::secret::SecretBytes;

use crate::lanes::{ROLE, UNUSED};
use crate::memory;

#[used]
// SAFETY: the section holds pointers to functions that the C library calls before `main`; this is one.
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = before_main;

extern "C" fn before_main() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let role: fn() = match role.as_str() {
        "harden" => harden,
        "drop" => dropping,
        "status" => status,
        "jail" => jail,
        "armed" => armed,
        "work" => work,
        "reach" => reach,
        "secret" => secret,
        "residue" => residue,
        "peer" => peer,
        "threads" => threads,
        "names" => names,
        "connect" => connect,
        other => panic!("unknown role {other}"),
    };
    role();
    std::process::exit(0);
}

fn say(key: &str, value: impl std::fmt::Display) {
    println!("{key}={value}");
}

fn setting(name: &str) -> String {
    std::env::var(name).unwrap()
}

/// Waits until the parent closes standard input.
fn wait_for_parent() {
    std::io::stdout().flush().unwrap();
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

fn say_status() {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    for line in status.lines() {
        if let Some((key, value)) = line.split_once(':') {
            say(key, value.split_whitespace().collect::<Vec<_>>().join(" "));
        }
    }
}

fn status() {
    say("session_leader", session() == i64::from(rustix::process::getpid().as_raw_pid()));
    say("descriptors", open_descriptors());
    say("core_limit", format!("{:?}", rustix::process::getrlimit(rustix::process::Resource::Core).maximum));
    say("parent_death", format!("{:?}", rustix::process::parent_process_death_signal().unwrap()));
    say_status();
}

/// Number of this process's session: field 6 of proc(5)'s `stat`. It is 0 when the session's leader is outside of this
/// PID namespace (a container's first process), which the typed call does not expect.
fn session() -> i64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let (_, after_name) = stat.rsplit_once(") ").unwrap();
    after_name.split(' ').nth(3).unwrap().parse().unwrap()
}

/// Numbers of the open descriptors, without the one used to list them.
fn open_descriptors() -> String {
    let mut numbers: Vec<i32> =
        (0..64).filter(|number| fs::read_link(format!("/proc/self/fd/{number}")).is_ok()).collect();
    numbers.sort_unstable();
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

fn harden() {
    // Nobody owns it any more: hardening must find it by itself.
    let _stray = fs::File::open("/dev/null").unwrap().into_raw_fd();
    say("stray_before", open_descriptors());
    say("environ_before", fs::read("/proc/self/environ").unwrap().iter().filter(|byte| **byte != 0).count());
    say("dumpable_before", is_dumpable().unwrap());
    let limits = Limits { open_files: Some(77), ..Limits::default() };
    let options =
        EarlyOptions { environment: Environment::Clear, descriptors: Descriptors::Keep(&[]), limits };
    let hardened = harden_early(options).unwrap();
    say("write_or_execute", format!("{:?}", hardened.write_or_execute));
    say("dumpable", is_dumpable().unwrap());
    say("twice", harden_early(options).unwrap_err());
    say("variables", std::env::vars().count());
    say("stray", open_descriptors());
    say("open_files", rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum.unwrap());
    // Not dumpable, /proc/self belongs to root: an unprivileged user cannot even read its own environment there.
    let environ = fs::read("/proc/self/environ");
    say("environ", environ.map_or(0, |bytes| bytes.iter().filter(|byte| **byte != 0).count()));
    let status = fs::read_to_string("/proc/self/status").unwrap();
    say("no_new_privs", status.lines().any(|line| line.replace('\t', "") == "NoNewPrivs:1"));
}

fn dropping() {
    drop_to(Identity::new(UNUSED, UNUSED).unwrap()).unwrap();
    say("regained", rustix::thread::set_thread_uid(rustix::process::Uid::ROOT).is_ok());
    say_status();
}

/// Works inside the sandbox too.
fn descriptor_count() -> i32 {
    // SAFETY: asks for the flags of numbers that may or may not be descriptors.
    (0..64).map(|number| i32::from(unsafe { libc::fcntl(number, libc::F_GETFD) } >= 0)).sum()
}

fn granted(network: Network) -> Profile {
    let folder = PathBuf::from(setting("FOLDER"));
    Profile {
        read_paths: vec![folder.join("readable")],
        write_paths: vec![folder.join("own")],
        network,
        unix_connect: UnixConnect::Refused,
        accept: Accept::Refused,
    }
}

fn ports() -> Network {
    match std::env::var("PORT") {
        Ok(port) => {
            Network::TcpConnect { ports: vec![port.parse().unwrap()], names: NameResolution::Refused }
        }
        Err(_) => Network::None,
    }
}

fn jail() {
    let before = descriptor_count();
    let applied = apply(&granted(ports())).unwrap();
    let report = applied.self_test();
    say("left_open", descriptor_count() - before);
    for (probe, outcome) in report.results() {
        say(probe.as_str(), outcome.as_str());
    }
    say("isolation", format!("{:?}", applied.isolation(&report)));
    say("landlock", format!("{:?}", applied.landlock));
    say("seccomp", format!("{:?}", applied.seccomp));
}

/// Inside and armed, tries to run a program.
fn armed() {
    enter(&granted(Network::None), IsolationPolicy::RequireFull).unwrap();
    say("entered", "yes");
    std::io::stdout().flush().unwrap();
    let error = std::os::unix::process::CommandExt::exec(&mut std::process::Command::new("/bin/true"));
    say("survived", error);
}

/// What a bot needs must still be possible.
fn work() {
    let port: u16 = setting("PORT").parse().unwrap();
    let other: u16 = setting("OTHER_PORT").parse().unwrap();
    let folder = PathBuf::from(setting("FOLDER"));
    say("port_before", TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok());
    say("other_port_before", TcpStream::connect((Ipv4Addr::LOCALHOST, other)).is_ok());
    enter(&granted(ports()), IsolationPolicy::RequireFull).unwrap();

    let echoed = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).and_then(|mut stream| {
        stream.set_nodelay(true)?;
        stream.write_all(b"ping")?;
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).map(|()| answer == *b"ping")
    });
    say("port", echoed.unwrap());
    say("other_port", TcpStream::connect((Ipv4Addr::LOCALHOST, other)).unwrap_err().kind());
    say("read", fs::read_to_string(folder.join("readable")).unwrap());
    say("write_readable", fs::write(folder.join("readable"), "x").unwrap_err().kind());
    let (draft, file) = (folder.join("own/draft"), folder.join("own/file"));
    fs::write(&draft, "kept").and_then(|()| fs::rename(&draft, &file)).unwrap();
    say("write", fs::read_to_string(&file).unwrap());
    fs::remove_file(&file).unwrap();
    say("thread", std::thread::spawn(|| fs::read("/etc/passwd").unwrap_err().kind()).join().unwrap());
    say("fork", std::process::Command::new("/bin/true").spawn().unwrap_err().kind());
    let (mut near, mut far) = UnixStream::pair().unwrap();
    near.write_all(b"!").and_then(|()| far.read_exact(&mut [0])).unwrap();
    say("pair", true);
    let secret = SecretBytes::take_from(&mut [1, 2, 3]).unwrap();
    say("secret", secret.protection().as_str());
}

/// As an attacker would: data to a port outside the grants, past Landlock's rule.
fn reach() {
    if std::env::var("JAILED").is_ok() {
        enter(&granted(ports()), IsolationPolicy::RequireFull).unwrap();
    }
    let other: u16 = setting("OTHER_PORT").parse().unwrap();
    say("multipath", crate::sandboxing::multipath_connect(other));
    say("fast_open", crate::sandboxing::fast_open_send(other));
}

fn secret() {
    let sealed = memory::Pattern::SEALED;
    let secret = SecretBytes::fill_with::<()>(memory::LENGTH, |bytes| {
        sealed.write_to(bytes);
        Ok(bytes.len())
    })
    .unwrap();
    let mut ordinary = vec![0; memory::LENGTH];
    memory::Pattern::ORDINARY.write_to(&mut ordinary);
    say("protection", secret.protection().as_str());
    say("right", memory::count_in(secret.expose(), sealed));
    wait_for_parent();
    assert_eq!(ordinary.len(), secret.len());
}

fn residue() {
    memory::leave_behind(&keyhold_os::allocator::ZeroizingAllocator, memory::Pattern::SEALED);
    let mut grown = Vec::new();
    let mut piece = [0; memory::LENGTH];
    memory::Pattern::GROWN.write_to(&mut piece);
    for _ in 0..512 {
        grown.extend_from_slice(&piece);
    }
    keyhold_os::secret::wipe(&mut piece);
    say("grown_while_alive", memory::count_in(&grown, memory::Pattern::GROWN));
    drop(grown);
    // Last, so that nobody overwrites what it leaves.
    memory::leave_behind(&std::alloc::System, memory::Pattern::ORDINARY);
    say("system", memory::count_in_process("self", memory::Pattern::ORDINARY));
    say("zeroizing", memory::count_in_process("self", memory::Pattern::SEALED));
    say("grown", memory::count_in_process("self", memory::Pattern::GROWN));
}

/// Connects by itself, after all drops, and stays until told to go.
fn peer() {
    let socket = UnixStream::connect(setting("SOCKET")).unwrap();
    wait_for_parent();
    drop(socket);
}

/// How many threads can be started, up to a few.
fn threads() {
    let (_keep, gate) = std::sync::mpsc::channel::<()>();
    let gate = std::sync::Arc::new(std::sync::Mutex::new(gate));
    let started = (0..16)
        .take_while(|_| {
            let gate = gate.clone();
            std::thread::Builder::new().spawn(move || gate.lock().unwrap().recv()).is_ok()
        })
        .count();
    say("threads", started);
    wait_for_parent();
}

/// Looks a name up inside, and tells what that costs.
fn names() {
    let network = Network::TcpConnect { ports: vec![443], names: NameResolution::Allowed };
    let jailed = enter(&granted(network), IsolationPolicy::RequireFull).unwrap();
    say("limitations", format!("{:?}", jailed.limitations));
    let found = ("localhost", 443).to_socket_addrs().map(|addresses| addresses.count() > 0);
    say("found", found.unwrap());
    say("passwd", fs::read("/etc/passwd").unwrap_err().kind());
    // Answered by nobody, but the way to ask is open.
    let asked = std::net::UdpSocket::bind("127.0.0.1:0").map(drop);
    say("bind", asked.unwrap_err().kind());
}

/// Connects to a UNIX socket inside, where granted, and accepts on a listener from before.
fn connect() {
    let (socket, own) =
        (PathBuf::from(setting("SOCKET")), PathBuf::from(setting("FOLDER")).join("own/listener"));
    let listener = std::os::unix::net::UnixListener::bind(&own).unwrap();
    let profile = Profile {
        unix_connect: UnixConnect::To(vec![socket.clone(), own.clone()]),
        accept: Accept::FromOpenListeners,
        ..granted(Network::None)
    };
    let jailed = enter(&profile, IsolationPolicy::RequireFull).unwrap();
    say("limitations", format!("{:?}", jailed.limitations));
    say("connected", UnixStream::connect(&socket).is_ok());
    let near = UnixStream::connect(&own).unwrap();
    say("accepted", listener.accept().is_ok());
    drop(near);
    let new = PathBuf::from(setting("FOLDER")).join("own/new");
    say("listen", std::os::unix::net::UnixListener::bind(new).unwrap_err().kind());
    say("tcp", TcpStream::connect((Ipv4Addr::LOCALHOST, 1)).unwrap_err().kind());
}
