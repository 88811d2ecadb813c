//! What a key may do, and how one that may not is told apart.

use keyhold_domain::{Known, OrderKind, RefusalCode, Side};
use keyhold_venues::{AccountEvent, TradingVenue as _};

use super::bench::{Bench, KEY, SECRET, WRONG_SECRET};
use super::heard::until;
use super::rows::{Lack, Row};
use super::trade::refusal;

pub(crate) async fn keys_are_told_apart(row: &'static Row) {
    let bench = Bench::new(row);
    let facts = bench.venue().inspect_key().await.unwrap();
    assert_eq!((facts.read, facts.trade), (Known::Yes, Known::Yes));
    assert_eq!((facts.withdraw, facts.ip_bound), (Known::No, Known::Yes));
    assert!(facts.unknown_permissions.is_empty(), "{facts:?}");
    let reader = bench.venue_as("READKEY", SECRET);
    let facts = reader.inspect_key().await.unwrap();
    assert_eq!((facts.read, facts.trade, facts.ip_bound), (Known::Yes, Known::No, Known::No));
    let order = bench.entry(1, Side::Buy, OrderKind::Market, row.size);
    let found = refusal(reader.place(&order).await);
    assert!((row.wrong_key)("READKEY").contains(&found), "{found}");
    let facts = bench.venue_as("WITHDRAWKEY", SECRET).inspect_key().await.unwrap();
    assert_eq!((facts.withdraw, facts.trade), (Known::Yes, Known::Yes));
    for (name, secret) in [("FOREIGNKEY", SECRET), (KEY, WRONG_SECRET), ("NOBODY", SECRET)] {
        let wrong = bench.venue_as(name, secret);
        let expected = (row.wrong_key)(name);
        let found = refusal(wrong.inspect_key().await);
        assert!(expected.contains(&found), "{name}: {found}, not one of {expected:?}");
        if secret == WRONG_SECRET && !row.has(Lack::SignedStreams) {
            continue;
        }
        let mut events = wrong.account_events();
        let told = until(&mut events, "the refusal", |event| match event {
            AccountEvent::Refused(error) => Some(error.clone()),
            _ => None,
        })
        .await;
        assert!(told.refusal().is_some(), "{name}: {told}");
    }
    assert!(bench.truth()["orders"].as_array().unwrap().is_empty());
}

/// What a venue says to a key that may only read, one from elsewhere, one with a wrong secret, and one that is none. Some do not tell these
/// apart; then the words of the refusal leave it open.
pub(crate) fn usual_refusals(name: &str) -> &'static [RefusalCode] {
    match name {
        "READKEY" => &[RefusalCode::InsufficientPermission],
        "FOREIGNKEY" => &[RefusalCode::IpNotAllowed],
        "NOBODY" => &[RefusalCode::BadKey],
        _ => &[RefusalCode::BadSignature],
    }
}

/// Kraken's question about a key answers every wrong one with the same words.
pub(crate) fn one_refusal(name: &str) -> &'static [RefusalCode] {
    match name {
        "READKEY" => &[RefusalCode::InsufficientPermission],
        _ => &[RefusalCode::BadKey],
    }
}

/// Binance has one number for an unknown key, one from elsewhere and one without the right.
pub(crate) fn binance_refusals(name: &str) -> &'static [RefusalCode] {
    match name {
        "READKEY" | "FOREIGNKEY" | "NOBODY" => &[RefusalCode::BadKey],
        _ => &[RefusalCode::BadSignature],
    }
}
