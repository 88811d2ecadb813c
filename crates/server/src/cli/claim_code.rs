//! `keyhold claim-code`: a fresh one-time code, in place of the one printed at the start.

use super::options::Options;
use super::{CliError, print};
use crate::clock::Clock;
use crate::start::{StartError, open_store};

pub(super) async fn run(options: Options) -> Result<(), CliError> {
    let config = options.config()?;
    let clock = Clock::System;
    let store = open_store(&config, &clock).await?;
    let code = crate::new_code(&store, clock.now()).await.map_err(StartError::from)?;
    store.close().await;
    let code = code.ok_or(CliError::Claimed)?;
    print(&format!("{}/claim#{code}", config.public_origin))
}
