//! One suite for every venue: each is a row in [`rows`], and every test runs over every row.
//!
//! The venues are the simulated twins, embedded in the test on virtual time; see [`bench`]. What is peculiar to a venue
//! stays in the folder named after it. A new test is a function over a row and a line in [`suite`].

pub(crate) mod bench;
mod burst;
pub(crate) mod heard;
mod keys;
mod market;
pub(crate) mod rows;
mod spoil;
pub(crate) mod trade;
mod trouble;
mod unasked;
pub(crate) mod wire;

use std::pin::Pin;

use keyhold_domain::Exchange;

use rows::Row;

/// The row of a product of an exchange: linear contracts first.
fn row(exchange: Exchange, product: usize) -> &'static Row {
    &rows::rows_of(exchange)[product]
}

/// A runtime of its own whose time passes when everybody waits. One for all tests: a runtime is compiled for each kind of
/// future, and there are hundreds of tests.
fn on_virtual_time(test: Pin<Box<dyn Future<Output = ()>>>) {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    built.unwrap().block_on(test);
}

macro_rules! tests {
    ($exchange:expr, $product:expr; $($file:ident::$test:ident),+ $(,)?) => {
        $(#[test]
        fn $test() {
            crate::kit::on_virtual_time(Box::pin(crate::kit::$file::$test(crate::kit::row($exchange, $product))));
        })+
    };
}

/// Every test of the kit for one product of one exchange.
macro_rules! suite {
    ($($name:ident: $exchange:ident, $product:literal;)+) => {
        $(mod $name {
            tests! {
                keyhold_domain::Exchange::$exchange, $product;
                market::the_market_is_read,
                market::candles_are_heard_without_gaps,
                market::candles_form,
                market::a_close_amid_a_reconnection_is_told_at_once,
                market::a_missed_close_is_asked_for_again,
                keys::keys_are_told_apart,
                trade::orders_rest_and_end,
                trade::a_stop_ends_a_position,
                trade::reducing_never_opens,
                trade::partial_fills_add_up,
                trade::all_orders_end,
                trouble::lost_answers_are_resolved,
                trouble::a_late_answer_is_an_unknown_outcome,
                trouble::a_wrong_clock_is_read_again,
                trouble::messages_twice_and_out_of_order,
                trouble::the_account_is_heard_again,
                market::a_silent_market_is_heard_again,
                market::lost_messages_leave_no_gap,
                unasked::funding_is_told,
                unasked::a_liquidation_is_told,
                burst::ten_times_the_allowance,
            }
        })+

        /// The suites there are.
        const SUITES: &[(Exchange, usize)] = &[$((Exchange::$exchange, $product)),+];
    };
}

suite! {
    bybit_linear: Bybit, 0;
    bybit_inverse: Bybit, 1;
    kraken_linear: KrakenFutures, 0;
    kraken_inverse: KrakenFutures, 1;
    okx_linear: Okx, 0;
    okx_inverse: Okx, 1;
    bitmex_linear: Bitmex, 0;
    bitmex_inverse: Bitmex, 1;
    binance_linear: Binance, 0;
    binance_inverse: Binance, 1;
}

#[test]
fn every_row_is_played() {
    for exchange in Exchange::ALL.iter().copied() {
        for product in 0..rows::rows_of(exchange).len() {
            assert!(SUITES.contains(&(exchange, product)), "{exchange} {product}");
        }
    }
}
