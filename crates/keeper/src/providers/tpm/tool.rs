//! Runs one program of tpm2-tools: bounded in time and output, secrets through pipes only.
//!
//! The environment is empty, arguments name files of the working folder and nothing secret. What the program says about a
//! failure is read for the TPM's code (TPM 2.0 Library, part 2, section 6.6) and otherwise dropped.

use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use keyhold_os::secret::SecretBytes;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::BorrowedFd;
use rustix::io::{Errno, ioctl_fionbio, read};

use super::TpmError;

/// Debian's package tpm2-tools puts it there.
pub const PROGRAM: &str = "/usr/bin/tpm2";
/// Most that is read from a program, in bytes.
const MOST: usize = 8 * 1024;
/// Pause while a program that closed its output ends.
const ENDING: Duration = Duration::from_millis(5);

/// A folder to work in, a TPM, and when patience ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tools<'a> {
    pub(super) program: &'a Path,
    pub(super) folder: &'a Path,
    pub(super) tcti: &'a str,
    pub(super) until: Instant,
}

impl Tools<'_> {
    /// Runs `tpm2 <arguments>` with `input` on its standard input; what it wrote to standard output.
    ///
    /// # Errors
    /// [`TpmError`].
    pub(super) fn run(&self, arguments: &[&str], input: &[u8]) -> Result<SecretBytes, TpmError> {
        let (tool, rest) = arguments.split_first().expect("a tool is always named");
        let mut command = Command::new(self.program);
        command.arg(tool).args(["-T", self.tcti]).args(rest).env_clear().current_dir(self.folder);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => TpmError::Programs,
            _ => TpmError::Run(error),
        })?;
        let ended = self.talk(&mut child, input);
        if ended.is_err() {
            // It may have ended by itself; then there is nothing to kill.
            child.kill().ok();
            child.wait().ok();
        }
        let (status, output, said) = ended?;
        if status.success() { Ok(output) } else { Err(failure(tool, &said)) }
    }

    fn talk(&self, child: &mut Child, input: &[u8]) -> Result<(ExitStatus, SecretBytes, Vec<u8>), TpmError> {
        let mut stdin = child.stdin.take().expect("it was piped");
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let (stdout, stderr) = (stdout.expect("it was piped"), stderr.expect("it was piped"));
        // At most 64 bytes: they fit into any pipe, so this never waits. A program that failed at once reads nothing.
        match stdin.write_all(input) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => return Err(TpmError::Run(error)),
            Ok(()) | Err(_) => drop(stdin),
        }
        let failed = |errno: Errno| TpmError::Run(errno.into());
        for pipe in [stdout.as_fd(), stderr.as_fd()] {
            ioctl_fionbio(pipe, true).map_err(failed)?;
        }
        let mut output = SecretBytes::zeroed(MOST)?;
        let mut said = vec![0; MOST];
        let (mut output_length, mut said_length) = (0, 0);
        let (mut open, mut telling) = (true, true);
        while open || telling {
            let mut waiting = Vec::with_capacity(2);
            for (fd, wanted) in [(stdout.as_fd(), open), (stderr.as_fd(), telling)] {
                if wanted {
                    waiting.push(PollFd::from_borrowed_fd(fd, PollFlags::IN));
                }
            }
            let patience = Timespec::try_from(self.left()?).map_err(|_long| TpmError::Slow)?;
            match poll(&mut waiting, Some(&patience)) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(errno) => return Err(failed(errno)),
            }
            if open {
                open = more(stdout.as_fd(), output.expose_mut(), &mut output_length)?;
            }
            if telling {
                telling = more(stderr.as_fd(), &mut said, &mut said_length)?;
            }
        }
        output.truncate(output_length);
        said.truncate(said_length);
        loop {
            if let Some(status) = child.try_wait().map_err(TpmError::Run)? {
                return Ok((status, output, said));
            }
            self.left()?;
            std::thread::sleep(ENDING);
        }
    }

    fn left(&self) -> Result<Duration, TpmError> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(TpmError::Slow) } else { Ok(left) }
    }
}

/// Reads what is there; whether more may come.
fn more(fd: BorrowedFd<'_>, into: &mut [u8], length: &mut usize) -> Result<bool, TpmError> {
    if *length == into.len() {
        return Err(TpmError::Odd("it wrote too much"));
    }
    match read(fd, &mut into[*length..]) {
        Ok(0) => Ok(false),
        Ok(read) => {
            *length += read;
            Ok(true)
        }
        Err(Errno::AGAIN | Errno::INTR) => Ok(true),
        Err(errno) => Err(TpmError::Run(errno.into())),
    }
}

/// Format-one codes name the parameter, handle or session in bits 6 and 8 to 11; these are the codes without.
const FORMAT_ONE: u32 = 0x080;
const POLICY_FAIL: u32 = 0x09D;
const INTEGRITY: u32 = 0x09F;
const AUTH_FAIL: u32 = 0x08E;
const BAD_AUTH: u32 = 0x0A2;
const LOCKOUT: u32 = 0x921;
const PCR_CHANGED: u32 = 0x128;
/// Codes of the layers above the TPM are larger.
const LAST_OF_TPM: u32 = 0xFFF;

/// What a program's failure means.
fn failure(tool: &str, said: &[u8]) -> TpmError {
    let said = String::from_utf8_lossy(said);
    if said.contains("Could not load tcti") {
        return TpmError::Gone;
    }
    let codes = said.split("(0x").skip(1).filter_map(|rest| {
        let digits = rest.split(')').next()?;
        u32::from_str_radix(digits, 16).ok()
    });
    let Some(code) = codes.last() else { return TpmError::Tool { tool: tool.to_owned(), code: 0 } };
    let plain = if code & FORMAT_ONE == 0 { code } else { code & 0x0BF };
    match plain {
        _ if code > LAST_OF_TPM => TpmError::Tool { tool: tool.to_owned(), code },
        POLICY_FAIL | PCR_CHANGED => TpmError::OtherBoot,
        INTEGRITY => TpmError::OtherTpm,
        AUTH_FAIL | BAD_AUTH => TpmError::WrongPin,
        LOCKOUT => TpmError::Locked,
        _ => TpmError::Tool { tool: tool.to_owned(), code },
    }
}
