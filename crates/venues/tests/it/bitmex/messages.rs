//! Messages as the venue sent them.

use keyhold_domain::{ContractType, Environment, Exchange};
use keyhold_domain::{Liquidity, OrderStatus, SignedQuantity, Timestamp};
use keyhold_venues::bitmex::convert::Execution;
use keyhold_venues::bitmex::image::{Action, Levels};
use keyhold_venues::bitmex::wire::{self, WireBucket, WireInstrument};
use keyhold_venues::bitmex::{bins, convert, convert_market};
use keyhold_venues::{Endpoints, WireError};
use serde::Deserialize;

use super::inverse;
use crate::counts::{self, Count, Kind};
use crate::support::shared;

/// Messages of the venue that the port does not read, and why.
const NOT_OFFERED: &[(&str, &str)] = &[
    ("credential_post_order.json", "the body of a signing vector"),
    ("ws_liquidation.json", "other people's liquidations"),
    ("ws_orderbook_10.json", "books are kept from the table with the levels' ids"),
    ("ws_quote.json", "best prices come with the instrument"),
    ("ws_wallet.json", "balances come with the margin"),
];

fn read<'a, T: Deserialize<'a>>(text: &'a [u8]) -> T {
    wire::json("message", text).unwrap()
}

fn bucket(row: &WireBucket<'_>) -> keyhold_domain::Candle {
    bins::candle(row, bins::Bin::M1, inverse()).unwrap().unwrap()
}

/// Decodes one message; says how many records it held. `None` when the file is in no table.
fn decode(name: &str, text: &[u8]) -> Option<usize> {
    Some(match name {
        "http_get_instrument_xbtusd.json" => {
            let row: WireInstrument<'_> = read(text);
            assert!(convert_market::is_perpetual(&row));
            let contract = convert_market::contract(&row).unwrap();
            assert_eq!(contract, inverse());
            let instrument = convert_market::instrument(&row, contract).unwrap();
            assert_eq!(
                (instrument.lot.to_string(), instrument.tick.to_string()),
                ("100".into(), "0.1".into())
            );
            assert_eq!(instrument.max_leverage.to_string(), "100");
            assert_eq!(instrument.funding_interval_hours, 8);
            let ticker = convert_market::ticker(&row, contract, Timestamp::EPOCH).unwrap();
            assert_eq!(ticker.funding_rate.unwrap().to_string(), "0.00011");
            assert_eq!(ticker.index.unwrap().to_string(), "97843.77");
            1
        }
        "http_get_instrument_xbtm26_xbtu26_spread.json" => {
            // A spread of dated futures.
            assert!(!convert_market::is_perpetual(&read(text)));
            1
        }
        _ => return decode_account(name, text).or_else(|| decode_market(name, text)),
    })
}

fn decode_account(name: &str, text: &[u8]) -> Option<usize> {
    let contract = inverse();
    Some(match name {
        "http_get_positions.json" => {
            let rows: Vec<wire::WirePosition<'_>> = read(text);
            for row in &rows {
                convert::position(row, contract).unwrap();
            }
            rows.len()
        }
        "ws_execution.json" => {
            let Execution::Fill(fill, None) = convert::execution(&read(text), contract).unwrap() else {
                panic!("not read as a fill")
            };
            assert_eq!((fill.liquidity, fill.fee.to_string()), (Liquidity::Maker, "0.00000076 BTC".into()));
            1
        }
        "ws_margin.json" => {
            let balance = convert::balance(&read(text)).unwrap().unwrap();
            assert_eq!(balance.equity.to_string(), "1.0001036");
            1
        }
        "ws_order.json" => {
            let order = convert::open_order(&read(text), contract).unwrap();
            assert_eq!((order.status, order.client_id), (OrderStatus::Open, None));
            1
        }
        "ws_position.json" => {
            let position = convert::position(&read(text), contract).unwrap();
            assert_eq!(position.size, SignedQuantity::new("1000".parse().unwrap()));
            1
        }
        _ => return None,
    })
}

fn decode_market(name: &str, text: &[u8]) -> Option<usize> {
    let contract = inverse();
    Some(match name {
        "http_get_trade_bins.json" => {
            let rows: Vec<WireBucket<'_>> = read(text);
            let candles: Vec<_> = rows.iter().map(bucket).collect();
            assert_eq!(candles[0].open_time.to_string(), "2024-11-25T10:29:00.000Z");
            candles.len()
        }
        "http_get_trades.json" => {
            let rows: Vec<wire::WireTrade<'_>> = read(text);
            rows.iter().filter(|row| convert_market::trade(row, contract).unwrap().is_some()).count()
        }
        "ws_funding_rate.json" => {
            convert_market::funding_rate(&read(text)).unwrap();
            1
        }
        "ws_instrument_index_update.json" => {
            let ticker = convert_market::ticker(&read(text), contract, Timestamp::EPOCH).unwrap();
            assert_eq!(ticker.index.unwrap().to_string(), "75847.62");
            assert_eq!((ticker.last, ticker.mark), (None, None));
            1
        }
        "ws_orderbook_l2.json" => {
            let rows: [wire::WireLevel<'_>; 1] = [read(text)];
            let mut levels = Levels::default();
            let update =
                levels.take(Action::Partial, &rows, contract, Timestamp::from_ms(1)).unwrap().unwrap();
            assert_eq!(update.asks.len(), 1);
            1
        }
        "ws_trade_bin_1m.json" => {
            assert_eq!(bucket(&read(text)).open_time.to_string(), "2024-11-23T20:06:00.000Z");
            1
        }
        _ => return None,
    })
}

#[test]
pub(crate) fn messages_of_the_venue_are_read() {
    let Some(folder) = shared("conformance/wire/bitmex") else { return };
    let (mut files, mut records, mut not_offered) = (0, 0, 0);
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if NOT_OFFERED.iter().any(|(known, _)| *known == name) {
            not_offered += 1;
            continue;
        }
        let text = std::fs::read(&path).unwrap();
        records += decode(&name, &text).unwrap_or_else(|| panic!("{name}: in no table"));
        files += 1;
    }
    println!("messages: {files} files with {records} records, {not_offered} not offered");
    counts::tell("bitmex", Kind::Wire, Count { run: files, not_offered, suspect: 0 });
    assert!(files >= 12);
}

#[test]
fn quanto_contracts_are_refused_by_name() {
    let row: WireInstrument<'_> = read(
        br#"{"symbol":"ETHUSD","typ":"FFWCSX","isQuanto":true,"isInverse":false,"multiplier":100,"settlCurrency":"XBt"}"#,
    );
    let refused = convert_market::contract(&row).unwrap_err();
    assert!(matches!(refused, WireError::Invalid { field: "isQuanto", .. }), "{refused}");
}

#[test]
fn there_is_no_live_address() {
    for environment in [Environment::Live, Environment::Testnet] {
        assert!(Endpoints::standard(Exchange::Bitmex, environment, ContractType::Linear).is_err());
    }
    let simulated = Endpoints::simulated(Exchange::Bitmex, ContractType::Linear, "https://www.bitmex.com");
    assert!(simulated.is_err());
}
