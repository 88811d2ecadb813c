//! Tests of both halves of the vault together, on the vectors of `testdata/envelopes/`.

#![allow(clippy::unwrap_used, reason = "a failed expectation ends a test")]

#[allow(dead_code, reason = "the generator's `main` is not called here")]
#[path = "../../examples/vectors.rs"]
mod generator;

mod chain;
mod flips;
mod hierarchy;
mod shield;
mod swaps;
mod types;
mod vectors;

use keyhold_seal::{Context, Envelope, FixedEntropy, LeaseAnswer};
use keyhold_unseal::rewrap;
use keyhold_unseal::{Credential, Unopenable};

/// Runs the whole chain with the vectors' keys: import for `sealed_for`, lease and open for `expected`.
fn open_all(
    plan: &generator::Plan,
    imported_as: &Context,
    expected: &Context,
) -> Result<Credential, Unopenable> {
    let keeper = generator::keeper_side();
    let sealed = generator::sealed(plan, &keeper);
    let mut entropy = FixedEntropy::new(&generator::stream("wrap nonce", 12));
    let wrapped =
        rewrap::import(&keeper.secret_key, keeper.wrapping(), imported_as, &sealed.data_key, &mut entropy)?;
    let mut entropy = FixedEntropy::new(&generator::stream("lease entropy", 32));
    let answer = rewrap::lease(keeper.wrapping(), expected, &wrapped, &generator::recipient(), &mut entropy)?;
    open_answer(&answer, &sealed.envelope, expected)
}

/// The bot's part, with the vectors' bot.
fn open_answer(
    answer: &LeaseAnswer,
    envelope: &Envelope,
    expected: &Context,
) -> Result<Credential, Unopenable> {
    let to = generator::recipient();
    generator::bot_key().open_lease(answer, expected, to.bot, to.lease)?.open(envelope, expected)
}

/// Whether opening failed, without asking the credential to be printable.
fn refused<T>(result: &Result<T, Unopenable>) -> bool {
    matches!(result, Err(Unopenable))
}
