//! The chain is complete, in order, and never calls good what is not known.

use std::collections::BTreeMap;

use keyhold_domain::ReasonCode;
use keyhold_engine::decision::Block;
use keyhold_engine::reading::Direction;
use keyhold_engine::template::{SessionSpec, Template};
use keyhold_protocol::uplink::{DecisionReport, Phase};
use keyhold_provision::BotStatus;
use keyhold_store::{ApiKey, Bot, VerificationState, Wish};

use super::chain::{Facts, Figure, StepState, WhyStep, chain};
use super::samples::{NOW, bot, decision, key, symbol};

struct Scene {
    bot: Bot,
    status: BotStatus,
    key: Option<ApiKey>,
    template: Option<Template>,
    newest: Option<DecisionReport>,
}

impl Scene {
    /// Everything is well and the ADX filter blocks.
    fn usual() -> Self {
        let template = keyhold_engine::system_templates::all().first().map(|one| one.template.clone());
        let mut template: Template = template.unwrap();
        template.sessions.clear();
        let block = Block { component: Some(1), ..Block::limit(ReasonCode::FilterBlocked, 18.4, 20.0) };
        Self {
            bot: bot(),
            status: BotStatus::Online,
            key: Some(key()),
            template: Some(template),
            newest: Some(decision(vec![block], Direction::Long)),
        }
    }

    fn steps(&self) -> Vec<WhyStep> {
        let counts = BTreeMap::from([("FILTER_BLOCKED".to_owned(), 9)]);
        chain(&Facts {
            bot: &self.bot,
            status: self.status,
            key: self.key.as_ref(),
            template: self.template.as_ref(),
            symbol: self.key.as_ref().and_then(|key| key.instruments.first().copied()),
            newest: self.newest.as_ref(),
            counts: &counts,
            now: NOW,
        })
    }

    fn blocks(&self) -> Vec<String> {
        let blocked = self.steps().into_iter().filter(|step| step.state == StepState::Block);
        blocked.map(|step| format!("{} {}", step.step, step.code.unwrap_or_default())).collect()
    }

    fn step(&self, name: &str) -> WhyStep {
        self.steps().into_iter().find(|step| step.step == name).unwrap()
    }
}

const COMPLETE: [&str; 18] = [
    "process",
    "pause",
    "key",
    "key_test",
    "markets",
    "template",
    "phase",
    "data",
    "session",
    "history",
    "signals",
    "direction",
    "filter",
    "entry_guard",
    "risk_gate",
    "limits",
    "position",
    "size",
];

#[test]
fn one_failing_filter_blocks_and_everything_else_is_shown() {
    let scene = Scene::usual();
    let steps = scene.steps();
    assert_eq!(steps.iter().map(|step| step.step).collect::<Vec<_>>(), COMPLETE);
    assert_eq!(scene.blocks(), ["filter FILTER_BLOCKED"]);
    let filter = scene.step("filter");
    assert_eq!((filter.value, filter.limit), (Some(Figure::Number(18.4)), Some(Figure::Number(20.0))));
    assert_eq!(filter.candles_24h, Some(9));
    let signals = scene.step("signals");
    assert_eq!(signals.value, Some(Figure::Text("2.5".to_owned())));
    assert!(signals.text.starts_with("Long: "), "{}", signals.text);
    assert_eq!(scene.step("size").state, StepState::Unknown, "the size of an entry that was not asked for");
}

#[test]
fn a_bot_without_anything_blocks_where_something_is_missing_and_knows_nothing_else() {
    let mut scene = Scene::usual();
    scene.bot.key = None;
    scene.bot.template = None;
    (scene.key, scene.template, scene.newest) = (None, None, None);
    assert_eq!(scene.blocks(), ["key NO_KEY", "template NO_TEMPLATE"]);
    let unknown: Vec<_> = scene
        .steps()
        .into_iter()
        .filter(|step| step.state == StepState::Unknown)
        .map(|step| step.step)
        .collect();
    for step in ["key_test", "markets", "data", "session", "history", "signals", "filter", "limits", "size"] {
        assert!(unknown.contains(&step), "{step} cannot be known");
    }
    assert_eq!(scene.steps().iter().map(|step| step.step).collect::<Vec<_>>(), COMPLETE);
}

#[test]
fn each_state_of_the_bot_has_its_code() {
    let cases = [
        (BotStatus::Deploying, Wish::Running, "process BOT_DEPLOYING"),
        (BotStatus::Offline, Wish::Running, "process BOT_OFFLINE"),
        (BotStatus::Stopped, Wish::Stopped, "process BOT_STOPPED"),
        (BotStatus::Paused, Wish::Paused, "pause BOT_PAUSED"),
    ];
    for (status, wish, expected) in cases {
        let mut scene = Scene::usual();
        (scene.status, scene.bot.wish) = (status, wish);
        assert_eq!(scene.blocks()[0], expected);
        if status != BotStatus::Paused {
            assert_eq!(
                scene.step("phase").state,
                StepState::Unknown,
                "{status:?}: an old phase says nothing"
            );
        }
    }
    let mut failed = Scene::usual();
    failed.status = BotStatus::Failed;
    failed.bot.failure = Some(("DEPLOY_TIMEOUT".to_owned(), "It did not report.".to_owned()));
    assert_eq!(failed.blocks()[0], "process DEPLOY_TIMEOUT");
}

#[test]
fn a_bot_that_holds_back_by_itself_says_so() {
    let mut scene = Scene::usual();
    scene.bot.phase = Some(Phase::ExitsOnly);
    assert!(scene.blocks().contains(&"phase BOT_PAUSED".to_owned()));
    scene.bot.wish = Wish::Paused;
    assert_eq!(scene.step("phase").state, StepState::Pass, "the owner's own wish is no second obstacle");
    scene.bot.wish = Wish::Running;
    scene.bot.phase = Some(Phase::Reconciling);
    assert!(scene.blocks().contains(&"phase RECONCILING".to_owned()));
}

#[test]
fn keys_block_when_off_or_failed_and_are_unknown_when_never_tested() {
    let mut scene = Scene::usual();
    scene.bot.key.as_mut().unwrap().active = false;
    assert!(scene.blocks().contains(&"key KEY_INACTIVE".to_owned()));
    let verification = &mut scene.key.as_mut().unwrap().verification;
    verification.state = VerificationState::Failed;
    verification.code = Some("KEY_IP_BLOCKED".to_owned());
    assert!(scene.blocks().contains(&"key_test KEY_IP_BLOCKED".to_owned()));
    scene.key.as_mut().unwrap().verification.state = VerificationState::Unverified;
    assert_eq!(scene.step("key_test").state, StepState::Unknown);
    scene.key.as_mut().unwrap().instruments.clear();
    assert!(scene.blocks().contains(&"markets NO_INSTRUMENT".to_owned()));
}

#[test]
fn sessions_are_told_as_they_are_now() {
    let mut scene = Scene::usual();
    let session = |start: &str, end: &str| SessionSpec {
        name: "s".to_owned(),
        start: start.to_owned(),
        end: end.to_owned(),
        weekdays: Vec::new(),
    };
    scene.template.as_mut().unwrap().sessions = vec![session("16:00", "18:00")];
    let closed = scene.step("session");
    assert_eq!(closed.code.as_deref(), Some("OUTSIDE_SESSION"));
    assert!(closed.text.contains("T16:00:00.000Z, in 118 min"), "{}", closed.text);
    scene.template.as_mut().unwrap().sessions = vec![session("14:00", "15:00")];
    let open = scene.step("session");
    assert_eq!(open.state, StepState::Pass);
    assert!(open.text.contains("58 min"), "{}", open.text);
}

#[test]
fn data_is_stale_only_when_every_candle_is_recorded() {
    let mut scene = Scene::usual();
    assert_eq!(scene.step("data").state, StepState::Pass);
    let report = scene.newest.as_mut().unwrap();
    report.candle.open_time = NOW.plus_ms(-180_000);
    assert_eq!(scene.step("data").code.as_deref(), Some("STALE_DATA"));
    scene.bot.settings = serde_json::json!({ "recording": "changes" });
    assert_eq!(scene.step("data").state, StepState::Unknown);
}

#[test]
fn every_code_the_engine_can_name_appears_in_exactly_one_step() {
    for code in ReasonCode::ALL {
        let mut scene = Scene::usual();
        scene.newest = Some(decision(vec![Block::plain(*code)], Direction::Long));
        let named = scene.blocks().iter().filter(|block| block.ends_with(&format!(" {code}"))).count();
        // These four are shown as they are now, not as they were on the candle; and a check names its component.
        let of_now = ["BOT_PAUSED", "KEY_INACTIVE", "OUTSIDE_SESSION", "STALE_DATA"].contains(&code.as_str());
        let of_component = ["FILTER_BLOCKED", "GUARD_BLOCKED", "GATE_BLOCKED", "DATA_MISSING"];
        let of_component = of_component.contains(&code.as_str());
        // Long signals cannot be without a signal.
        let of_signals = ["NO_SIGNAL", "THRESHOLD_UNREACHABLE"].contains(&code.as_str());
        assert_eq!(named, usize::from(!of_now && !of_component && !of_signals), "{code}");
    }
    let mut neutral = Scene::usual();
    neutral.newest = Some(decision(vec![Block::plain(ReasonCode::NoSignal)], Direction::Neutral));
    assert_eq!(neutral.blocks(), ["signals NO_SIGNAL"]);
}

#[test]
fn a_record_that_cannot_be_read_makes_its_half_unknown() {
    let mut scene = Scene::usual();
    scene.newest.as_mut().unwrap().record = serde_json::json!({ "from": "the future" });
    let steps = scene.steps();
    assert_eq!(steps.len(), COMPLETE.len());
    assert!(steps[9..].iter().all(|step| step.state == StepState::Unknown), "{steps:?}");
    assert_eq!(scene.step("markets").state, StepState::Pass, "{}", symbol());
}
