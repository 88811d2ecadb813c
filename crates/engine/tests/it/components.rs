//! What each component says, as tables that a trader can read: `tests/scenarios/components/*.txt`.
//!
//! The numbers in the tables were computed with the plain reference code or by hand, not with the code under test.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use keyhold_domain::{Candle, Decimal, Price};
use keyhold_engine::catalog::catalog;
use keyhold_engine::component::{Component, Context};
use keyhold_engine::exit_rule::ExitPlan;
use keyhold_engine::input::Facts;
use keyhold_engine::market::{BookSums, DepthSum, LevelSum, MarketFacts, Quote, Seen, TakerVolume};
use keyhold_engine::reading::{Check, Direction, Reading, Verdict};
use keyhold_engine::template::{ComponentSpec, ExitSpec, Number, ParameterValue};

use crate::series::{CONTEXT, Moment, candle};

/// One table: a component and what it is fed.
struct Scenario {
    place: String,
    spec: ComponentSpec,
    context: Context,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

fn value(text: &str) -> ParameterValue {
    if let Some(words) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return ParameterValue::Choices(words.split_whitespace().map(ToOwned::to_owned).collect());
    }
    match Decimal::from_str_exact(text) {
        Ok(number) => ParameterValue::Number(Number(number)),
        Err(_) => ParameterValue::Choice(text.to_owned()),
    }
}

fn cells(line: &str) -> Vec<String> {
    line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
}

fn read(path: &Path) -> Vec<Scenario> {
    let mut scenarios: Vec<Scenario> = Vec::new();
    for (index, line) in fs::read_to_string(path).unwrap().lines().enumerate() {
        let line = line.trim();
        if let Some(title) = line.strip_prefix("component ") {
            let (kind, role) = title.split_once(" as ").unwrap();
            let spec = serde_json::from_value(serde_json::json!({ "kind": kind, "role": role })).unwrap();
            let place = format!("{}:{}: {line}", path.display(), index + 1);
            let (context, columns, rows) = (CONTEXT, Vec::new(), Vec::new());
            scenarios.push(Scenario { place, spec, context, columns, rows });
        } else if let Some(parameters) = line.strip_prefix("with ") {
            for parameter in parameters.split(", ") {
                let (name, text) = parameter.split_once(' ').unwrap();
                scenarios.last_mut().unwrap().spec.parameters.insert(name.to_owned(), value(text));
            }
        } else if let Some(timeframe) = line.strip_prefix("candles of ") {
            scenarios.last_mut().unwrap().context.timeframe = timeframe.parse().unwrap();
        } else if let Some(exits) = line.strip_prefix("where exits are ") {
            let exits: Vec<ExitSpec> = serde_json::from_str(exits).unwrap();
            let plan = ExitPlan::compile(&exits).unwrap();
            scenarios.last_mut().unwrap().context.exits = Some(plan.distances());
        } else if line.starts_with('|') {
            let scenario = scenarios.last_mut().unwrap();
            if scenario.columns.is_empty() {
                scenario.columns = cells(line);
            } else {
                scenario.rows.push(cells(line));
            }
        } else {
            assert!(line.is_empty() || line.starts_with('#'), "{}:{}: {line}", path.display(), index + 1);
        }
    }
    scenarios
}

fn scenarios() -> Vec<Scenario> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios/components");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().flat_map(|file| read(file)).collect()
}

/// Minutes since midnight of `HH:MM`: when a candle opens, where the table says so.
fn minute_of_day(text: &str) -> i64 {
    let (hours, minutes) = text.split_once(':').unwrap();
    60 * hours.parse::<i64>().unwrap() + minutes.parse::<i64>().unwrap()
}

impl Scenario {
    fn cell(&self, row: &[String], column: &str) -> Option<String> {
        let index = self.columns.iter().position(|name| name == column)?;
        Some(row[index].clone()).filter(|cell| !cell.is_empty())
    }

    fn moment(&self, number: usize, row: &[String]) -> Moment {
        let close = self.cell(row, "close").unwrap();
        let open = self.cell(row, "open").unwrap_or_else(|| close.clone());
        let decimal = |text: &str| Decimal::from_str_exact(text).unwrap();
        let highest = decimal(&open).max(decimal(&close)).to_string();
        let lowest = decimal(&open).min(decimal(&close)).to_string();
        let high = self.cell(row, "high").unwrap_or(highest);
        let low = self.cell(row, "low").unwrap_or(lowest);
        let volume = self.cell(row, "volume").unwrap_or_else(|| "1".to_owned());
        let in_a_row = i64::try_from(number).unwrap() * self.context.timeframe.ms();
        let open_time_ms = self.cell(row, "at").map_or(in_a_row, |text| minute_of_day(&text) * 60_000);
        let mut moment = Moment::of(candle(open_time_ms, [&open, &high, &low, &close, &volume]));
        moment.timeframe = self.context.timeframe;
        moment.funding_rate = self.cell(row, "funding").map(|text| text.parse().unwrap());
        moment.market = self.market(row, &moment.candle.candle);
        let since = |column| self.cell(row, column).map(|text| text.parse().unwrap());
        moment.facts = Facts {
            candles_since_exit: since("since_exit"),
            candles_since_loss: since("since_loss"),
            candles_since_bot_exit: since("since_bot_exit"),
            candles_since_bot_loss: since("since_bot_loss"),
        };
        moment
    }

    /// What the row tells of the market; nothing when it has none of these columns.
    fn market(&self, row: &[String], candle: &Candle) -> Option<MarketFacts> {
        let at = candle.close_time(self.context.timeframe);
        let decimal = |column| self.cell(row, column).map(|text| Decimal::from_str_exact(&text).unwrap());
        // `age` says how many seconds before the close everything was seen last.
        let age = decimal("age").map_or(0, |age| i64::try_from(age).unwrap() * 1_000);
        let seen = at.plus_ms(-age);
        let price = |column| decimal(column).map(|value| Price::new(value).unwrap());
        let pair = |one, other| decimal(one).map(Number).zip(decimal(other).map(Number));
        let levels = pair("bids", "asks").map(|(bid, ask)| LevelSum { levels: 10, bid, ask });
        let within_bps = Number(Decimal::TEN);
        let depth = pair("bid_depth", "ask_depth").map(|(bid, ask)| DepthSum { within_bps, bid, ask });
        let book = (levels.is_some() || depth.is_some())
            .then(|| BookSums { levels: levels.into_iter().collect(), depth: depth.into_iter().collect() });
        let minutes = decimal("next_funding").map(|minutes| i64::try_from(minutes).unwrap());
        let facts = MarketFacts {
            quote: price("bid")
                .zip(price("ask"))
                .map(|(bid, ask)| Seen { value: Quote { bid, ask }, at: seen }),
            book: book.map(|value| Seen { value, at: seen }),
            taker: pair("bought", "sold").map(|(buy, sell)| TakerVolume { buy, sell }),
            open_interest: decimal("interest").map(|value| Seen { value: Number(value), at: seen }),
            mark: price("mark").map(|value| Seen { value, at: seen }),
            index: price("index").map(|value| Seen { value, at: seen }),
            funding: None,
            next_funding: minutes.map(|minutes| Seen { value: at.plus_ms(minutes * 60_000), at: seen }),
            ..MarketFacts::none(candle.open_time, at)
        };
        (facts != MarketFacts::none(candle.open_time, at)).then_some(facts)
    }

    fn check(&self) {
        let mut component = Component::build(&self.spec, self.context)
            .unwrap_or_else(|problems| panic!("{}: {problems:?}", self.place));
        for (number, row) in self.rows.iter().enumerate() {
            let reading = component.update(&self.moment(number, row).inputs());
            let place = format!("{}, candle {}", self.place, number + 1);
            let says = self.cell(row, "says").unwrap();
            assert_eq!(words(reading), says, "{place}: {reading:?}");
            assert_near(reading.value, self.cell(row, "value"), &format!("{place}: value"));
            assert_near(reading.limit, self.cell(row, "limit"), &format!("{place}: limit"));
        }
    }
}

fn words(reading: Reading) -> &'static str {
    match reading.verdict {
        Verdict::WarmingUp => "warming",
        Verdict::NoData => "no data",
        Verdict::Signal { direction: Direction::Long } => "long",
        Verdict::Signal { direction: Direction::Short } => "short",
        Verdict::Signal { direction: Direction::Neutral } => "neutral",
        Verdict::Check { long: Check::Pass, short: Check::Pass } => "pass",
        Verdict::Check { long: Check::Pass, short: Check::Block } => "long only",
        Verdict::Check { long: Check::Block, short: Check::Pass } => "short only",
        Verdict::Check { long: Check::Block, short: Check::Block } => "block",
    }
}

/// Equal as far as the table's digits go.
fn assert_near(actual: Option<f64>, expected: Option<String>, place: &str) {
    let Some(text) = expected else { return };
    let digits = text.split_once('.').map_or(0, |(_, digits)| digits.len());
    let half_a_digit = 0.5 * 0.1_f64.powi(i32::try_from(digits).unwrap());
    let expected: f64 = text.parse().unwrap();
    let actual = actual.unwrap_or_else(|| panic!("{place}: nothing instead of {text}"));
    assert!((actual - expected).abs() <= half_a_digit + 1e-9, "{place}: {actual} instead of {text}");
}

#[test]
fn components_say_what_the_tables_say() {
    let scenarios = scenarios();
    assert!(scenarios.len() >= 24, "only {} tables were found", scenarios.len());
    for scenario in scenarios {
        assert!(scenario.rows.len() >= 2, "{}", scenario.place);
        scenario.check();
    }
}

#[test]
fn every_component_has_a_table_for_every_role() {
    let told: BTreeSet<_> =
        scenarios().into_iter().map(|scenario| (scenario.spec.kind, scenario.spec.role)).collect();
    for entry in catalog().components {
        for role in entry.roles {
            assert!(told.contains(&(entry.kind.to_owned(), role.role)), "{} as {:?}", entry.kind, role.role);
        }
    }
}
