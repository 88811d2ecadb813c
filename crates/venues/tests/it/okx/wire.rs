//! Every recorded message of OKX is read or named. What single ones say in full stands in [`super::messages`].

use keyhold_domain::{ContractType, Timestamp};
use keyhold_venues::WireError;
use keyhold_venues::common::market_feed::News;
use keyhold_venues::okx::wire::{self, WireFill, WireInstrument, WireOrder, WireStop};
use keyhold_venues::okx::{convert, convert_market, market_stream};

use super::sizes;
use crate::counts::{self, Count, Kind};
use crate::support::shared;

/// Messages that the port does not read, with the reason.
const NOT_OFFERED: &[(&str, &str)] = &[
    ("http_balance_detail_new_fields", "a row of a balance by itself"),
    ("http_get_account_positions-history", "positions that ended are known by their fills"),
    ("http_get_instruments_futures", "contracts that expire"),
    ("http_get_instruments_margin", "margin trading of spot"),
    ("http_get_instruments_spot", "spot"),
    ("http_get_order_book", "books come over the stream"),
    ("http_get_position_tiers", "margin is that of an ordinary user's smallest position"),
    ("http_get_spread_orders", "spreads"),
    ("http_get_spread_trades", "spreads"),
    ("http_get_spreads", "spreads"),
    ("ws_bbo_tbt", "books come by the channel of 400 levels"),
    ("ws_instruments", "instruments are asked for"),
    ("ws_opt_summary", "options"),
    ("ws_orders_fok", "spot"),
    ("ws_orders_ioc", "spot"),
];

fn count<T, V>(rows: &[T], read: impl Fn(&T) -> Result<V, WireError>) -> usize {
    rows.iter().map(read).collect::<Result<Vec<_>, _>>().unwrap().len()
}

fn orders(text: &[u8]) -> usize {
    let rows: Vec<WireOrder<'_>> = wire::rows("orders", text).unwrap();
    count(&rows, |row| convert::open_order(row, &sizes()))
}

fn stops(text: &[u8]) -> usize {
    let rows: Vec<WireStop<'_>> = wire::rows("stops", text).unwrap();
    count(&rows, |row| convert::open_stop(row, &sizes()))
}

fn balances(text: &[u8]) -> usize {
    count(&wire::rows("balance", text).unwrap(), convert::balances)
}

fn instruments(text: &[u8]) -> usize {
    let rows: Vec<WireInstrument<'_>> = wire::rows("instruments", text).unwrap();
    let read = |row: &WireInstrument<'_>| {
        convert_market::instrument(convert_market::contract_type(row).unwrap(), row)
    };
    assert!(rows.iter().any(|row| convert_market::contract_type(row) == Some(ContractType::Inverse)));
    count(&rows, read)
}

/// A spot fill in place of one of a contract; the form is the same.
fn fill(text: &[u8]) -> Result<(), WireError> {
    let text = String::from_utf8(text.to_vec()).unwrap().replace("BTC-USDT", "BTC-USDT-SWAP");
    let row: WireFill<'_> = wire::json("fill", text.as_bytes()).unwrap();
    convert::fill(&row, None, &sizes()).map(drop)
}

/// A message of the market; spot names stand for those of contracts.
fn market(text: &[u8]) -> usize {
    let text = String::from_utf8(text.to_vec()).unwrap();
    let text = text.replace("\"BTC-USDT\"", "\"BTC-USDT-SWAP\"").replace("\"BTC-USD\"", "\"BTC-USD-SWAP\"");
    let news = market_stream::read(&text.replace("candle1D", "candle1Dutc"), &sizes(), Timestamp::from_ms(1));
    let is_read = |news: &&News| !matches!(news, News::Heard(..) | News::Unreadable(..));
    let read = news.iter().filter(is_read).count();
    assert!(read > 0 && !news.iter().any(|one| matches!(one, News::Unreadable(..))), "{news:?}");
    read
}

/// How many records a message held. `None` when it is in no table.
fn read(name: &str, text: &[u8]) -> Option<usize> {
    let now = Timestamp::from_ms(1);
    Some(match name {
        "http_get_account_balance" | "ws_account" | "ws_account_empty" => balances(text),
        "http_get_candlesticks_full" => {
            let rows: Vec<Vec<keyhold_venues::common::field::Field<'_>>> =
                wire::rows("candles", text).unwrap();
            count(&rows, |row| convert_market::candle(row, "0.01".parse().unwrap()))
        }
        "http_get_funding_rate_history" => {
            count(&wire::rows("rates", text).unwrap(), convert_market::funding_rate)
        }
        "http_get_index_price" => {
            let symbol = "BTC-USDT-SWAP".parse().unwrap();
            count(&wire::rows("index", text).unwrap(), |row| convert_market::index(row, symbol, now))
        }
        "http_get_mark_price" => {
            count(&wire::rows("mark", text).unwrap(), |row| convert_market::mark(row, now))
        }
        "http_get_instruments_swap" => instruments(text),
        "http_get_orders_algo_pending_attached_oco"
        | "http_get_orders_algo_pending_close_fraction"
        | "ws_orders_algo" => stops(text),
        "http_get_orders_history"
        | "http_get_orders_pending"
        | "ws_orders"
        | "ws_orders_liquidation"
        | "ws_orders_optimal_limit_ioc" => orders(text),
        "http_get_positions" => {
            count(&wire::rows("positions", text).unwrap(), |row| convert::position(row, &sizes()))
        }
        "http_get_trade_fee_response" => {
            count(&wire::rows("fees", text).unwrap(), |row| convert_market::fees(row, "USDT"))
        }
        "http_transaction_detail" => {
            fill(text).unwrap();
            1
        }
        "http_transaction_detail_empty_fee" => {
            assert_eq!(fill(text), Err(WireError::Missing { what: "fill", field: "fee" }));
            1
        }
        "ws_books_snapshot" | "ws_books_update" | "ws_candle" | "ws_funding_rate" | "ws_trades" => {
            market(text)
        }
        _ => return None,
    })
}

#[test]
pub(crate) fn every_recorded_message_is_read() {
    let Some(folder) = shared("conformance/wire/okx") else { return };
    let (mut messages, mut records, mut not_offered) = (0, 0, 0);
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        if NOT_OFFERED.iter().any(|(known, _)| *known == name) {
            not_offered += 1;
            continue;
        }
        println!("reading {name}");
        let text = std::fs::read(&path).unwrap();
        records += read(name, &text).unwrap_or_else(|| panic!("{name}: in no table"));
        messages += 1;
    }
    println!("messages: {messages} with {records} records, {not_offered} not offered");
    counts::tell("okx", Kind::Wire, Count { run: messages, not_offered, suspect: 0 });
    assert_eq!(not_offered, NOT_OFFERED.len());
}
