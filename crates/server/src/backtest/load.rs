//! Reads what a command needs: template, settings, candles, funding and what else was recorded.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use keyhold_domain::{ContractType, Decimal, Instrument, Rate, Timeframe};
use keyhold_engine::check::check_document;
use keyhold_engine::settings::BotSettings;
use keyhold_engine::system_templates;
use keyhold_engine::template::Template;
use keyhold_simulator::backtest::{Funding, History, Spec};
use keyhold_simulator::checks::Recorded;
use serde_json::Value;

use super::error::file;
use super::markets::markets;
use super::options::Assumed;
use super::{CommandError, candles, series};

/// Everything that was read.
pub(super) struct Loaded {
    pub(super) spec: Spec,
    pub(super) recorded: Vec<Recorded>,
}

impl Loaded {
    /// Reads what the options name.
    pub(super) fn new(options: &Assumed) -> Result<Self, CommandError> {
        let template = load_template(&options.template)?;
        let mut recorded = Vec::new();
        for market in markets(options)? {
            let candles = candles::read(&market.candles, &market.instrument)?;
            recorded.push(Recorded {
                instrument: market.instrument,
                funding: funding(market.funding.as_deref())?,
                besides: Arc::new(series::read(&market.series, &candles)?),
                candles,
            });
        }
        let first = recorded.first().ok_or_else(|| CommandError::Option {
            option: "candles",
            what: "is needed at least once".to_owned(),
        })?;
        let mut spec =
            Spec::new(template, first.instrument, settings(options)?, equity(options, &first.instrument));
        spec.from = options.from()?;
        spec.until = options.until()?;
        spec.fills.slippage_bps = options.slippage_bps;
        spec.unsupported = options.unsupported.into();
        Ok(Self { spec, recorded })
    }

    /// The candles in these timeframes. The recorded ones are given up: a long history is held once.
    pub(super) fn histories(
        self,
        timeframes: &BTreeSet<Timeframe>,
    ) -> Result<(Spec, Vec<History>), CommandError> {
        let mut histories = Vec::new();
        for one in self.recorded {
            let wanted = timeframes.iter().copied();
            let mut history = History::of(one.instrument, one.funding, one.candles, wanted)?;
            history.recorded = one.besides;
            histories.push(history);
        }
        Ok((self.spec, histories))
    }
}

/// A template by the name of a built-in one, or from a file with all its problems at once.
pub(crate) fn load_template(name: &str) -> Result<Template, CommandError> {
    let built_in = system_templates::all();
    if let Some(found) = built_in.iter().find(|template| template.id == name) {
        return Ok(found.template.clone());
    }
    let path = Path::new(name);
    if !path.exists() {
        let known: Vec<&str> = built_in.iter().map(|template| template.id).collect();
        return Err(CommandError::NoTemplate { name: name.to_owned(), known: known.join(", ") });
    }
    let value: Value = document(path, "template")?;
    check_document(&value).map_err(|problems| CommandError::Problems { path: path.to_path_buf(), problems })
}

/// A JSON document of a kind.
pub(super) fn document<T: serde::de::DeserializeOwned>(
    path: &Path,
    kind: &'static str,
) -> Result<T, CommandError> {
    let text = fs::read(path).map_err(file(path))?;
    serde_json::from_slice(&text).map_err(|error| CommandError::Document {
        path: path.to_path_buf(),
        kind,
        reason: error.to_string(),
    })
}

/// Ten thousand stable coins, or one of the coins that an inverse contract settles in.
fn equity(options: &Assumed, instrument: &Instrument) -> Decimal {
    options.equity.unwrap_or(match instrument.contract_type {
        ContractType::Linear => Decimal::from(10_000),
        ContractType::Inverse => Decimal::ONE,
    })
}

fn settings(options: &Assumed) -> Result<BotSettings, CommandError> {
    match &options.settings {
        Some(path) => document(path, "settings document"),
        None => Ok(BotSettings::new(options.sizing(), options.leverage)),
    }
}

fn funding(text: Option<&str>) -> Result<Funding, CommandError> {
    match text {
        None | Some("off") => Ok(Funding::Off),
        Some(text) => match Decimal::from_str_exact(text) {
            Ok(rate) => Ok(Funding::Constant(Rate::new(rate))),
            Err(_) => candles::read_funding(Path::new(text)).map(Funding::History),
        },
    }
}
