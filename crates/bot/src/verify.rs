//! The test of one key.

use keyhold_protocol::uplink::BotMessage;

use crate::launch::Options;
use crate::run::RunError;

/// Tests the key of the assignment.
pub async fn verify(options: Options, hello: BotMessage) -> Result<(), RunError> {
    crate::run::run(options, hello).await
}
