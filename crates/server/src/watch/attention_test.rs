//! What needs a person is listed once, worst first, and nothing else is.

use keyhold_domain::time::DAY_MS;
use keyhold_domain::{KeyFacts, Known, SignedQuantity, Timestamp};
use keyhold_protocol::uplink::{PositionReport, StopPlace};
use keyhold_provision::BotStatus;
use keyhold_store::{ApiKey, Bot, Headline, OpenPosition, VerificationState};

use super::attention::{Attention, Situation, Watched, attention};
use super::samples::{BOT, NOW, bot, key, symbol};

fn position(stop: StopPlace) -> OpenPosition {
    OpenPosition {
        bot: BOT,
        report: PositionReport {
            symbol: symbol(),
            size: "0.1".parse::<SignedQuantity>().unwrap(),
            entry: None,
            mark: None,
            unrealized: None,
            settle: "USDT".parse().unwrap(),
            stop: None,
            stop_at_venue: stop,
            target: None,
            liquidation: None,
            opened_at: None,
        },
        updated_at: NOW,
    }
}

fn headline(code: &str) -> Headline {
    Headline { bot: BOT, symbol: symbol(), at: NOW, code: code.to_owned() }
}

fn list(
    bot: &Bot,
    status: BotStatus,
    key: &ApiKey,
    positions: &[OpenPosition],
    headlines: &[Headline],
) -> Vec<Attention> {
    attention(&Situation {
        bots: &[Watched { bot, status }],
        keys: &[key],
        positions: &positions.iter().collect::<Vec<_>>(),
        headlines,
        now: NOW,
    })
}

fn codes(list: &[Attention]) -> Vec<&str> {
    list.iter().map(|one| one.code.as_str()).collect()
}

#[test]
fn nothing_to_do_is_an_empty_list() {
    let found =
        list(&bot(), BotStatus::Online, &key(), &[position(StopPlace::Venue)], &[headline("NO_SIGNAL")]);
    assert_eq!(found, []);
}

#[test]
fn an_offline_bot_with_a_bare_position_comes_first() {
    let mut broken = key();
    broken.verification.state = VerificationState::Failed;
    broken.verification.code = Some("KEY_EXPIRED".to_owned());
    let bare = [position(StopPlace::Bot)];
    let found = list(&bot(), BotStatus::Offline, &broken, &bare, &[headline("LIMIT_DAILY_LOSS")]);
    assert_eq!(codes(&found), ["BOT_OFFLINE", "KEY_EXPIRED", "LIMIT_DAILY_LOSS"]);
    assert!(found[0].text.contains("no stop at the exchange"), "{}", found[0].text);
    let safe = list(&bot(), BotStatus::Offline, &key(), &[position(StopPlace::Venue)], &[]);
    assert!(safe[0].text.contains("rest at the exchange"), "{}", safe[0].text);
}

#[test]
fn what_is_missing_is_said_with_where_to_add_it() {
    let mut bare = bot();
    bare.template = None;
    let mut empty = key();
    empty.instruments.clear();
    let found = list(&bare, BotStatus::Online, &empty, &[], &[]);
    assert_eq!(codes(&found), ["NO_INSTRUMENT", "NO_TEMPLATE"]);
    assert_eq!(found[0].link, format!("/keys/{}", empty.id));
    bare.wish = keyhold_store::Wish::Stopped;
    assert_eq!(list(&bare, BotStatus::Stopped, &empty, &[], &[]), [], "a stopped bot needs nothing");
}

#[test]
fn a_key_is_worth_a_word_two_weeks_before_it_expires() {
    let expiring = |at: Timestamp| {
        let mut key = key();
        key.verification.facts = Some(KeyFacts {
            read: Known::Yes,
            trade: Known::Yes,
            withdraw: Known::No,
            transfer: Known::No,
            ip_bound: Known::No,
            ip_addresses: Vec::new(),
            expires_at: Some(at),
            unknown_permissions: Vec::new(),
            contract_types: Vec::new(),
        });
        list(&bot(), BotStatus::Online, &key, &[], &[])
    };
    assert_eq!(expiring(NOW.plus_ms(14 * DAY_MS)), []);
    assert_eq!(codes(&expiring(NOW.plus_ms(3 * DAY_MS))), ["KEY_EXPIRING"]);
    assert_eq!(codes(&expiring(NOW)), ["KEY_EXPIRED"]);
}
