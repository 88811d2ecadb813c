//! What every handler shares.

use std::sync::Arc;

use keyhold_store::Store;
use webauthn_rs::prelude::Webauthn;

use crate::account::password::Passwords;
use crate::api::protections::Look;
use crate::clock::Clock;
use crate::config::Config;
use crate::http::limits::Limiter;
use crate::jobs::Jobs;
use crate::keeper::Keeper;
use crate::live::Live;
use crate::supervisor::Supervisor;
use crate::uplink::Uplinks;

/// The running program's parts. No part of it is a secret, and none can open one.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    pub(crate) store: Store,
    pub(crate) passwords: Passwords,
    pub(crate) webauthn: Option<Webauthn>,
    pub(crate) limiter: Limiter,
    pub(crate) live: Live,
    pub(crate) keeper: Keeper,
    pub(crate) supervisor: Supervisor,
    pub(crate) uplinks: Uplinks,
    pub(crate) jobs: Jobs,
    pub(crate) look: Look,
    /// Taken while a key is made, replaced or deleted, so that keeper and store go in step.
    pub(crate) key_changes: tokio::sync::Mutex<()>,
}

/// Shared by reference.
pub(crate) type Shared = Arc<App>;
