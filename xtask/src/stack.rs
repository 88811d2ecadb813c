//! The whole house as processes: keeper, fake exchange, server. Used by the demo and by the browser journeys.
//!
//! Everything lives below one temporary folder that other users may pass through, because bots run as users of their
//! own. Each program gets a process group of its own, so that Ctrl-C reaches only us and we end them in order.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::paths::Profile;
use crate::{TaskError, paths};

mod venues;

pub use venues::{MadeUpVenue, TestKey};

/// What to start.
#[derive(Debug, Clone)]
pub struct StackOptions {
    /// A candle file instead of a made-up market.
    pub candles: Option<PathBuf>,
    /// Candles per second; 0 waits for the control interface.
    pub speed: f64,
    /// Seed of the made-up market.
    pub seed: u64,
    /// The exchanges that are played, by the words of `keyhold-fake-venue --venue`; the first one's keys are the
    /// stack's own. None means Bybit.
    pub venues: Vec<String>,
    /// Whether those enforce their request limits.
    pub limits: RequestLimits,
    /// Port of the dashboard; 0 takes a free one.
    pub port: u16,
    /// Where the folder is made.
    pub folder: Option<PathBuf>,
    /// What server and bots log, in the notation of tracing's filters.
    pub log: &'static str,
    /// Which build of the programs is started.
    pub profile: Profile,
}

/// What a played exchange does with requests that are too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestLimits {
    /// It refuses them, as the real one.
    Enforced,
    /// It takes them, for tests that ask more in a minute than a person does.
    Off,
}

/// Running programs. Ends them when dropped.
#[derive(Debug)]
pub struct Stack {
    /// Everything the programs write.
    pub folder: PathBuf,
    /// `http://localhost:PORT`.
    pub url: String,
    /// The one-time code of the unclaimed server.
    pub claim_code: String,
    /// The exchanges that are played, at least one.
    pub venues: Vec<MadeUpVenue>,
    log: &'static str,
    profile: Profile,
    programs: Vec<Program>,
}

#[derive(Debug)]
struct Program {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

/// How long a program may take to come up. Only ends a hopeless start.
const START_LIMIT: Duration = Duration::from_mins(1);
/// How long a program may take to end before it is killed.
const END_LIMIT: Duration = Duration::from_secs(20);

impl Stack {
    /// Starts keeper, exchange and server, in this order, each when the one before is ready.
    pub fn start(options: &StackOptions) -> Result<Self, TaskError> {
        let folder = make_folder(options.folder.as_deref())?;
        let mut stack = Self {
            folder,
            url: String::new(),
            claim_code: String::new(),
            venues: Vec::new(),
            log: options.log,
            profile: options.profile,
            programs: Vec::new(),
        };
        stack.make_keeper()?;
        stack.start_keeper(&[])?;
        let usual = ["bybit".to_owned()];
        let venues = if options.venues.is_empty() { usual.as_slice() } else { options.venues.as_slice() };
        for exchange in venues {
            let venue = stack.start_venue(options, exchange)?;
            stack.venues.push(venue);
        }
        stack.start_server(options.port)?;
        Ok(stack)
    }

    /// The key of the first exchange with this name.
    pub fn key(&self, name: &str) -> Option<&TestKey> {
        self.venues.first()?.key(name)
    }

    /// The exchange with this name.
    pub fn venue(&self, exchange: &str) -> Option<&MadeUpVenue> {
        self.venues.iter().find(|venue| venue.exchange == exchange)
    }

    /// The control address of the first exchange.
    pub fn control(&self) -> &str {
        self.venues.first().map_or("", |venue| &venue.control)
    }

    /// Process id of a program.
    pub fn pid(&self, name: &str) -> Option<u32> {
        self.programs.iter().find(|program| program.name == name).map(|program| program.child.id())
    }

    /// The first program that has ended although nobody asked it to.
    pub fn ended(&mut self) -> Option<&'static str> {
        self.programs
            .iter_mut()
            .find_map(|program| matches!(program.child.try_wait(), Ok(Some(_))).then_some(program.name))
    }
}

// The programs, one function each: what they are given is what an operator would give them.
impl Stack {
    fn make_keeper(&self) -> Result<(), TaskError> {
        let folder = self.folder.join("keeper");
        let made = Command::new(self.program("keyhold-keeper"))
            .arg("init")
            .arg("--dir")
            .arg(&folder)
            .stdin(Stdio::null())
            .output()
            .map_err(|source| TaskError::Start { program: "keyhold-keeper".to_owned(), source })?;
        if !made.status.success() {
            return Err(TaskError::Failed(String::from_utf8_lossy(&made.stderr).into_owned()));
        }
        Ok(())
    }

    fn start_keeper(&mut self, more: &[&str]) -> Result<(), TaskError> {
        let (folder, socket) = (self.folder.join("keeper"), self.keeper_socket());
        // A killed keeper leaves its socket; the new one's is what shows that it is up.
        remove_if_there(&socket)?;
        let mut command = Command::new(self.program("keyhold-keeper"));
        command.arg("serve").arg("--dir").arg(&folder).arg("--socket").arg(&socket).args(more);
        if isolation_is_degraded() {
            command.args(["--isolation", "degraded"]);
        }
        self.spawn("keyhold-keeper", command, Stdio::null())?;
        let keeper = self.program("keyhold-keeper");
        // The socket is there before the vault is open; only an answer shows that it is.
        self.wait("keyhold-keeper", || (socket.exists() && keeper_answers(&keeper, &socket)).then_some(()))
    }

    fn program(&self, name: &str) -> PathBuf {
        paths::program(self.profile, name)
    }

    fn keeper_socket(&self) -> PathBuf {
        self.folder.join("sockets").join("keeper.sock")
    }

    /// Plays one exchange, with accounts and keys of its own.
    fn start_venue(&mut self, options: &StackOptions, exchange: &str) -> Result<MadeUpVenue, TaskError> {
        if self.venue(exchange).is_some() {
            return Err(TaskError::Failed(format!("the exchange {exchange} is named twice")));
        }
        let name = venues::program_name(exchange)?;
        let keys = venues::make_keys(exchange)?;
        let accounts = self.folder.join(format!("{name}.toml"));
        write_private(&accounts, &venues::accounts_file(exchange, &keys))?;
        let mut command = Command::new(self.program("keyhold-fake-venue"));
        command.arg("--venue").arg(exchange).arg("--accounts").arg(&accounts).args([
            "--control",
            "127.0.0.1:0",
            "--print-address",
        ]);
        command.args([
            "--speed",
            &options.speed.to_string(),
            "--seed",
            &options.seed.to_string(),
            "--exit-with-parent",
        ]);
        if let Some(candles) = &options.candles {
            command.arg("--candles").arg(candles);
        }
        if options.limits == RequestLimits::Off {
            command.arg("--no-rate-limits");
        }
        let mut output = self.spawn(name, command, Stdio::piped())?;
        let line = first_line(&mut output, name, |line| line.starts_with('{'))
            .map_err(|error| TaskError::Failed(format!("{error}\n{}", self.log_of(name))))?;
        Ok(MadeUpVenue {
            exchange: exchange.to_owned(),
            control: json_text(&line, "control")?,
            rest: json_text(&line, "rest")?,
            stream: json_text(&line, "ws")?,
            keys,
        })
    }

    fn start_server(&mut self, port: u16) -> Result<(), TaskError> {
        let port = free_port(port)?;
        self.url = format!("http://localhost:{port}");
        let settings = self.folder.join("keyhold.toml");
        let mut text = format!(
            "data = \"{data}\"\nrun = \"{run}\"\nlisten = \"127.0.0.1:{port}\"\npublic_origin = \"{url}\"\nkeeper = \"{keeper}\"\n\
             bot_program = \"{bot}\"\nisolation = \"{isolation}\"\nbot_log = \"{log}\"\negress_addresses = [\"127.0.0.1\"]\n",
            data = self.folder.join("data").display(),
            run = self.folder.join("run").display(),
            url = self.url,
            keeper = self.keeper_socket().display(),
            bot = self.program("keyhold-bot").display(),
            isolation = if isolation_is_degraded() { "degraded" } else { "required" },
            log = self.log,
        );
        for venue in &self.venues {
            text.push_str(&venue.settings()?);
        }
        write_private(&settings, &text)?;
        let line = self.run_server(|line| line.contains("/claim#"))?;
        let code = line.split("/claim#").nth(1).unwrap_or("").trim();
        code.clone_into(&mut self.claim_code);
        Ok(())
    }

    /// Runs the server with the settings that are there, until it prints a line that is wanted.
    fn run_server(&mut self, wanted: impl Fn(&str) -> bool) -> Result<String, TaskError> {
        let settings = self.folder.join("keyhold.toml");
        let mut command = Command::new(self.program("keyhold"));
        command.arg("serve").arg("--config").arg(&settings).arg("--stop-bots-on-exit");
        command.arg("--log").arg(self.log);
        let mut output = self.spawn("keyhold", command, Stdio::piped())?;
        let line = first_line(&mut output, "keyhold", wanted)?;
        // Nobody reads the rest; a full pipe would stop the server.
        std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
        Ok(line)
    }

    /// Starts a program with its log in the folder; answers its standard output when that is piped.
    fn spawn(
        &mut self,
        name: &'static str,
        mut command: Command,
        output: Stdio,
    ) -> Result<BufReader<Box<dyn Read + Send>>, TaskError> {
        let log = self.folder.join(format!("{name}.log"));
        // A program that is started again goes on in its log.
        let file = std::fs::File::options().create(true).append(true).open(&log);
        let file = file.map_err(|error| TaskError::file(&log, error))?;
        command.stdin(Stdio::null()).stdout(output).stderr(file).process_group(0);
        let mut child =
            command.spawn().map_err(|source| TaskError::Start { program: name.to_owned(), source })?;
        let output: Box<dyn Read + Send> = match child.stdout.take() {
            Some(output) => Box::new(output),
            None => Box::new(std::io::empty()),
        };
        self.programs.push(Program { name, child, log });
        Ok(BufReader::new(output))
    }

    fn wait<T>(&mut self, name: &str, mut ready: impl FnMut() -> Option<T>) -> Result<T, TaskError> {
        let limit = deadline(START_LIMIT);
        loop {
            if let Some(found) = ready() {
                return Ok(found);
            }
            if let Some(ended) = self.ended() {
                return Err(TaskError::Failed(format!("{ended} ended at once:\n{}", self.log_of(ended))));
            }
            if passed(limit) {
                return Err(TaskError::Failed(format!("{name} did not come up:\n{}", self.log_of(name))));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What a program wrote to its log.
    pub fn log_of(&self, name: &str) -> String {
        let found = self.programs.iter().find(|program| program.name == name);
        found.map_or_else(String::new, |program| std::fs::read_to_string(&program.log).unwrap_or_default())
    }

    /// Ends everything in order: the server with its bots, the exchange, the keeper. Answers what had to be killed.
    pub fn stop(&mut self) -> Vec<&'static str> {
        let mut killed = Vec::new();
        for program in self.programs.iter_mut().rev() {
            if !end(&mut program.child) {
                killed.push(program.name);
            }
        }
        self.programs.clear();
        self.end_orphans();
        killed
    }
}

// What outages are made of.
impl Stack {
    /// Kills a program on the spot, as a crash or a loss of power would. Bots go on.
    pub fn kill(&mut self, name: &str) -> Result<(), TaskError> {
        let place = self.programs.iter().position(|program| program.name == name);
        let place = place.ok_or_else(|| TaskError::Failed(format!("{name} does not run")))?;
        let mut program = self.programs.remove(place);
        let killed = program.child.kill().and_then(|()| program.child.wait());
        killed.map(drop).map_err(|error| TaskError::Failed(format!("killing {name}: {error}")))
    }

    /// Starts a killed server again on the same data, settings and address.
    pub fn restart_server(&mut self) -> Result<(), TaskError> {
        self.run_server(|line| line.contains("listens on")).map(drop)
    }

    /// Starts a killed keeper again on the same folder, with further arguments.
    pub fn restart_keeper(&mut self, more: &[&str]) -> Result<(), TaskError> {
        self.start_keeper(more)
    }

    /// Processes of bots and key tests of this house, as the kernel lists them.
    pub fn bots(&self) -> Vec<u32> {
        let programs = self.folder.join("run").join("programs");
        let is_ours = |pid: &u32| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.starts_with(programs.as_os_str().as_encoded_bytes())
        };
        let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter(is_ours).collect()
    }

    /// Bots whose server was killed are nobody's any more.
    fn end_orphans(&self) {
        for pid in self.bots() {
            if let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) {
                // An error means that it is gone already.
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Asks a process to end and kills it when it does not. Answers whether it ended by itself.
fn end(child: &mut Child) -> bool {
    let pid = rustix::process::Pid::from_child(child);
    // An error means that it is gone already.
    let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    let limit = deadline(END_LIMIT);
    while !passed(limit) {
        if matches!(child.try_wait(), Ok(Some(_)) | Err(_)) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = child.kill();
    let _ = child.wait();
    false
}

fn deadline(after: Duration) -> Instant {
    Instant::now() + after
}

fn passed(limit: Instant) -> bool {
    Instant::now() >= limit
}

/// Kernels without every protection are named by the environment, never guessed: `KEYHOLD_ISOLATION=degraded`.
fn isolation_is_degraded() -> bool {
    std::env::var_os("KEYHOLD_ISOLATION").is_some_and(|value| value == "degraded")
}

fn make_folder(wanted: Option<&Path>) -> Result<PathBuf, TaskError> {
    let folder = match wanted {
        Some(folder) => folder.to_path_buf(),
        None => std::env::temp_dir().join(format!("keyhold-{}", venues::random_text(8)?)),
    };
    for path in [folder.clone(), folder.join("sockets")] {
        std::fs::create_dir_all(&path).map_err(|error| TaskError::file(&path, error))?;
        let passable = std::fs::Permissions::from_mode(0o711);
        std::fs::set_permissions(&path, passable).map_err(|error| TaskError::file(&path, error))?;
    }
    Ok(folder)
}

fn keeper_answers(keeper: &Path, socket: &Path) -> bool {
    let mut command = Command::new(keeper);
    command.arg("status").arg("--socket").arg(socket);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn remove_if_there(path: &Path) -> Result<(), TaskError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(TaskError::file(path, error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn write_private(path: &Path, text: &str) -> Result<(), TaskError> {
    std::fs::write(path, text).map_err(|error| TaskError::file(path, error))?;
    let private = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(path, private).map_err(|error| TaskError::file(path, error))
}

fn free_port(wanted: u16) -> Result<u16, TaskError> {
    let free =
        |port| std::net::TcpListener::bind(("127.0.0.1", port)).and_then(|listener| listener.local_addr());
    let address = free(wanted).or_else(|_| free(0)).map_err(|error| TaskError::Failed(error.to_string()))?;
    Ok(address.port())
}

/// Reads lines until one is wanted.
fn first_line(
    output: &mut BufReader<Box<dyn Read + Send>>,
    program: &str,
    wanted: impl Fn(&str) -> bool,
) -> Result<String, TaskError> {
    let mut line = String::new();
    loop {
        line.clear();
        match output.read_line(&mut line) {
            Ok(0) => return Err(TaskError::Failed(format!("{program} ended before it said where it is"))),
            Ok(_) if wanted(&line) => return Ok(line.trim_end().to_owned()),
            Ok(_) => {}
            Err(error) => return Err(TaskError::Failed(error.to_string())),
        }
    }
}

/// The text of a field of a flat JSON object, as our own programs print it.
fn json_text(line: &str, field: &str) -> Result<String, TaskError> {
    let start = format!("\"{field}\":\"");
    let text = line.split(&start).nth(1).and_then(|rest| rest.split('"').next());
    text.map(str::to_owned).ok_or_else(|| TaskError::Failed(format!("no field {field} in {line}")))
}
