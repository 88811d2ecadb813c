//! Finds everything that is wrong with a settings document, each with the path of its field.

use keyhold_domain::{Decimal, Instrument};

use super::{BotSettings, Limits, LossAmount, NotionalAmount, SETTINGS_FORMAT, Sizing};
use crate::problem::{Problem, code};

/// More history than any component can use.
pub(crate) const MOST_WARMUP_CANDLES: u32 = 100_000;
/// How many order errors the ledger remembers.
const MOST_ORDER_ERRORS: u32 = 100;

impl BotSettings {
    /// All problems at once. `instrument` bounds the leverage when it is known already.
    pub fn check(&self, instrument: Option<&Instrument>) -> Vec<Problem> {
        let mut found = Found(Vec::new());
        if self.format != SETTINGS_FORMAT {
            found.0.push(Problem::new(
                "format",
                code::FORMAT_UNSUPPORTED,
                format!("The settings have format {}.", self.format),
                format!("Write format {SETTINGS_FORMAT}."),
            ));
        }
        found.sizing(self.sizing, self.leverage);
        let most = instrument.map_or(Decimal::from(1000), |instrument| instrument.max_leverage);
        found.between("leverage", self.leverage, Decimal::ONE, most);
        if let Some(candles) = self.warmup_candles {
            found.count("warmup_candles", Some(candles), 0, MOST_WARMUP_CANDLES);
        }
        found.limits(&self.limits);
        if let Some(limit) = self.limits.max_leverage
            && self.leverage > limit
        {
            found.0.push(Problem::new(
                "leverage",
                code::CONTRADICTION,
                format!("The leverage {} is above the bot's own limit of {limit}.", self.leverage),
                "Lower the leverage or raise limits.max_leverage.",
            ));
        }
        found.0
    }
}

struct Found(Vec<Problem>);

impl Found {
    fn between(&mut self, path: &str, value: Decimal, least: Decimal, most: Decimal) {
        if value < least || value > most {
            self.0.push(Problem::new(
                path,
                code::OUT_OF_RANGE,
                format!("{value} is outside the range."),
                format!("Choose a number from {least} to {most}."),
            ));
        }
    }

    fn positive(&mut self, path: &str, value: Decimal) {
        if value <= Decimal::ZERO {
            self.0.push(Problem::new(
                path,
                code::OUT_OF_RANGE,
                format!("{value} is not greater than zero."),
                "Choose a number greater than zero.",
            ));
        }
    }

    /// Greater than zero, at most `most` percent.
    fn percent(&mut self, path: &str, value: Option<Decimal>, most: Decimal) {
        if let Some(value) = value
            && (value <= Decimal::ZERO || value > most)
        {
            self.0.push(Problem::new(
                path,
                code::OUT_OF_RANGE,
                format!("{value} percent is outside the range."),
                format!("Choose a number greater than 0, at most {most}."),
            ));
        }
    }

    fn count(&mut self, path: &str, value: Option<u32>, least: u32, most: u32) {
        if let Some(value) = value {
            self.between(path, value.into(), least.into(), most.into());
        }
    }

    fn sizing(&mut self, sizing: Sizing, leverage: Decimal) {
        match sizing {
            Sizing::FixedQuantity { quantity } => self.positive("sizing.quantity", quantity),
            Sizing::FixedNotional { quote } => self.positive("sizing.quote", quote),
            Sizing::PercentEquity { pct } => {
                let most = leverage.max(Decimal::ONE).saturating_mul(Decimal::ONE_HUNDRED);
                self.percent("sizing.pct", Some(pct), most);
            }
            Sizing::RiskPerTrade { pct } => self.percent("sizing.pct", Some(pct), Decimal::ONE_HUNDRED),
        }
    }

    fn limits(&mut self, limits: &Limits) {
        let hundred = Decimal::ONE_HUNDRED;
        self.count("limits.max_positions_per_asset", limits.max_positions_per_asset, 1, 1000);
        self.count("limits.max_positions_total", limits.max_positions_total, 1, 1000);
        if let Some(daily) = limits.daily_loss {
            match daily.most {
                LossAmount::Pct(pct) => self.percent("limits.daily_loss.most.pct", Some(pct), hundred),
                LossAmount::Amount(amount) => self.positive("limits.daily_loss.most.amount", amount),
            }
        }
        self.percent("limits.weekly_loss_pct", limits.weekly_loss_pct, hundred);
        self.percent("limits.max_drawdown_pct", limits.max_drawdown_pct, hundred);
        if let Some(losses) = limits.consecutive_losses {
            self.count("limits.consecutive_losses.count", Some(losses.count), 1, 100);
            self.count(
                "limits.consecutive_losses.lookback_candles",
                Some(losses.lookback_candles),
                1,
                100_000,
            );
            self.count(
                "limits.consecutive_losses.cool_off_candles",
                Some(losses.cool_off_candles),
                1,
                100_000,
            );
        }
        if let Some(notional) = limits.max_position_notional {
            let path = "limits.max_position_notional.most";
            match notional.most {
                NotionalAmount::Quote(quote) => self.positive(path, quote),
                NotionalAmount::PctEquity(pct) => self.positive(path, pct),
            }
        }
        if let Some(pct) = limits.max_total_exposure_pct {
            self.positive("limits.max_total_exposure_pct", pct);
        }
        if let Some(leverage) = limits.max_leverage {
            self.between("limits.max_leverage", leverage, Decimal::ONE, Decimal::from(1000));
        }
        self.percent("limits.max_slippage_bps", limits.max_slippage_bps, Decimal::from(5000));
        if let Some(errors) = limits.order_errors {
            self.count("limits.order_errors.count", Some(errors.count), 1, MOST_ORDER_ERRORS);
            self.count("limits.order_errors.window_s", Some(errors.window_s), 1, 604_800);
        }
        self.count("limits.max_data_age_s", limits.max_data_age_s, 1, 604_800);
        self.count("limits.max_trades_per_day", limits.max_trades_per_day, 1, 100_000);
        self.percent("limits.min_free_margin_pct", limits.min_free_margin_pct, hundred);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{ConsecutiveLosses, DailyLoss, LossCounting, OrderErrors, WhenHit};

    fn d(text: &str) -> Decimal {
        Decimal::from_str_exact(text).unwrap()
    }

    #[test]
    fn every_problem_is_found_at_once_with_its_path() {
        let mut settings = BotSettings::new(Sizing::PercentEquity { pct: d("301") }, d("3"));
        settings.format = 9;
        settings.limits.max_leverage = Some(d("2"));
        settings.limits.max_positions_total = Some(0);
        settings.limits.daily_loss = Some(DailyLoss {
            most: LossAmount::Pct(d("0")),
            counting: LossCounting::default(),
            when_hit: WhenHit::default(),
        });
        settings.limits.order_errors = Some(OrderErrors { count: 101, window_s: 60 });
        settings.limits.consecutive_losses =
            Some(ConsecutiveLosses { count: 3, lookback_candles: 0, cool_off_candles: 1 });
        let problems = settings.check(None);
        let paths: Vec<&str> = problems.iter().map(|problem| problem.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "format",
                "sizing.pct",
                "limits.max_positions_total",
                "limits.daily_loss.most.pct",
                "limits.consecutive_losses.lookback_candles",
                "limits.order_errors.count",
                "leverage",
            ]
        );
    }

    #[test]
    fn the_document_survives_a_round_trip_and_refuses_unknown_fields() {
        let mut settings = BotSettings::new(Sizing::RiskPerTrade { pct: d("0.5") }, d("2"));
        settings.limits.max_slippage_bps = Some(d("15"));
        settings.limits.daily_loss = Some(DailyLoss {
            most: LossAmount::Amount(d("100.5")),
            counting: LossCounting::Realized,
            when_hit: WhenHit::CloseAll,
        });
        assert_eq!(settings.check(None), []);
        let text = serde_json::to_string(&settings).unwrap();
        assert_eq!(serde_json::from_str::<BotSettings>(&text).unwrap(), settings);
        assert!(text.contains(r#""amount":"100.5""#), "decimals travel as text: {text}");
        let short = r#"{"format":1,"sizing":{"mode":"fixed_notional","quote":"100"},"leverage":"1"}"#;
        assert_eq!(serde_json::from_str::<BotSettings>(short).unwrap().check(None), []);
        let wrong = short.replace("leverage", "levrage");
        assert!(serde_json::from_str::<BotSettings>(&wrong).is_err());
    }
}
