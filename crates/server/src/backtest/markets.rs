//! Which instruments: the options of all of them, what differs for one, and where its candles are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use keyhold_domain::{
    Asset, ContractType, Decimal, Exchange, Instrument, InstrumentStatus, Quantity, Rate, Symbol,
};

use super::CommandError;
use super::options::Assumed;

/// Quote currencies that symbols end with.
const QUOTES: [&str; 3] = ["USDT", "USDC", "USD"];

/// One instrument as the command line describes it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct MarketOptions {
    pub(super) instrument: Instrument,
    pub(super) candles: PathBuf,
    pub(super) funding: Option<String>,
}

/// What differs for one instrument, by name.
type Differing = BTreeMap<String, String>;

const NAMES: [&str; 7] = ["tick", "lot", "base", "multiplier", "maker_fee", "taker_fee", "funding"];

/// All instruments of a command, in the order of `--candles`.
pub(super) fn markets(options: &Assumed) -> Result<Vec<MarketOptions>, CommandError> {
    let mut differing = BTreeMap::new();
    for text in &options.instrument {
        let (symbol, values) = read_differing(text)?;
        differing.insert(symbol, values);
    }
    let mut found = Vec::new();
    for text in &options.candles {
        let (symbol, candles) = read_candles(text, options.symbol);
        let own = differing.remove(&symbol).unwrap_or_default();
        found.push(MarketOptions {
            instrument: instrument(options, symbol, &own)?,
            funding: own.get("funding").cloned().or_else(|| options.funding.clone()),
            candles,
        });
    }
    match differing.keys().next() {
        Some(symbol) => Err(wrong("instrument", format!("describes {symbol}, and no --candles name it"))),
        None => Ok(found),
    }
}

/// `BTCUSDT=btc.csv.gz`, or a file alone.
fn read_candles(text: &str, usual: Symbol) -> (Symbol, PathBuf) {
    let named = text.split_once('=').filter(|_| !Path::new(text).exists());
    match named.and_then(|(symbol, path)| Some((symbol.parse::<Symbol>().ok()?, path))) {
        Some((symbol, path)) => (symbol, PathBuf::from(path)),
        None => (usual, PathBuf::from(text)),
    }
}

/// `ETHUSDT:tick=0.01,lot=0.01`.
fn read_differing(text: &str) -> Result<(Symbol, Differing), CommandError> {
    let form =
        || wrong("instrument", format!("has the form SYMBOL:NAME=VALUE,... with {}", NAMES.join(", ")));
    let (symbol, list) = text.split_once(':').ok_or_else(form)?;
    let symbol = symbol.parse::<Symbol>().map_err(|_| form())?;
    let mut values = Differing::new();
    for pair in list.split(',') {
        let (name, value) = pair.split_once('=').ok_or_else(form)?;
        if !NAMES.contains(&name) {
            return Err(form());
        }
        values.insert(name.to_owned(), value.to_owned());
    }
    Ok((symbol, values))
}

fn wrong(option: &'static str, what: String) -> CommandError {
    CommandError::Option { option, what }
}

fn instrument(options: &Assumed, symbol: Symbol, own: &Differing) -> Result<Instrument, CommandError> {
    let number = |name: &'static str, usual: Decimal| -> Result<Decimal, CommandError> {
        let Some(text) = own.get(name) else { return Ok(usual) };
        Decimal::from_str_exact(text)
            .map_err(|_| wrong("instrument", format!("has {name}={text} for {symbol}, which is no number")))
    };
    let positive = |name: &'static str, usual: Decimal| -> Result<Decimal, CommandError> {
        let value = number(name, usual)?;
        if value > Decimal::ZERO {
            Ok(value)
        } else {
            Err(wrong(name, "must be greater than zero".to_owned()))
        }
    };
    let usual_lot = match options.contract {
        ContractType::Linear => Decimal::new(1, 3),
        ContractType::Inverse => Decimal::ONE,
    };
    let lot = positive("lot", options.lot.unwrap_or(usual_lot))?;
    let base = match own.get("base") {
        Some(text) => text.parse().map_err(|_| wrong("instrument", format!("has no asset named {text}")))?,
        None => options.base.unwrap_or_else(|| base_of(symbol, options.quote)),
    };
    Ok(Instrument {
        exchange: Exchange::Bybit,
        symbol,
        base,
        quote: options.quote,
        settle: match options.contract {
            ContractType::Linear => options.quote,
            ContractType::Inverse => base,
        },
        contract_type: options.contract,
        multiplier: positive("multiplier", options.multiplier)?,
        tick: positive("tick", options.tick)?,
        lot,
        min_quantity: Quantity::new(lot).map_err(|_| wrong("lot", "must be greater than zero".to_owned()))?,
        max_quantity: None,
        min_notional: None,
        max_leverage: Decimal::ONE_HUNDRED,
        maintenance_margin: Rate::new(Decimal::new(5, 3)),
        maker_fee: Rate::new(number("maker_fee", options.maker_fee)?),
        taker_fee: Rate::new(number("taker_fee", options.taker_fee)?),
        funding_interval_hours: 8,
        status: InstrumentStatus::Trading,
    })
}

/// `BTC` of `BTCUSDT`; the quote currency when nothing else can be told.
fn base_of(symbol: Symbol, quote: Asset) -> Asset {
    let text = symbol.as_str();
    let endings = [quote.as_str()].into_iter().chain(QUOTES);
    let base = endings.filter_map(|ending| text.strip_suffix(ending)).find(|base| !base.is_empty());
    base.unwrap_or(text).parse().unwrap_or(quote)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_and_files_are_told_apart() {
        let usual: Symbol = "BTCUSDT".parse().unwrap();
        let read = |text: &str| {
            let (symbol, path) = read_candles(text, usual);
            (symbol.to_string(), path.display().to_string())
        };
        assert_eq!(read("a/b.csv"), ("BTCUSDT".to_owned(), "a/b.csv".to_owned()));
        assert_eq!(read("ETHUSDT=a/b.csv"), ("ETHUSDT".to_owned(), "a/b.csv".to_owned()));
        let asset = |symbol: &str| base_of(symbol.parse().unwrap(), "USDT".parse().unwrap()).to_string();
        assert_eq!(["ETHUSDT", "BTCUSD", "SOLUSDC", "X"].map(asset), ["ETH", "BTC", "SOL", "X"]);
    }

    #[test]
    fn what_differs_is_read_or_refused() {
        let (symbol, values) = read_differing("ETHUSDT:tick=0.01,funding=eth.csv").unwrap();
        assert_eq!(symbol.as_str(), "ETHUSDT");
        assert_eq!(values["funding"], "eth.csv");
        for wrong in ["ETHUSDT", "ETHUSDT:tick", "ETHUSDT:color=red", ":tick=1"] {
            assert!(read_differing(wrong).is_err(), "{wrong}");
        }
    }
}
