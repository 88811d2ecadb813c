//! Putting the parts together and taking them apart again.

use std::net::SocketAddr;
use std::sync::Arc;

use keyhold_domain::InstallId;
use keyhold_provision::{Local, LocalError};
use keyhold_store::{Store, StoreError, StoreOptions};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::account::password::Passwords;
use crate::api::protections::Look;
use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::http::limits::Limiter;
use crate::jobs::{self, Jobs};
use crate::keeper::Keeper;
use crate::live::Live;
use crate::supervisor::Supervisor;
use crate::uplink::Uplinks;
use crate::{api, random, supervisor, uplink};

/// How often sessions that can no longer be used are removed.
const HOUSEKEEPING: std::time::Duration = std::time::Duration::from_mins(10);
/// How long requests under way may take when the server ends.
const DRAIN: std::time::Duration = std::time::Duration::from_secs(5);

/// Why the server did not start or stop as it should.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store.
    #[error("opening the store")]
    Store(#[from] StoreError),
    /// The bots' folder or program.
    #[error("preparing to run bots")]
    Local(#[from] LocalError),
    /// An address or socket.
    #[error("listening on {0}")]
    Listen(String, #[source] std::io::Error),
    /// The keeper.
    #[error("asking the keeper which installation it serves: it must be running before the server")]
    Keeper(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The keeper belongs to another installation than the data folder.
    #[error(
        "the keeper serves installation {keeper} and the data folder belongs to {data}: keys of one cannot be opened \
         with the other"
    )]
    OtherKeeper {
        /// The keeper's installation.
        keeper: InstallId,
        /// The data folder's installation.
        data: InstallId,
    },
    /// The password hasher.
    #[error("preparing to hash passwords")]
    Passwords,
}

/// A server that runs.
#[derive(Debug)]
pub struct Running {
    /// Where HTTP is served.
    pub address: SocketAddr,
    /// The one-time code with which it can be claimed, if it is not.
    pub claim_code: Option<String>,
    app: Arc<App>,
    stop: watch::Sender<Stopping>,
    tasks: Vec<JoinHandle<()>>,
    http: JoinHandle<()>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stopping {
    No,
    Yes,
}

/// Opens the store that the settings name. A new one becomes part of the keeper's installation: envelopes are bound to
/// its id, so store and keeper must agree on it.
///
/// # Errors
/// [`StartError`].
pub async fn open_store(config: &Config, clock: &Clock) -> Result<Store, StartError> {
    use base64::Engine as _;
    let fingerprint_key = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(random::bytes::<32>());
    let keeper = match Keeper::new(config.keeper.clone()).public_key().await {
        Ok(key) => Some(key.install),
        // A server must come back while its keeper is away: running bots report to it.
        Err(error) if has_data(config) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the keeper does not answer; no key can be added or leased"
            );
            None
        }
        Err(error) => return Err(StartError::Keeper(Box::new(error))),
    };
    let options = StoreOptions {
        folder: config.data.clone(),
        url: config.database_url.clone(),
        now: clock.now(),
        // Not used when there is a database already.
        install: keeper.unwrap_or_else(random::id),
        fingerprint_key,
    };
    let store = Store::open(&options).await?;
    let data = store.install().id;
    match keeper {
        Some(keeper) if keeper != data => Err(StartError::OtherKeeper { keeper, data }),
        Some(_) | None => Ok(store),
    }
}

/// Whether there is a database that knows its installation already.
pub(crate) fn has_data(config: &Config) -> bool {
    config.database_url.is_none() && config.data.join(keyhold_store::SQLITE_FILE).exists()
}

/// Starts everything and returns when HTTP is served.
///
/// # Errors
/// [`StartError`].
pub async fn start(config: Config, clock: Clock) -> Result<Running, StartError> {
    let store = open_store(&config, &clock).await?;
    for workspace in store.system().workspaces().await? {
        api::templates::put_system_templates(&workspace, clock.now()).await?;
    }
    let claim_code = crate::new_code(&store, clock.now()).await?;
    let local = Local::open(config.local())?;
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let listen = |what: String| move |error| StartError::Listen(what, error);
    let socket = uplink::listen(&config.uplink()).map_err(listen(config.uplink().display().to_string()))?;
    let listener = TcpListener::bind(config.listen).await.map_err(listen(config.listen.to_string()))?;
    let address = listener.local_addr().map_err(listen(config.listen.to_string()))?;
    let app = Arc::new(App {
        passwords: Passwords::new(processors).map_err(|_| StartError::Passwords)?,
        webauthn: crate::account::passkey::checker(&config.public_origin),
        limiter: Limiter::default(),
        live: Live::new(random::hex(&random::bytes::<6>())),
        keeper: Keeper::new(config.keeper.clone()),
        supervisor: Supervisor::new(local),
        uplinks: Uplinks::default(),
        jobs: Jobs::new(&config.data),
        look: Look::default(),
        key_changes: tokio::sync::Mutex::new(()),
        config,
        clock,
        store,
    });
    let (stop, stopping) = watch::channel(Stopping::No);
    let tasks = vec![
        tokio::spawn(uplink::serve(Arc::clone(&app), socket)),
        tokio::spawn(supervisor::run(Arc::clone(&app))),
        tokio::spawn(jobs::run(Arc::clone(&app))),
        tokio::spawn(housekeeping(Arc::clone(&app))),
    ];
    let http = tokio::spawn(serve(Arc::clone(&app), listener, stopping));
    Ok(Running { address, claim_code, app, stop, tasks, http })
}

async fn serve(app: Arc<App>, listener: TcpListener, mut stopping: watch::Receiver<Stopping>) {
    let service = api::router(app).into_make_service_with_connect_info::<SocketAddr>();
    let told = async move {
        // An error means the sender is gone, which is a reason to stop as well.
        let _told = stopping.wait_for(|stopping| *stopping == Stopping::Yes).await;
    };
    if let Err(error) = axum::serve(listener, service).with_graceful_shutdown(told).await {
        tracing::error!(error = &error as &dyn std::error::Error, "serving HTTP ended");
    }
}

async fn housekeeping(app: Arc<App>) {
    loop {
        let now = app.clock.now();
        if let Err(error) = app.store.drop_dead_sessions(now, app.config.sessions.idle_ms).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "removing old sessions failed");
        }
        tokio::time::sleep(HOUSEKEEPING).await;
    }
}

impl Running {
    /// Ends the server. Bots go on: they are processes of their own and report to the next server.
    pub async fn stop(self) {
        self.stop.send_replace(Stopping::Yes);
        let mut http = self.http;
        // Streams never end by themselves.
        if tokio::time::timeout(DRAIN, &mut http).await.is_err() {
            http.abort();
        }
        self.app.jobs.abandon();
        for task in self.tasks {
            task.abort();
        }
        self.app.store.close().await;
    }

    /// Ends the server and every bot's process. For demonstrations: open positions are left as they are.
    ///
    /// # Errors
    /// [`StartError::Local`] when a process would not end.
    pub async fn stop_with_bots(self) -> Result<(), StartError> {
        for task in &self.tasks {
            task.abort();
        }
        let removed = self.app.supervisor.remove_all(self.app.clock.now()).await;
        self.stop().await;
        Ok(removed?)
    }
}
