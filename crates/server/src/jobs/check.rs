//! Everything that is wrong with a backtest before it is queued, at once: template, settings, markets, range, candles.
//!
//! What passes here is complete: the run needs nothing but the request and the recorded candles.

use std::sync::Arc;

use keyhold_domain::{Decimal, Instrument, Rate, TemplateId, Timeframe, Timestamp};
use keyhold_engine::check::check_template;
use keyhold_engine::problem::Problem as EngineProblem;
use keyhold_engine::template::Template;
use keyhold_history::HistoryError;
use keyhold_simulator::backtest::{RecordedFacts, unsupported};
use serde::Serialize;
use utoipa::ToSchema;

use super::coverage::{Recorded, Span, between, count, within};
use super::request::{
    Assumed, BacktestRequest, Fees, FundingChoice, GapChoice, MOST_CANDLES, Place, RunMarket,
    UnsupportedChoice,
};
use super::unreadable;
use crate::api::documents::engine_problems;
use crate::app::App;
use crate::http::problem::{FieldProblem, Problem};
use crate::{shape, venues};

/// Markets of one run at most.
const MOST_MARKETS: usize = 16;
/// Gaps that are named one by one.
const MOST_NAMED: usize = 5;

/// A backtest as it is asked for, with its template looked up.
pub(crate) struct Asked {
    pub(crate) template_id: Option<TemplateId>,
    pub(crate) template_version: Option<u32>,
    pub(crate) document: Template,
    pub(crate) markets: Vec<Place>,
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
    pub(crate) assumed: Assumed,
}

/// What there is of one market of a run.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = BacktestCoverage)]
pub(crate) struct Coverage {
    market: Place,
    /// The recorded candles that would be used; null when there are none.
    #[schema(value_type = Option<shape::Timeframe>, required)]
    recorded: Option<Timeframe>,
    /// Candles of the run's timeframe in the range.
    candles: i64,
    /// Those before it.
    history: i64,
    /// The first gaps in the range.
    gaps: Vec<GapView>,
    gap_count: usize,
}

/// Candles that are missing.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[schema(as = CandleGap)]
pub(crate) struct GapView {
    /// Open time of the first missing candle.
    #[schema(value_type = i64)]
    pub(crate) from: Timestamp,
    /// Open time of the first candle after them.
    #[schema(value_type = i64)]
    pub(crate) until: Timestamp,
    /// How many.
    pub(crate) candles: i64,
}

impl GapView {
    pub(crate) const fn new(gap: Span, timeframe: Timeframe) -> Self {
        Self { from: gap.from, until: gap.until, candles: gap.candles(timeframe) }
    }
}

/// What was found.
pub(crate) struct Checked {
    pub(crate) problems: Vec<FieldProblem>,
    pub(crate) coverage: Vec<Coverage>,
    /// Candles to decide on, of all markets together.
    pub(crate) candles: i64,
    /// Candles of history that the components need.
    pub(crate) warmup_candles: u32,
    /// The run, when nothing is wrong with it.
    pub(crate) request: Option<BacktestRequest>,
}

/// Looks at everything.
///
/// # Errors
/// Only what hides the answer: the store or the folder of candles cannot be read.
pub(crate) async fn check(app: &App, asked: Asked) -> Result<Checked, Problem> {
    let mut found = Found::default();
    found.engine("document", check_template(&asked.document).err().unwrap_or_default());
    found.settings(&asked.assumed);
    found.range(&asked);
    found.places(&asked.markets);
    found.components(&asked);
    let warmup_candles = warmup(&asked);
    let instruments = instruments(app, &asked, &mut found).await?;
    let shelves = shelves(app, &asked).await?;
    let mut coverage = Vec::new();
    for (place, shelf) in asked.markets.iter().zip(&shelves) {
        coverage.push(found.candles(&asked, *place, shelf, (coverage.len(), warmup_candles)));
    }
    let spans = shelves.iter().filter_map(|shelf| shelf.best.as_ref());
    let recorded_candles = spans.map(|(timeframe, spans)| {
        let history =
            i64::from(warmup_candles).saturating_mul(4).saturating_mul(asked.document.timeframe.ms());
        count(&within(spans, asked.from.plus_ms(-history), asked.until), *timeframe)
    });
    let recorded_candles = u64::try_from(recorded_candles.sum::<i64>()).unwrap_or(0);
    if recorded_candles > MOST_CANDLES {
        found.say(
            "until",
            "BT_LIMIT_EXCEEDED",
            format!("The run would read {recorded_candles} recorded candles; {MOST_CANDLES} are possible."),
            "Choose a shorter range, fewer markets, or fetch candles of a longer timeframe.",
        );
    }
    let markets: Vec<RunMarket> = asked
        .markets
        .iter()
        .zip(&instruments)
        .zip(&shelves)
        .filter_map(|((place, instrument), shelf)| {
            let recorded = shelf.best.as_ref()?.0;
            Some(RunMarket { place: *place, instrument: (*instrument)?, recorded })
        })
        .collect();
    let complete = markets.len() == asked.markets.len() && !markets.is_empty();
    let candles = coverage.iter().map(|one| one.candles).sum();
    let request = BacktestRequest {
        template_id: asked.template_id,
        template_version: asked.template_version,
        document: asked.document,
        markets,
        from: asked.from,
        until: asked.until,
        warmup_candles,
        recorded_candles,
        assumed: asked.assumed,
    };
    let request = (complete && found.problems.is_empty()).then_some(request);
    Ok(Checked { problems: found.problems, coverage, candles, warmup_candles, request })
}

/// Candles of history that the components need; those of a template with problems are not known.
fn warmup(asked: &Asked) -> u32 {
    let components = check_template(&asked.document).map_or(0, |checked| checked.warmup_candles());
    components.max(asked.assumed.settings.warmup_candles.unwrap_or(0))
}

/// Today's instruments in the order of the markets.
async fn instruments(
    app: &App,
    asked: &Asked,
    found: &mut Found,
) -> Result<Vec<Option<Instrument>>, Problem> {
    let Some(first) = asked.markets.first() else { return Ok(Vec::new()) };
    let listed = match venues::instruments(app, first.exchange, first.environment, first.contract_type).await
    {
        Ok(list) => list,
        Err(problem) if problem.code == "EXCHANGE_DOWN" => {
            let message = "The exchange does not answer, so grids and fees of its markets are not known.";
            found.say("markets", "EXCHANGE_DOWN", message, "Look at its status page and try again.");
            return Ok(vec![None; asked.markets.len()]);
        }
        Err(problem) => return Err(problem),
    };
    let mut instruments = Vec::new();
    for (number, place) in asked.markets.iter().take(MOST_MARKETS).enumerate() {
        let instrument = listed.iter().find(|one| one.symbol == place.symbol).copied();
        match &instrument {
            Some(instrument) => {
                let problems = asked.assumed.settings.check(Some(instrument));
                found.engine("settings", problems);
            }
            None => found.say(
                format!("markets[{number}].symbol"),
                "BT_INSTRUMENT_UNKNOWN",
                format!("{} does not list {}.", place.exchange.display_name(), place.symbol),
                "Choose one of its instruments.",
            ),
        }
        instruments.push(instrument);
    }
    let settle: Vec<_> = instruments.iter().flatten().map(|instrument| instrument.settle).collect();
    if settle.iter().any(|asset| Some(asset) != settle.first()) {
        found.markets("The markets settle in different assets; their results are never added.");
    }
    Ok(instruments)
}

/// What is recorded of one market.
struct ShelfFacts {
    /// The recorded timeframe that covers most of the range, with what there is of it.
    best: Option<(Timeframe, Vec<Span>)>,
    /// Whether there are candles that are too long for the run.
    too_coarse: Option<Timeframe>,
}

/// Looked up away from the threads that serve requests.
async fn shelves(app: &App, asked: &Asked) -> Result<Vec<ShelfFacts>, Problem> {
    let recorded = Arc::clone(&app.jobs.recorded);
    let (markets, wanted) = (asked.markets.clone(), asked.document.timeframe);
    let (from, until) = (asked.from, asked.until);
    let looking = move || -> Result<Vec<ShelfFacts>, HistoryError> {
        let places = markets.iter().take(MOST_MARKETS);
        places.map(|place| shelf(&recorded, *place, wanted, (from, until))).collect()
    };
    let looked = tokio::task::spawn_blocking(looking).await.map_err(|error| unreadable(&error))?;
    looked.map_err(|error| unreadable(&error))
}

fn shelf(
    recorded: &Recorded,
    place: Place,
    wanted: Timeframe,
    (from, until): (Timestamp, Timestamp),
) -> Result<ShelfFacts, HistoryError> {
    let mut facts = ShelfFacts { best: None, too_coarse: None };
    let mut covered = 0;
    for timeframe in Timeframe::ALL.iter().copied() {
        let spans = recorded.spans(place.environment, place.market(timeframe))?;
        if spans.is_empty() {
            continue;
        }
        if timeframe.ms() > wanted.ms() || wanted.ms() % timeframe.ms() != 0 {
            facts.too_coarse = facts.too_coarse.or(Some(timeframe));
            continue;
        }
        let covers = count(&within(&spans, from, until), timeframe) * timeframe.ms();
        // Of equal ones the longer: fewer candles to read for the same run.
        if facts.best.is_none() || covers >= covered {
            covered = covers;
            facts.best = Some((timeframe, spans));
        }
    }
    Ok(facts)
}

#[derive(Default)]
struct Found {
    problems: Vec<FieldProblem>,
}

impl Found {
    fn say(
        &mut self,
        path: impl Into<String>,
        code: &str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let problem = FieldProblem {
            path: path.into(),
            code: code.to_owned(),
            message: message.into(),
            remedy: remedy.into(),
        };
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    fn engine(&mut self, parent: &str, problems: Vec<EngineProblem>) {
        let under: Vec<_> = problems.into_iter().map(|problem| problem.under(parent)).collect();
        for problem in engine_problems(&under) {
            if !self.problems.contains(&problem) {
                self.problems.push(problem);
            }
        }
    }

    fn markets(&mut self, message: &str) {
        self.say("markets", "BT_MARKETS", message, "Choose markets that one bot could trade together.");
    }

    fn settings(&mut self, assumed: &Assumed) {
        self.engine("settings", assumed.settings.check(None));
        let most = Decimal::from(1_000_000_000_000_i64);
        if assumed.equity <= Decimal::ZERO || assumed.equity > most {
            let message = "The equity at the start is outside the range.";
            self.say("equity", "BT_EQUITY_INVALID", message, "Choose an amount above 0, at most 10^12.");
        }
        if assumed.slippage_bps < Decimal::ZERO || assumed.slippage_bps > Decimal::ONE_THOUSAND {
            let message = "The slippage is outside the range.";
            self.say("slippage_bps", "BT_SLIPPAGE_INVALID", message, "Choose 0 to 1000 basis points.");
        }
        let within = |rate: Rate, most: Decimal| rate.get().abs() <= most;
        if let Some(Fees { maker, taker }) = assumed.fees {
            let most = Decimal::new(5, 2);
            if !within(maker, most) || !within(taker, most) {
                let message = "A fee is outside the range.";
                self.say("fees", "BT_FEES_INVALID", message, "Fees are fractions from -0.05 to 0.05.");
            }
        }
        if let FundingChoice::Constant { rate } = assumed.funding
            && !within(rate, Decimal::new(1, 1))
        {
            let message = "The funding rate is outside the range.";
            self.say("funding.rate", "BT_FUNDING_INVALID", message, "It is a fraction from -0.1 to 0.1.");
        }
    }

    fn range(&mut self, asked: &Asked) {
        if asked.from >= asked.until || asked.from < Timestamp::EPOCH {
            let message = "The range ends before it begins, or begins before 1970.";
            self.say("until", "BT_RANGE_INVALID", message, "Choose an end after the beginning.");
        }
    }

    fn places(&mut self, places: &[Place]) {
        if places.is_empty() || places.len() > MOST_MARKETS {
            self.markets(&format!("A run has 1 to {MOST_MARKETS} markets."));
        }
        let Some(first) = places.first() else { return };
        let world = |place: &Place| (place.exchange, place.environment, place.contract_type);
        if places.iter().any(|place| world(place) != world(first)) {
            self.markets("The markets are of different exchanges, environments or contract types.");
        }
        let mut sorted = places.to_vec();
        sorted.sort_unstable();
        if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
            self.markets("A market is there twice.");
        }
    }

    fn candles(
        &mut self,
        asked: &Asked,
        place: Place,
        facts: &ShelfFacts,
        (number, warmup): (usize, u32),
    ) -> Coverage {
        let path = format!("markets[{number}]");
        let (wanted, from, until) = (asked.document.timeframe, asked.from, asked.until);
        let Some((recorded, spans)) = &facts.best else {
            match facts.too_coarse {
                Some(coarse) => self.say(
                    path,
                    "BT_TOO_COARSE",
                    format!(
                        "{} has candles of {}, which give none of {}.",
                        place.symbol,
                        coarse.as_str(),
                        wanted.as_str()
                    ),
                    "Fetch shorter candles, or choose a longer timeframe.",
                ),
                None => self.say(
                    path,
                    "BT_NO_DATA",
                    format!("No candles of {} are recorded.", place.symbol),
                    "Fetch them first.",
                ),
            }
            return Coverage {
                market: place,
                recorded: None,
                candles: 0,
                history: 0,
                gaps: Vec::new(),
                gap_count: 0,
            };
        };
        let per = |spans: &[Span]| count(spans, *recorded) * recorded.ms() / wanted.ms();
        let candles = per(&within(spans, from, until));
        let history = per(&within(spans, Timestamp::EPOCH, from));
        let gaps = if candles > 0 { between(spans, from, until) } else { Vec::new() };
        if from < until {
            self.enough(asked, place, &path, (candles, history, warmup));
            self.gaps(asked, place, path, &gaps, *recorded);
        }
        let named = gaps.iter().take(100).map(|gap| GapView::new(*gap, *recorded)).collect();
        Coverage {
            market: place,
            recorded: Some(*recorded),
            candles,
            history,
            gaps: named,
            gap_count: gaps.len(),
        }
    }

    fn enough(
        &mut self,
        asked: &Asked,
        place: Place,
        path: &str,
        (candles, history, warmup): (i64, i64, u32),
    ) {
        if candles == 0 && asked.until.since_ms(asked.from) >= asked.document.timeframe.ms() {
            let message = format!("No candles of {} are recorded in the range.", place.symbol);
            self.say(path, "BT_NO_DATA", message, "Fetch them first, or choose another range.");
        } else if candles + history <= i64::from(warmup) || candles == 0 {
            let message = format!(
                "{} has {candles} candles in the range and {history} before it; the components need {warmup} before the \
                 first decision.",
                place.symbol
            );
            self.say(
                "from",
                "BT_RANGE_TOO_SHORT",
                message,
                "Choose a longer range, or fetch earlier candles.",
            );
        }
    }

    fn gaps(&mut self, asked: &Asked, place: Place, path: String, gaps: &[Span], recorded: Timeframe) {
        if gaps.is_empty() || asked.assumed.gaps == GapChoice::Accept {
            return;
        }
        let name = |gap: &Span| format!("{} to {} ({})", gap.from, gap.until, gap.candles(recorded));
        let named: Vec<String> = gaps.iter().take(MOST_NAMED).map(name).collect();
        let more = match gaps.len().saturating_sub(MOST_NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let message = format!(
            "{} lacks {} candles in {} places: {}{more}.",
            place.symbol,
            count(gaps, recorded),
            gaps.len(),
            named.join(", ")
        );
        self.say(path, "BT_DATA_GAPS", message, "Fetch what is missing, or accept the gaps.");
    }

    fn components(&mut self, asked: &Asked) {
        if asked.assumed.unsupported == UnsupportedChoice::Neutral {
            return;
        }
        let missing = unsupported(&asked.document, &RecordedFacts::default(), &asked.assumed.funding.into());
        if !missing.is_empty() {
            let message = format!("Candles do not hold what these components need: {}.", missing.join(", "));
            let remedy = "Choose a funding rate if that is what they need, or have them counted as neutral.";
            self.say("unsupported", "BT_COMPONENT_UNSUPPORTED", message, remedy);
        }
    }
}
