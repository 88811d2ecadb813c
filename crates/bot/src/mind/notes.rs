//! The engine's notes as entries of the activity feed: a code, how much it matters, a sentence.

use keyhold_domain::{ReasonCode, RefusalCode, Symbol};
use keyhold_engine::action::Note;
use keyhold_protocol::uplink::{EventReport, Severity};

/// The entry for a note.
pub(super) fn report(note: &Note, symbol: Symbol) -> EventReport {
    let (severity, code, text) = words(note);
    EventReport { severity, code, text, symbol: Some(symbol) }
}

fn words(note: &Note) -> (Severity, ReasonCode, String) {
    use Severity::{Critical, Info, Warning};
    match note {
        Note::OrderRefused { client_id, code } => {
            (Warning, refused(*code), format!("The exchange refused order {client_id}: {code}."))
        }
        Note::EntryGivenUp { client_id } => {
            let text = format!("Entry {client_id} could not be sent in time and was given up.");
            (Warning, ReasonCode::ExchangeDown, text)
        }
        Note::PartialFill { client_id } => {
            let text = format!("Order {client_id} ended after a part of it was filled.");
            (Info, ReasonCode::PartialFill, text)
        }
        Note::ImpossibleNews { client_id, error } => {
            let text =
                format!("The exchange reported something impossible about order {client_id}: {error}.");
            (Warning, ReasonCode::PositionMismatch, text)
        }
        Note::OrphanOrder { client_id } => {
            let text = format!("Order {client_id} rests at the exchange and is not needed; it is canceled.");
            (Warning, ReasonCode::OrphanOrder, text)
        }
        Note::ForeignFill(fill) => {
            let text = format!(
                "An order that is not the bot's was filled: {} {} at {}.",
                fill.side, fill.quantity, fill.price
            );
            (Warning, ReasonCode::PositionExternal, text)
        }
        Note::StopMissing { retry_at } => {
            let text = format!("No stop rests at the exchange; it is placed again at {retry_at}.");
            (Critical, ReasonCode::PositionMismatch, text)
        }
        Note::Slippage { bps } => {
            let text = format!("A fill was {bps} basis points worse than decided.");
            (Warning, ReasonCode::LimitSlippage, text)
        }
        Note::Position(code) => (Critical, *code, position(*code).to_owned()),
        Note::StaleData => {
            (Warning, ReasonCode::StaleData, "The newest candle is older than two intervals.".to_owned())
        }
        Note::FeedGap { from, until } => {
            let text = format!("Candles from {from} to {until} could not be had.");
            (Warning, ReasonCode::StaleData, text)
        }
        Note::LimitHit(code) => {
            let text = "A limit has paused the bot until it is cleared by hand.".to_owned();
            (Critical, *code, text)
        }
        Note::Overflow => {
            let text = "A number was too large to compute with; the exchange is asked again.".to_owned();
            (Critical, ReasonCode::PositionMismatch, text)
        }
    }
}

fn position(code: ReasonCode) -> &'static str {
    match code {
        ReasonCode::PositionClosedExternally => "The position was closed outside of the bot.",
        ReasonCode::PositionExternal => {
            "The exchange shows a position that is not the bot's; it is left alone."
        }
        ReasonCode::Liquidated => "The exchange has liquidated the position.",
        _ => "Bot and exchange show different positions; the exchange is asked again.",
    }
}

fn refused(code: RefusalCode) -> ReasonCode {
    keyhold_venues::error::key_diagnosis(code, keyhold_venues::error::Asked::ToTrade)
        .unwrap_or(ReasonCode::LimitOrderErrors)
}
