//! A template, an instrument and a bot's settings, compiled into what [`crate::step`] needs per candle.
//!
//! A plan never changes and holds nothing of the past; the past is in [`crate::state::State`]. New settings are a new
//! plan beside the same state; a new template or instrument needs a new state as well.

use keyhold_domain::{
    BotId, ClientOrderId, Contract, Decimal, Instrument, InstrumentStatus, OrderPurpose, TemplateId,
    Timeframe,
};

use crate::catalog::DataNeeds;
use crate::combine::Combiner;
use crate::component::{Component, Context};
use crate::exit_rule::ExitPlan;
use crate::problem::{Problem, code};
use crate::session::{Calendar, SessionError};
use crate::settings::{BotSettings, Recording};
use crate::template::{DirectionSetting, Enabled, Role, SessionEnd, Template};

/// Who decides and under which names orders go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ids {
    /// The bot.
    pub bot: BotId,
    /// The bot's number for this instrument, below 1,024.
    pub slot: u16,
    /// The deployment's number, below 2^25: names stay unique when a bot has lost its memory.
    pub epoch: u32,
    /// The template.
    pub template: TemplateId,
    /// Its version.
    pub template_version: u32,
}

impl Ids {
    /// The name of the bot's n-th order here. `None` once 2^30 names are used up or a part is out of range.
    pub fn order_name(&self, sequence: u32, purpose: OrderPurpose) -> Option<ClientOrderId> {
        ClientOrderId::new(self.bot, self.slot, self.epoch, sequence, purpose)
    }

    /// Whether an order was named by this bot for this instrument.
    pub fn is_ours(&self, id: ClientOrderId) -> bool {
        id.is_of(self.bot) && id.slot() == self.slot
    }
}

/// An enabled component in its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// Place in the template's list.
    pub index: u16,
    /// The catalog's name.
    pub kind: &'static str,
    /// What it is used as.
    pub role: Role,
}

/// Everything that decides, and nothing that remembers.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Names.
    pub ids: Ids,
    /// The instrument.
    pub instrument: Instrument,
    /// Its arithmetic.
    pub contract: Contract,
    /// The candle.
    pub timeframe: Timeframe,
    /// Sizes, leverage and limits.
    pub settings: BotSettings,
    /// The enabled components; signals first, then filters, guards and gates, each in the template's order.
    pub components: Vec<Planned>,
    /// How many of them are signals.
    pub signals: usize,
    /// Fresh components in the same order.
    pub(crate) fresh: Vec<Component>,
    /// How signals become a direction.
    pub combiner: Combiner,
    /// Which directions may be entered.
    pub direction: DirectionSetting,
    /// The enabled exit rules.
    pub exits: ExitPlan,
    /// When entries are allowed.
    pub calendar: Calendar,
    /// Whether a position ends with the session.
    pub at_session_end: SessionEnd,
    /// Candles of history needed before the first decision.
    pub warmup_candles: u32,
    /// Whether a limit is set or a component asks for the whole bot; without one nobody needs to know what the whole bot looks like.
    pub(crate) limited: bool,
    /// Whether anybody hears of decisions.
    pub(crate) telling: Telling,
}

/// Whether anybody hears of decisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Telling {
    /// Those that the settings choose are given out.
    Told,
    /// None is given out; an entry's still becomes a part of its trade.
    Silent,
}

impl Plan {
    /// All problems at once, each with the path of the field that caused it: paths of the settings begin with
    /// `settings.`, of the instrument with `instrument.`, the rest are the template's.
    pub fn compile(
        template: &Template,
        instrument: &Instrument,
        settings: &BotSettings,
        ids: Ids,
    ) -> Result<Self, Vec<Problem>> {
        let mut problems: Vec<Problem> =
            settings.check(Some(instrument)).into_iter().map(|p| p.under("settings")).collect();
        problems.extend(check_instrument(instrument));
        if ids.order_name(0, OrderPurpose::Entry).is_none() {
            problems.push(Problem::new(
                "ids",
                code::OUT_OF_RANGE,
                "The slot or the epoch is too large.",
                "Use a slot below 1024 and an epoch below 33554432.",
            ));
        }
        problems.extend(crate::check::check_template(template).err().unwrap_or_default());
        let context = Context { taker_fee: Some(instrument.taker_fee.get()), ..Context::of(template) };
        let components = ordered(template, context, &mut problems);
        let exits = ExitPlan::compile(&template.exits);
        let calendar = Calendar::compile(&template.sessions).map_err(|error| vec![session_problem(&error)]);
        let weights: Vec<Decimal> = components
            .iter()
            .filter(|(planned, _)| planned.role == Role::Signal)
            .map(|(planned, _)| template.components[usize::from(planned.index)].weight.0)
            .collect();
        let combiner = Combiner::compile(template.combination, &weights).map_err(|error| {
            vec![Problem::new(
                "combination",
                code::OUT_OF_RANGE,
                format!("{error}."),
                "Use fewer decimal places.",
            )]
        });
        if !problems.is_empty() {
            return Err(problems);
        }
        let (exits, calendar, combiner) = (exits?, calendar?, combiner?);
        let needed = components.iter().map(|(_, component)| component.warmup_candles()).max().unwrap_or(0);
        let warmup_candles = needed.max(exits.warmup_candles()).max(settings.warmup_candles.unwrap_or(0));
        let watches_the_bot = components.iter().any(|(_, component)| component.watches_the_bot());
        let (components, fresh) = components.into_iter().unzip();
        Ok(Self {
            ids,
            instrument: *instrument,
            contract: instrument.contract(),
            timeframe: template.timeframe,
            settings: settings.clone(),
            components,
            signals: weights.len(),
            fresh,
            combiner,
            direction: template.direction,
            exits,
            calendar,
            at_session_end: template.at_session_end,
            warmup_candles,
            limited: settings.limits != crate::settings::Limits::default() || watches_the_bot,
            telling: Telling::Told,
        })
    }

    /// The same plan for a run in which nobody hears of decisions. What is decided is the same, and trades still carry
    /// the decisions that led to them.
    #[must_use]
    pub fn silent(mut self) -> Self {
        self.settings.recording = Recording::Actions;
        self.telling = Telling::Silent;
        self
    }

    /// Data that the components need besides candles, with the component's name.
    pub fn needs(&self) -> impl Iterator<Item = (&'static str, DataNeeds)> + '_ {
        self.fresh.iter().map(|component| (component.kind(), component.needs()))
    }

    /// Length of a candle in milliseconds.
    pub const fn interval_ms(&self) -> i64 {
        self.timeframe.ms()
    }
}

/// The enabled components, signals first: only they are combined, and a loop over a prefix is cheap.
fn ordered(template: &Template, context: Context, problems: &mut Vec<Problem>) -> Vec<(Planned, Component)> {
    let mut components = Vec::new();
    for (index, spec) in template.components.iter().enumerate() {
        if spec.enabled == Enabled::No {
            continue;
        }
        let Ok(place) = u16::try_from(index) else { continue };
        // What is wrong with a component has been said by the template's check already.
        match Component::build(spec, context) {
            Ok(component) => components
                .push((Planned { index: place, kind: component.kind(), role: spec.role }, component)),
            Err(more) if problems.is_empty() => {
                problems.extend(more.into_iter().map(|p| p.under(&format!("components[{index}]"))));
            }
            Err(_) => {}
        }
    }
    components.sort_by_key(|(planned, _)| (planned.role, planned.index));
    components
}

fn check_instrument(instrument: &Instrument) -> Vec<Problem> {
    let mut problems = Vec::new();
    let positive = [
        ("instrument.multiplier", instrument.multiplier),
        ("instrument.tick", instrument.tick),
        ("instrument.lot", instrument.lot),
        ("instrument.max_leverage", instrument.max_leverage),
    ];
    for (path, value) in positive {
        if value <= Decimal::ZERO {
            problems.push(Problem::new(
                path,
                code::OUT_OF_RANGE,
                "The instrument's description is not usable.",
                "Load the instruments from the exchange again.",
            ));
        }
    }
    if instrument.status == InstrumentStatus::Delisted {
        problems.push(Problem::new(
            "instrument.status",
            code::CONTRADICTION,
            "The instrument is no longer traded.",
            "Choose another instrument.",
        ));
    }
    problems
}

fn session_problem(error: &SessionError) -> Problem {
    let (index, field) = match error {
        SessionError::Start(index) => (index, "start"),
        SessionError::End(index) => (index, "end"),
    };
    Problem::new(
        format!("sessions[{index}].{field}"),
        code::SESSION_TIME_INVALID,
        format!("{error}."),
        "Write a time of day as HH:MM.",
    )
}
