//! A disk of its own for a house: a file with a file system in it, so that a test can look at every block and not only at
//! what files show.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::scan::{self, Find, Needle};

/// Room for everything a house writes, the programs of its bots included. The file has holes where nothing was written.
const BYTES: u64 = 1 << 30;

/// A mounted file system in a file. Unmounted and removed with the value.
#[derive(Debug)]
pub struct Device {
    folder: tempfile::TempDir,
}

fn run(program: &str, arguments: &[&Path]) -> Result<(), String> {
    let said = |output: &Output| String::from_utf8_lossy(&output.stderr).trim().to_owned();
    match Command::new(program).args(arguments).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("{program}: {}", said(&output))),
        Err(error) => Err(format!("{program}: {error}")),
    }
}

impl Device {
    /// Makes one; otherwise why this machine does not allow it.
    ///
    /// # Errors
    /// In words: making and mounting takes root and loop devices.
    pub fn make() -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let passable = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o711);
        std::fs::set_permissions(folder.path(), passable).map_err(|error| error.to_string())?;
        let device = Self { folder };
        let image = std::fs::File::create(device.image()).map_err(|error| error.to_string())?;
        image.set_len(BYTES).map_err(|error| error.to_string())?;
        std::fs::create_dir(device.root()).map_err(|error| error.to_string())?;
        run("mkfs.ext4", &[Path::new("-q"), &device.image()])?;
        run("mount", &[Path::new("-o"), Path::new("loop"), &device.image(), &device.root()])?;
        Ok(device)
    }

    fn image(&self) -> PathBuf {
        self.folder.path().join("image")
    }

    /// Where it is mounted.
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("mounted")
    }

    /// A place beside it, for what must not lie on it.
    pub fn beside(&self) -> PathBuf {
        self.folder.path().join("beside")
    }

    /// Looks at every block, after everything that waited was written.
    ///
    /// # Panics
    /// When it cannot be read.
    pub fn scan(&self, needle: &Needle) -> Vec<Find> {
        run("sync", &[Path::new("-f"), &self.root()]).expect("a mounted file system is written out");
        scan::raw(&self.image(), needle).expect("the image can be read")
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        // Never mounted is as good; a failed test must not fail again here.
        let _unmounted = run("umount", &[&self.root()]);
    }
}
