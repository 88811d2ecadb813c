//! Taking possession of a new installation with a one-time code that only its operator has seen.

use keyhold_domain::Timestamp;
use keyhold_store::{SetupState, Store, StoreError};
use subtle::ConstantTimeEq as _;

use crate::app::App;
use crate::http::limits;
use crate::http::problem::Problem;
use crate::random;

/// How long a printed code works.
const VALID_MS: i64 = 24 * 60 * 60 * 1000;

/// Makes a fresh code, in place of any earlier one; `None` when the installation has an owner.
///
/// # Errors
/// [`StoreError::Database`].
pub async fn new_code(store: &Store, now: Timestamp) -> Result<Option<String>, StoreError> {
    if store.setup_state().await? == SetupState::Claimed {
        return Ok(None);
    }
    // 120 bits in groups that can be read aloud.
    let digits = random::hex(&random::bytes::<15>());
    let code = digits.as_bytes().chunks(6).map(String::from_utf8_lossy).collect::<Vec<_>>().join("-");
    store.put_claim_code(&random::hash(&code), now.plus_ms(VALID_MS)).await?;
    Ok(Some(code))
}

/// Checks a code without using it up. Wrong, expired and used codes get the same answer.
pub(crate) async fn check(app: &App, code: &str) -> Result<String, Problem> {
    let now = app.clock.now();
    app.limiter.take("claim", "all", limits::CLAIM, now)?;
    let given = random::hash(code.trim());
    let stored = app.store.claim_code_hash(now).await?;
    // Compared with something in every case, so that time does not tell whether a code is open.
    let expected = stored.clone().unwrap_or_else(|| random::hash(""));
    let same = bool::from(given.as_bytes().ct_eq(expected.as_bytes()));
    if same && stored.is_some() { Ok(given) } else { Err(refused()) }
}

/// The one answer to every code that does not work.
pub(crate) fn refused() -> Problem {
    Problem::new(axum::http::StatusCode::FORBIDDEN, "CLAIM_REFUSED", "This code does not work.")
        .next("Run `keyhold claim-code` on the server for a new one.")
}
