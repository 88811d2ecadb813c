//! What became of an order whose outcome is unknown: asked again and again until a late arrival is impossible.

use std::time::Duration;

use crate::error::{UnknownCause, VenueError};
use crate::port::{OrderReport, Resolution};

/// For error texts.
const RESOLVING: &str = "looking for an order";

/// Asks after each wait. Every error is [`VenueError::Unknown`]: still not known.
pub async fn resolve<F>(
    waits: &[Duration],
    look: impl Fn() -> F + Send + Sync,
) -> Result<Resolution, VenueError>
where
    F: Future<Output = Result<Option<OrderReport>, VenueError>> + Send,
{
    let mut last = Err(VenueError::unknown(RESOLVING, UnknownCause::NotAsked));
    for wait in waits {
        tokio::time::sleep(*wait).await;
        last = look().await;
        if let Ok(Some(report)) = last {
            return Ok(Resolution::Found(report));
        }
    }
    // The last look counts: it came after any late request would have been refused. That it failed says nothing
    // about the order, so it must not sound as if the order had been refused or had not been sent.
    match last {
        Ok(_) => Ok(Resolution::NeverArrived),
        Err(VenueError::Unknown { cause, .. }) => Err(VenueError::unknown(RESOLVING, cause)),
        Err(VenueError::Refused { .. } | VenueError::NotSent { .. }) => {
            Err(VenueError::unknown(RESOLVING, UnknownCause::NotAsked))
        }
    }
}
