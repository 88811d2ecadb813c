//! A TPM as provider, against swtpm: another TPM, another boot state, a wrong PIN and a removed TPM are told apart.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use keyhold_keeper::entropy::SystemEntropy;
use keyhold_keeper::providers::tpm::{PROGRAM, Pin, Tpm, TpmError, TpmPlace};
use keyhold_keeper::providers::{HeldProvider, ProviderError, RootProvider as _};
use keyhold_os::secret::{LockedBox, SecretBytes};
use keyhold_protocol::keeper::{Answer, ProviderState};

use crate::fixture::{INSTALL, context};
use crate::operating::{ask, keeper, status, text};
use crate::process::{Program, WITHIN};

const ROOT: [u8; 32] = [0x5A; 32];
const PATIENT: Duration = Duration::from_mins(1);

/// Whether the programs are there; says so loudly when not.
fn provable() -> Option<()> {
    if Path::new(PROGRAM).exists() && Path::new("/usr/bin/swtpm").exists() {
        return Some(());
    }
    eprintln!("NOT PROVEN ON THIS HOST: the TPM provider, without the packages swtpm and tpm2-tools");
    None
}

/// A TPM in software; gone when dropped.
struct Machine {
    child: Child,
    socket: PathBuf,
}

impl Machine {
    fn start(folder: &Path) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let (socket, control) = (folder.join("tpm"), folder.join("tpm.ctrl"));
        let mut command = Command::new("/usr/bin/swtpm");
        command.args(["socket", "--tpm2", "--flags", "not-need-init,startup-clear"]);
        command.arg("--tpmstate").arg(format!("dir={}", folder.display()));
        command.arg("--server").arg(format!("type=unixio,path={}", socket.display()));
        command.arg("--ctrl").arg(format!("type=unixio,path={}", control.display()));
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let deadline = Instant::now() + WITHIN;
        while UnixStream::connect(&control).is_err() {
            assert!(Instant::now() < deadline, "swtpm does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        Self { child, socket }
    }

    fn place(&self) -> TpmPlace {
        TpmPlace { tcti: format!("swtpm:path={}", self.socket.display()), pin_file: None }
    }

    /// Locks after two wrong PINs, for a thousand seconds.
    fn count_strictly(&self) {
        let place = self.place();
        let set = ["dictionarylockout", "-T", &place.tcti, "-s", "-n", "2", "-t", "1000", "-l", "1000"];
        assert!(Command::new(PROGRAM).args(set).status().unwrap().success());
    }

    /// As another boot with other certificates would.
    fn extend(&self) {
        let value = format!("7:sha256={}", "ab".repeat(32));
        let extended = Command::new(PROGRAM).args(["pcrextend", "-T", &self.place().tcti, &value]).status();
        assert!(extended.unwrap().success());
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn root() -> LockedBox<32> {
    LockedBox::take_from(&mut ROOT.clone()).unwrap()
}

fn pin(text: &str) -> Pin {
    Pin::new(&SecretBytes::take_from(&mut text.as_bytes().to_vec()).unwrap()).unwrap()
}

fn fetch(place: &TpmPlace, blob: &[u8], typed: Option<&str>) -> Result<HeldProvider, ProviderError> {
    let tpm = Tpm::at(place)?.with(Path::new(PROGRAM), PATIENT);
    tpm.fetch(blob, || Ok(typed.map(pin)), &mut SystemEntropy)
}

fn error(result: Result<HeldProvider, ProviderError>) -> TpmError {
    match result {
        Err(ProviderError::Tpm(error)) => error,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it did what it should not"),
    }
}

fn enrolled(place: &TpmPlace, pin: Option<&Pin>) -> Vec<u8> {
    let tpm = Tpm::at(place).unwrap().with(Path::new(PROGRAM), PATIENT);
    tpm.make(pin, &mut SystemEntropy).unwrap().wrap(root(), INSTALL, &mut SystemEntropy).unwrap()
}

#[test]
fn a_tpm_opens_on_its_machine_in_its_boot_state_only() {
    let Some(()) = provable() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (Machine::start(&folder.path().join("1")), Machine::start(&folder.path().join("2")));
    let place = one.place();
    let blob = enrolled(&place, None);
    let mut fetched = fetch(&place, &blob, None).unwrap();
    assert_eq!(*fetched.unwrap(&blob, INSTALL).unwrap().expose(), ROOT);
    for bit in 0..blob.len() * 8 {
        let mut changed = blob.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(matches!(fetched.unwrap(&changed, INSTALL), Err(ProviderError::Unopenable)));
    }
    assert!(matches!(error(fetch(&other.place(), &blob, None)), TpmError::OtherTpm));
    one.extend();
    assert!(matches!(error(fetch(&place, &blob, None)), TpmError::OtherBoot));
    assert!(matches!(fetch(&place, &blob[..50], None), Err(ProviderError::Unopenable)));
    drop(one);
    assert!(matches!(error(fetch(&place, &blob, None)), TpmError::Gone));
}

#[test]
fn a_pin_is_wanted_and_the_tpm_counts_wrong_ones() {
    let Some(()) = provable() else { return };
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::start(folder.path());
    let place = machine.place();
    machine.count_strictly();
    let blob = enrolled(&place, Some(&pin("135790")));
    let mut fetched = fetch(&place, &blob, Some("135790")).unwrap();
    assert_eq!(*fetched.unwrap(&blob, INSTALL).unwrap().expose(), ROOT);
    assert!(matches!(error(fetch(&place, &blob, None)), TpmError::PinWanted));
    let mut wrong = 0;
    loop {
        match error(fetch(&place, &blob, Some("135791"))) {
            TpmError::WrongPin => wrong += 1,
            TpmError::Locked => break,
            other => panic!("{other}"),
        }
        assert!(wrong < 8, "the TPM does not lock");
    }
    println!("locked after {wrong} wrong PINs");
    assert_eq!(wrong, 2);
    assert!(matches!(error(fetch(&place, &blob, Some("135790"))), TpmError::Locked));
}

/// Needs no TPM: what stands in for the program hangs, floods, or is not there.
#[test]
fn programs_that_hang_flood_or_are_missing_hold_nothing_up() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("tpm");
    std::fs::write(&socket, "").unwrap();
    let place = TpmPlace { tcti: format!("swtpm:path={}", socket.display()), pin_file: None };
    let program = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
        path
    };
    let with = |program: &Path, within| {
        let tpm = Tpm::at(&place).unwrap().with(program, within);
        error(tpm.make(None, &mut SystemEntropy))
    };
    let hangs = program("hangs", "#!/bin/sh\nexec sleep 600\n");
    assert!(matches!(with(&hangs, Duration::from_millis(200)), TpmError::Slow));
    let closes = program("closes", "#!/bin/sh\nexec sleep 600 >&- 2>&-\n");
    assert!(matches!(with(&closes, Duration::from_millis(200)), TpmError::Slow));
    let floods = program("floods", "#!/bin/sh\nexec yes\n");
    assert!(matches!(with(&floods, PATIENT), TpmError::Odd(_)));
    let fails = program("fails", "#!/bin/sh\necho 'ERROR: Esys_X(0x922) - retry' >&2; exit 1\n");
    assert!(matches!(with(&fails, PATIENT), TpmError::Tool { code: 0x922, .. }));
    assert!(matches!(with(&folder.path().join("none"), PATIENT), TpmError::Programs));
    for bad in ["device:/dev/tpm0", "swtpm:host=10.0.0.1", "swtpm:path=/a,host=b", "mssim", ""] {
        let place = TpmPlace { tcti: bad.to_owned(), pin_file: None };
        assert!(matches!(Tpm::at(&place), Err(TpmError::Place)), "{bad}");
    }
    let removed = TpmPlace { tcti: "device:/dev/tpmrm99".to_owned(), pin_file: None };
    assert!(matches!(Tpm::at(&removed), Err(TpmError::Gone)));
}

/// The program: made with a PIN in a file, started, used, and what it says on another machine.
#[tokio::test]
async fn a_keeper_starts_with_a_tpm() {
    let Some(()) = provable() else { return };
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::start(&folder.path().join("1"));
    let (dir, file) = (folder.path().join("keeper"), folder.path().join("pin"));
    std::fs::write(&file, "135790\n").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let (dir, tcti, install) = (dir.to_str().unwrap(), machine.place().tcti, INSTALL.to_string());
    let init = ["init", "--dir", dir, "--install", &install, "--provider", "tpm2", "--tpm2-tcti", &tcti];
    let made = keeper(&[&init[..], &["--tpm2-pin-file", file.to_str().unwrap()]].concat(), "");
    assert!(made.status.success(), "{}", text(&made));
    let program = Program::start(&folder, &[]).await;
    let Some(Answer::Status(found)) = status(&program).await else { panic!() };
    assert_eq!((found.health[0].kind.as_str(), found.health[0].state), ("tpm2", ProviderState::Ready));
    let context = context(1, 1);
    let (credential, wrapped) = program.import(&context).await;
    assert!(ask(&program, "rekey-root", "").status.success());
    assert!(program.lease_and_open(&context, &wrapped, &credential).await);
    assert_eq!(program.terminate(), Some(0));

    machine.extend();
    let socket = folder.path().join("socket");
    let serve = ["serve", "--dir", dir, "--socket", socket.to_str().unwrap(), "--isolation", "degraded"];
    let refused = keeper(&serve, "");
    assert!(!refused.status.success() && text(&refused).contains("PCR 7"), "{}", text(&refused));
    drop(machine);
    let refused = keeper(&serve, "");
    assert!(!refused.status.success() && text(&refused).contains("no TPM answers"), "{}", text(&refused));
}
