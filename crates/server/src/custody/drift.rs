//! Rights of a key that have grown at its exchange since they were last read.
//!
//! Somebody with the owner's account at the exchange can widen a key after it was checked. What opens new ways to lose
//! money switches the key off (entries stop, exits go on); what may have been wanted is only told.

use keyhold_domain::{KeyFacts, Known, Timestamp};
use keyhold_protocol::uplink::Severity;
use keyhold_store::{ApiKey, NewEvent, StoreError, WorkspaceStore};

use crate::app::App;
use crate::random;
use crate::watch::tell;

/// One thing that has grown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Drift {
    /// It may move money out.
    Withdraw,
    /// It may move money between accounts.
    Transfer,
    /// It has permissions with names that we do not know.
    Unknown(Vec<String>),
    /// It was bound to addresses and is not any more.
    AddressOpened,
    /// It is bound to these addresses besides.
    AddressAdded(Vec<String>),
}

/// Whether what has grown is a danger by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consequence {
    /// The key is switched off.
    SwitchOff,
    /// Its owner is told.
    Tell,
}

impl Drift {
    /// What follows from it.
    pub(crate) const fn consequence(&self) -> Consequence {
        match self {
            Self::Withdraw | Self::Transfer | Self::Unknown(_) | Self::AddressOpened => {
                Consequence::SwitchOff
            }
            Self::AddressAdded(_) => Consequence::Tell,
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Withdraw => "it may withdraw".to_owned(),
            Self::Transfer => "it may move money between accounts".to_owned(),
            Self::Unknown(names) => {
                format!("it has permissions that are not known here ({})", names.join(", "))
            }
            Self::AddressOpened => "it is no longer bound to addresses".to_owned(),
            Self::AddressAdded(added) => format!("it may be used from {} as well", added.join(", ")),
        }
    }
}

fn added(before: &[String], after: &[String]) -> Vec<String> {
    after.iter().filter(|one| !before.contains(one)).cloned().collect()
}

/// What has grown between two readings, the worst first. Something unknown before and bad now has grown: the exchange
/// may have kept silent while it was good.
pub(crate) fn drift(before: &KeyFacts, after: &KeyFacts) -> Vec<Drift> {
    let became = |before: Known, after: Known, bad: Known| before != bad && after == bad;
    let mut found = Vec::new();
    if became(before.withdraw, after.withdraw, Known::Yes) {
        found.push(Drift::Withdraw);
    }
    if became(before.transfer, after.transfer, Known::Yes) {
        found.push(Drift::Transfer);
    }
    let unknown = added(&before.unknown_permissions, &after.unknown_permissions);
    if !unknown.is_empty() {
        found.push(Drift::Unknown(unknown));
    }
    if before.ip_bound == Known::Yes && after.ip_bound == Known::No {
        found.push(Drift::AddressOpened);
    }
    let addresses = added(&before.ip_addresses, &after.ip_addresses);
    if !before.ip_addresses.is_empty() && !addresses.is_empty() {
        found.push(Drift::AddressAdded(addresses));
    }
    found
}

/// Switches a key off whose rights have grown, and tells its owner.
///
/// # Errors
/// [`StoreError`].
pub(crate) async fn act(
    app: &App,
    store: &WorkspaceStore,
    key: &ApiKey,
    found: &[Drift],
    now: Timestamp,
) -> Result<(), StoreError> {
    if found.is_empty() {
        return Ok(());
    }
    let off = found.iter().any(|one| one.consequence() == Consequence::SwitchOff);
    if off {
        store.deactivate_key(key.id).await?;
    }
    let words: Vec<String> = found.iter().map(Drift::words).collect();
    let rest = if off { " It was switched off; exits go on." } else { "" };
    let event = NewEvent {
        id: random::id(),
        at: now,
        severity: if off { Severity::Critical } else { Severity::Warning },
        code: "KEY_RIGHTS_GREW".to_owned(),
        text: format!("The key \"{}\" has changed at its exchange: {}.{rest}", key.label, words.join("; ")),
        bot: key.bot.as_ref().map(|(bot, _)| *bot),
        key: Some(key.id),
        symbol: None,
    };
    store.add_event(&event).await?;
    tell::entry(&app.live, store, event).await?;
    app.uplinks.changed(store.id());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> KeyFacts {
        KeyFacts {
            read: Known::Yes,
            trade: Known::Yes,
            withdraw: Known::No,
            transfer: Known::No,
            ip_bound: Known::Yes,
            ip_addresses: vec!["192.0.2.7".to_owned()],
            expires_at: None,
            unknown_permissions: Vec::new(),
            contract_types: Vec::new(),
        }
    }

    #[test]
    fn what_opens_new_ways_to_lose_switches_off_and_the_rest_is_told() {
        let good = facts();
        let unknown = vec!["Convert".to_owned()];
        let more = vec!["192.0.2.7".to_owned(), "192.0.2.8".to_owned()];
        let (off, tell) = (Consequence::SwitchOff, Consequence::Tell);
        let cases = [
            (KeyFacts { withdraw: Known::Yes, ..facts() }, Drift::Withdraw, off),
            (KeyFacts { transfer: Known::Yes, ..facts() }, Drift::Transfer, off),
            (KeyFacts { unknown_permissions: unknown.clone(), ..facts() }, Drift::Unknown(unknown), off),
            (
                KeyFacts { ip_bound: Known::No, ip_addresses: Vec::new(), ..facts() },
                Drift::AddressOpened,
                off,
            ),
            (
                KeyFacts { ip_addresses: more, ..facts() },
                Drift::AddressAdded(vec!["192.0.2.8".to_owned()]),
                tell,
            ),
        ];
        for (after, expected, consequence) in cases {
            assert_eq!(drift(&good, &after), std::slice::from_ref(&expected));
            assert_eq!(expected.consequence(), consequence, "{expected:?}");
            assert!(drift(&after, &after).is_empty(), "what stayed as it was is no news");
        }
    }

    #[test]
    fn rights_that_shrink_are_no_drift_and_silence_counts_as_good() {
        let wide = KeyFacts {
            withdraw: Known::Yes,
            transfer: Known::Yes,
            ip_bound: Known::No,
            ip_addresses: Vec::new(),
            ..facts()
        };
        assert!(drift(&wide, &facts()).is_empty());
        let silent = KeyFacts { withdraw: Known::Unknown, transfer: Known::Unknown, ..facts() };
        assert!(drift(&facts(), &silent).is_empty());
        assert_eq!(drift(&silent, &wide)[..2], [Drift::Withdraw, Drift::Transfer]);
    }
}
