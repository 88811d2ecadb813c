//! Every answer of every test is compared with the API's description, and every request that was taken: a client made
//! from the description must not be surprised. A field that is not described is a difference too.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde_json::{Map, Value, json};

static DESCRIPTION: LazyLock<Value> =
    LazyLock::new(|| serde_json::to_value(keyhold_server::api::document()).unwrap());

/// Panics when an exchange of messages is not what the description says.
#[track_caller]
pub(crate) fn check(method: &str, path: &str, sent: Option<&str>, status: u16, answered: &Value) {
    let Some(operation) = operation(method, path) else { return };
    if status >= 400 {
        let problem = json!({"$ref": "#/components/schemas/ProblemDocument"});
        assert_fits(&problem, answered, &format!("the refusal {status} of {method} {path}"));
        return;
    }
    let described = &operation["responses"][status.to_string()];
    assert!(!described.is_null(), "{method} {path} answers {status}, which is not described");
    match json_schema(described) {
        Some(schema) => assert_fits(schema, answered, &format!("the answer {status} of {method} {path}")),
        None => assert!(answered.is_null(), "{method} {path} is described as answering nothing: {answered}"),
    }
    if let Some(schema) = json_schema(&operation["requestBody"]) {
        let sent = serde_json::from_str(sent.unwrap_or("null")).unwrap();
        assert_fits(schema, &sent, &format!("the request {method} {path}"));
    }
}

fn json_schema(described: &Value) -> Option<&Value> {
    described["content"].get("application/json").map(|content| &content["schema"])
}

/// The operation of an address; an exact path comes before one with an id.
fn operation(method: &str, path: &str) -> Option<&'static Value> {
    let path = format!("/api/v1{}", path.split('?').next().unwrap_or_default());
    let paths = DESCRIPTION["paths"].as_object().unwrap();
    let fits = |template: &str| {
        let mut given = path.split('/');
        let alike = template.split('/').all(|part| {
            let here = given.next();
            here == Some(part) || (part.starts_with('{') && here.is_some())
        });
        alike && given.next().is_none()
    };
    let found =
        paths.get(&path).or_else(|| paths.iter().find(|(key, _)| fits(key)).map(|(_, value)| value))?;
    found.get(method.to_lowercase())
}

#[track_caller]
fn assert_fits(schema: &Value, value: &Value, what: &str) {
    if let Err(difference) = differences(schema, value, "") {
        panic!("{what} is not as described: {difference}\n{value:#}");
    }
}

/// `Err` says where and how a value differs.
fn differences(schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let mut known = BTreeSet::new();
    fit(schema, value, at, &mut known)?;
    let is_map = schema.get("additionalProperties").is_some();
    match value.as_object().filter(|_| !known.is_empty() && !is_map) {
        Some(object) => match object.keys().find(|key| !known.contains(*key)) {
            Some(key) => Err(format!("{at}/{key} is not described")),
            None => Ok(()),
        },
        None => Ok(()),
    }
}

/// Compares and notes the fields that are described, over all parts of a composed description.
fn fit(schema: &Value, value: &Value, at: &str, known: &mut BTreeSet<String>) -> Result<(), String> {
    if let Some(name) = schema["$ref"].as_str() {
        let pointer = name.strip_prefix('#').unwrap();
        return fit(DESCRIPTION.pointer(pointer).expect("a described schema"), value, at, known);
    }
    if let Some(parts) = schema["allOf"].as_array() {
        return parts.iter().try_for_each(|part| fit(part, value, at, known));
    }
    for choice in ["oneOf", "anyOf"] {
        if let Some(choices) = schema[choice].as_array() {
            return one_of(choices, value, at, known);
        }
    }
    kind(schema, value, at)?;
    if let Some(words) = schema["enum"].as_array()
        && !words.contains(value)
    {
        return Err(format!("{at} is {value}, not one of {words:?}"));
    }
    match value {
        Value::Object(object) => fields(schema, object, at, known),
        Value::Array(items) => elements(schema, items, at),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

fn one_of(choices: &[Value], value: &Value, at: &str, known: &mut BTreeSet<String>) -> Result<(), String> {
    let mut reasons = Vec::new();
    for choice in choices {
        let mut fields = BTreeSet::new();
        match fit(choice, value, at, &mut fields) {
            Ok(()) => {
                known.extend(fields);
                return Ok(());
            }
            Err(reason) => reasons.push(reason),
        }
    }
    Err(format!("{at} fits no choice: {}", reasons.join("; ")))
}

fn kind(schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind.as_str()],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        // Anything at all.
        _ => return Ok(()),
    };
    let fits = kinds.iter().any(|kind| match *kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("the description has the type {other}"),
    });
    if fits { Ok(()) } else { Err(format!("{at} is {value}, not {}", kinds.join(" or "))) }
}

fn fields(
    schema: &Value,
    object: &Map<String, Value>,
    at: &str,
    known: &mut BTreeSet<String>,
) -> Result<(), String> {
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !object.contains_key(name) {
            return Err(format!("{at}/{name} is missing"));
        }
    }
    for (name, described) in schema["properties"].as_object().into_iter().flatten() {
        known.insert(name.clone());
        if let Some(value) = object.get(name) {
            differences(described, value, &format!("{at}/{name}"))?;
        }
    }
    let others = schema.get("additionalProperties").filter(|others| others.is_object());
    for (name, value) in object.iter().filter(|_| others.is_some()) {
        differences(others.unwrap(), value, &format!("{at}/{name}"))?;
    }
    Ok(())
}

fn elements(schema: &Value, items: &[Value], at: &str) -> Result<(), String> {
    if let Some(places) = schema["prefixItems"].as_array() {
        return places.iter().zip(items).enumerate().try_for_each(|(index, (described, item))| {
            differences(described, item, &format!("{at}/{index}"))
        });
    }
    let Some(described) = schema.get("items") else { return Ok(()) };
    items
        .iter()
        .enumerate()
        .try_for_each(|(index, item)| differences(described, item, &format!("{at}/{index}")))
}

/// A control: a comparison that saw nothing would pass for ever.
#[test]
fn differences_are_seen() {
    let schema = json!({"$ref": "#/components/schemas/Named"});
    let check = |value: Value| differences(&schema, &value, "").err();
    assert_eq!(check(json!({"id": "a", "label": "b"})), None);
    assert_eq!(check(json!({"id": "a"})).as_deref(), Some("/label is missing"));
    assert_eq!(check(json!({"id": "a", "label": 1})).as_deref(), Some("/label is 1, not string"));
    assert_eq!(check(json!({"id": "a", "label": "b", "c": 1})).as_deref(), Some("/c is not described"));
    let word = json!({"$ref": "#/components/schemas/Environment"});
    assert!(differences(&word, &json!("moon"), "").is_err());
}

/// What tests without a venue and with a stand-in for the bot do not produce: the fullest values of other crates.
#[test]
fn the_fullest_values_are_as_described() {
    let fits = |name: &str, value: Value| {
        assert_fits(&json!({"$ref": format!("#/components/schemas/{name}")}), &value, name);
    };
    fits("Instrument", json!(samples::instrument()));
    fits("Verification", json!(samples::verification()));
    fits("BotSettings", samples::settings());
    fits("Isolation", json!(keyhold_protocol::uplink::Isolation::Full));
    fits("Isolation", json!(keyhold_protocol::uplink::Isolation::Degraded { missing: vec!["x".to_owned()] }));
    for built_in in keyhold_engine::system_templates::all() {
        fits("TemplateDocument", json!(built_in.template));
    }
    fits("TemplateDocument", samples::template());
}

mod samples {
    //! Values with every field filled, read back from the types that are really sent.

    use keyhold_domain::{Balance, Instrument, KeyFacts, Known, ReasonCode, Timestamp};
    use keyhold_engine::settings::BotSettings;
    use keyhold_engine::template::Template;
    use keyhold_protocol::uplink::{KeyCheck, KeyCheckResult, KeyCheckStep};
    use keyhold_store::{Verification, VerificationState};
    use serde_json::{Value, json};

    pub(super) fn instrument() -> Instrument {
        let text = json!({
            "exchange": "kraken_futures", "symbol": "PF_XBTUSD", "base": "BTC", "quote": "USD", "settle": "USD",
            "contract_type": "linear", "multiplier": "1", "tick": "1", "lot": "0.0001", "min_quantity": "0.0001",
            "max_quantity": null, "min_notional": "5", "max_leverage": "50", "maintenance_margin": "0.01",
            "maker_fee": "-0.0002", "taker_fee": "0.0005", "funding_interval_hours": 1, "status": "trading",
        });
        serde_json::from_value(text).unwrap()
    }

    pub(super) fn verification() -> Verification {
        let check = |result| KeyCheck {
            step: KeyCheckStep::Permissions,
            result,
            detail: "It may withdraw.".to_owned(),
            venue_code: Some("10005".to_owned()),
        };
        let results = [
            KeyCheckResult::Passed,
            KeyCheckResult::Warning(ReasonCode::KeyUnknownPermission),
            KeyCheckResult::Failed(ReasonCode::KeyWithdrawalEnabled),
            KeyCheckResult::NotReached,
        ];
        let balance: Balance =
            serde_json::from_value(json!({"asset": "USDT", "wallet": "1", "equity": "1", "available": "1"}))
                .unwrap();
        Verification {
            state: VerificationState::Failed,
            checked_at: Some(Timestamp::from_ms(1)),
            code: Some("KEY_WITHDRAWAL_ENABLED".to_owned()),
            checks: results.map(check).into(),
            facts: Some(KeyFacts {
                read: Known::Yes,
                trade: Known::No,
                withdraw: Known::Unknown,
                transfer: Known::Unknown,
                ip_bound: Known::Unknown,
                ip_addresses: vec!["192.0.2.1".to_owned()],
                expires_at: Some(Timestamp::from_ms(1)),
                unknown_permissions: vec!["Earn".to_owned()],
                contract_types: vec![keyhold_domain::ContractType::Inverse],
            }),
            balances: vec![balance],
        }
    }

    pub(super) fn settings() -> Value {
        let text = json!({
            "format": 1, "sizing": {"mode": "percent_equity", "pct": "2"}, "leverage": "3", "warmup_candles": 10,
            "limits": {
                "daily_loss": {"most": {"pct": "3"}},
                "consecutive_losses": {"count": 3, "lookback_candles": 9, "cool_off_candles": 4},
                "max_position_notional": {"most": {"pct_equity": "50"}},
                "order_errors": {"count": 3, "window_s": 60},
            },
        });
        json!(serde_json::from_value::<BotSettings>(text).unwrap())
    }

    pub(super) fn template() -> Value {
        let text = json!({
            "format": 1, "name": "Every kind of value", "timeframe": "1h",
            "combination": {"mode": "min_signals", "count": 1},
            "components": [{"kind": "a", "role": "signal", "parameters":
                {"number": 1.5, "choice": "close", "choices": ["up", "down"]}}],
            "exits": [{"kind": "take_profit", "parameters": {"ladder": [{"pct": 1, "share": "0.5"}]}}],
            "sessions": [{"name": "day", "start": "08:00", "end": "16:00", "weekdays": ["mon"]}],
        });
        json!(serde_json::from_value::<Template>(text).unwrap())
    }
}
