//! How long a stop may take before the process is ended from outside.

use keyhold_domain::Timestamp;

/// Closing positions and flushing reports may take this long; after it the process is killed. Positions that are still
/// open then keep the stops that rest at their venue.
const GRACE_MS: i64 = 150_000;
/// A bot that is not connected cannot hear its stop; it gets this long to come back.
const UNHEARD_MS: i64 = 20_000;

/// Whether a stopping process is left in peace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// It winds down by itself.
    Wait,
    /// It has had its time.
    Over,
}

/// Whether the bot can hear its stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hearing {
    /// It is connected.
    Connected,
    /// It is not.
    Away,
}

/// Judges a stop that was first seen at `since`.
pub(super) const fn patience(since: Timestamp, hearing: Hearing, now: Timestamp) -> Patience {
    let limit = match hearing {
        Hearing::Connected => GRACE_MS,
        Hearing::Away => UNHEARD_MS,
    };
    if now.since_ms(since) < limit { Patience::Wait } else { Patience::Over }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connected_bot_gets_its_time_and_an_absent_one_less() {
        let at = Timestamp::from_ms;
        let cases = [
            (Hearing::Connected, 149_999, Patience::Wait),
            (Hearing::Connected, 150_000, Patience::Over),
            (Hearing::Away, 19_999, Patience::Wait),
            (Hearing::Away, 20_000, Patience::Over),
        ];
        for (hearing, now, expected) in cases {
            assert_eq!(patience(at(0), hearing, at(now)), expected, "{hearing:?} {now}");
        }
    }
}
