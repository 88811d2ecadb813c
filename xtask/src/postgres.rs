//! A PostgreSQL server of our own for the store's tests: a fresh cluster below the temporary folder, on a free loopback
//! port, gone afterwards. Uses Debian's packages; no server that runs already is touched.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::TaskError;

/// A running cluster. Ends when dropped.
#[derive(Debug)]
pub struct Postgres {
    folder: PathBuf,
    server: Child,
    port: u16,
}

/// How long it may take to come up; only ends a hopeless start.
const START_LIMIT: Duration = Duration::from_mins(1);
/// PostgreSQL refuses to run as root; Debian's package makes this user.
const USER: &str = "postgres";

/// A folder that nobody has: one that was killed leaves its own, and in a container the next has the same number.
fn fresh_folder() -> Result<PathBuf, TaskError> {
    const MOST: u32 = 1_000;
    let named = |number| format!("keyhold-postgres-{}-{number}", std::process::id());
    for number in 0..MOST {
        let folder = std::env::temp_dir().join(named(number));
        match fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(TaskError::file(&folder, error)),
        }
    }
    Err(TaskError::Failed(format!("{MOST} folders like {} are left over: delete them", named(0))))
}

impl Postgres {
    /// Makes a cluster and starts it.
    pub fn start() -> Result<Self, TaskError> {
        let programs = programs()?;
        let folder = fresh_folder()?;
        own(&folder)?;
        let data = folder.join("data");
        let made = as_user(&programs.join("initdb"))
            .args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-sync", "--pgdata"])
            .arg(&data)
            .stdin(Stdio::null())
            .output()
            .map_err(|source| TaskError::Start { program: "initdb".to_owned(), source })?;
        if !made.status.success() {
            return Err(TaskError::Failed(format!("initdb: {}", String::from_utf8_lossy(&made.stderr))));
        }
        let port = free_port()?;
        let server = as_user(&programs.join("postgres"))
            .arg("-D")
            .arg(&data)
            .args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-k"])
            .arg(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|source| TaskError::Start { program: "postgres".to_owned(), source })?;
        let mut postgres = Self { folder, server, port };
        postgres.wait(&programs)?;
        Ok(postgres)
    }

    /// For `KEYHOLD_TEST_POSTGRES_URL`.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    fn wait(&mut self, programs: &Path) -> Result<(), TaskError> {
        let limit = Instant::now() + START_LIMIT;
        while Instant::now() < limit {
            let ready = Command::new(programs.join("pg_isready"))
                .args(["--quiet", "--host=127.0.0.1", "--port", &self.port.to_string()])
                .status()
                .is_ok_and(|status| status.success());
            if ready {
                return Ok(());
            }
            if let Ok(Some(status)) = self.server.try_wait() {
                return Err(TaskError::Failed(format!("postgres ended at once: {status}")));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Err(TaskError::Failed("postgres did not come up".to_owned()))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // SIGINT is its fast shutdown: connections are cut, nothing is left running.
        let pid = rustix::process::Pid::from_child(&self.server);
        // An error means that it is gone already.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
        let _ = self.server.wait();
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            eprintln!("x: {} could not be removed: {error}", self.folder.display());
        }
    }
}

/// Debian keeps the server's programs out of the path, one folder per version.
fn programs() -> Result<PathBuf, TaskError> {
    let base = Path::new("/usr/lib/postgresql");
    let mut found: Vec<PathBuf> = fs::read_dir(base)
        .map_err(|error| TaskError::file(base, error))?
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .filter(|bin| bin.join("initdb").exists())
        .collect();
    found.sort();
    found.pop().ok_or_else(|| {
        TaskError::Failed("PostgreSQL is not installed: apt-get install postgresql".to_owned())
    })
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The command, run as PostgreSQL's own user when we are root.
fn as_user(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", USER, "--regid", USER, "--init-groups", "--"]).arg(program).current_dir("/");
    command
}

fn own(folder: &Path) -> Result<(), TaskError> {
    let private = fs::Permissions::from_mode(0o700);
    fs::set_permissions(folder, private).map_err(|error| TaskError::file(folder, error))?;
    if !is_root() {
        return Ok(());
    }
    let id = |kind: &str| -> Result<u32, TaskError> {
        let output = Command::new("id")
            .args([kind, USER])
            .output()
            .map_err(|source| TaskError::Start { program: "id".to_owned(), source })?;
        let text = String::from_utf8_lossy(&output.stdout);
        text.trim().parse().map_err(|_| TaskError::Failed(format!("there is no user {USER}")))
    };
    chown(folder, Some(id("-u")?), Some(id("-g")?)).map_err(|error| TaskError::file(folder, error))
}

fn free_port() -> Result<u16, TaskError> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0));
    let address = listener.and_then(|listener| listener.local_addr());
    address.map(|address| address.port()).map_err(|error| TaskError::Failed(error.to_string()))
}
