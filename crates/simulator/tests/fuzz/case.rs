//! One case: a template, an instrument, settings and candles that belong to one seed.

use keyhold_domain::{BotId, Candle, Decimal, Instrument, TemplateId};
use keyhold_engine::settings::{BotSettings, Limits};
use keyhold_engine::template::{DirectionSetting, Template};
use keyhold_engine::{Ids, Plan};

use crate::dice::Dice;
use crate::{markets, templates};

/// Everything that a seed is made of, apart from what happens to it.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) seed: u64,
    pub(crate) template: Template,
    pub(crate) instrument: Instrument,
    pub(crate) settings: BotSettings,
    pub(crate) equity: Decimal,
    pub(crate) candles: Vec<Candle>,
}

impl Case {
    pub(crate) fn new(seed: u64) -> Self {
        let template = templates::any(&mut Dice::new(seed, 1));
        let mut dice = Dice::new(seed, 2);
        let instrument = markets::instrument(&mut dice);
        let ticks = markets::start_ticks(&mut dice);
        let equity = markets::equity(&instrument, instrument.tick * Decimal::from(ticks), &mut dice);
        let settings = markets::settings(&instrument, &mut Dice::new(seed, 3));
        let candles = markets::candles(&instrument, template.timeframe, ticks, &mut Dice::new(seed, 4));
        Self { seed, template, instrument, settings, equity, candles }
    }

    /// The plan of the case. What validates as a template and as settings is a plan.
    pub(crate) fn plan(&self) -> Plan {
        self.compile(&self.template, &self.settings)
    }

    /// The same plan without anything outside the components that may stand in the way of an entry.
    pub(crate) fn free_plan(&self) -> Plan {
        let mut template = self.template.clone();
        template.sessions.clear();
        template.direction = DirectionSetting::Both;
        self.compile(&template, &BotSettings { limits: Limits::default(), ..self.settings.clone() })
    }

    fn compile(&self, template: &Template, settings: &BotSettings) -> Plan {
        let ids = Ids {
            bot: BotId::from_u128(1 << 90),
            slot: 0,
            epoch: 1,
            template: TemplateId::from_u128(5),
            template_version: 1,
        };
        match Plan::compile(template, &self.instrument, settings, ids) {
            Ok(plan) => plan,
            Err(problems) => panic!("a template that validates is no plan: {problems:?}"),
        }
    }

    /// What somebody needs who looks at a failure.
    pub(crate) fn describe(&self) -> String {
        let json = |value: Result<String, serde_json::Error>| value.unwrap_or_default();
        format!(
            "template:   {}\nsettings:   {}\ninstrument: {}\nequity:     {}\ncandles:    {} from {}",
            json(serde_json::to_string(&self.template)),
            json(serde_json::to_string(&self.settings)),
            json(serde_json::to_string(&self.instrument)),
            self.equity,
            self.candles.len(),
            self.candles.first().map_or_else(String::new, |candle| candle.close.to_string()),
        )
    }
}
