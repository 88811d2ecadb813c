//! What does not belong to a user: exchanges with their guides, the catalog, instruments.
//!
//! The guides are data (`data/exchanges.json`); an exchange is offered when this program has an adapter for it.

use std::sync::LazyLock;

use axum::extract::State;
use keyhold_domain::{ContractType, Environment, Exchange, Instrument, Timeframe};
use keyhold_engine::catalog::{Catalog, ComponentEntry, ExitEntry};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api::documents::query_value;
use crate::app::{App, Shared};
use crate::http::auth::Session;
use crate::http::json::Json;
use crate::http::problem::{Problem, ProblemDocument};
use crate::http::query::Query;
use crate::shape;

/// An exchange and how to make a key there.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub(crate) struct ExchangeEntry {
    #[schema(value_type = shape::Exchange)]
    pub(crate) exchange: Exchange,
    #[serde(default)]
    #[schema(required)]
    name: String,
    #[schema(value_type = Vec<shape::Environment>)]
    pub(crate) environments: Vec<Environment>,
    #[schema(value_type = Vec<shape::ContractType>)]
    pub(crate) contract_types: Vec<ContractType>,
    #[schema(value_type = shape::PassphraseNeed)]
    passphrase: String,
    /// The day the company closed, if it did.
    #[serde(default)]
    #[schema(required)]
    closed_since: Option<String>,
    status_url: String,
    guide: Guide,
    /// A paper account for everybody, when a simulated venue is configured.
    #[serde(default)]
    #[schema(required)]
    demo_credential: Option<DemoCredential>,
}

/// Steps at the exchange, in its own words.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub(crate) struct Guide {
    open_url: String,
    open_url_testnet: String,
    revoke_url: String,
    steps: Vec<String>,
    tick: Vec<String>,
    leave_off: Vec<String>,
    address_note: String,
    expiry_note: String,
    checked_on: String,
}

/// Opens a paper account and nothing else.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub(crate) struct DemoCredential {
    api_key: String,
    api_secret: String,
    #[schema(required)]
    passphrase: Option<String>,
}

static EXCHANGES: LazyLock<Vec<ExchangeEntry>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../data/exchanges.json"))
        .expect("the file is part of the program and read by a test")
});

/// The exchanges this installation offers, with the environments that work here.
pub(crate) fn offered(app: &App) -> Vec<ExchangeEntry> {
    let mut offered = Vec::new();
    for entry in EXCHANGES.iter().filter(|entry| crate::venues::has_adapter(entry.exchange)) {
        let mut entry = entry.clone();
        entry.name = entry.exchange.display_name().into();
        let simulated = app.config.simulated(entry.exchange);
        entry
            .environments
            .retain(|environment| *environment != Environment::Simulated || simulated.is_some());
        entry.demo_credential = simulated.and_then(|venue| {
            let (api_key, api_secret) = (venue.demo_key.clone()?, venue.demo_key_counterpart.clone()?);
            Some(DemoCredential { api_key, api_secret, passphrase: None })
        });
        if !entry.environments.is_empty() {
            offered.push(entry);
        }
    }
    offered
}

/// Refuses an exchange, environment or contract type that this installation does not offer.
pub(crate) fn check_offered(
    app: &App,
    exchange: Exchange,
    environment: Environment,
    contract_type: ContractType,
) -> Result<(), Problem> {
    let refused = |pointer: &str| {
        let detail = "This installation does not offer this exchange in this form.";
        Err(Problem::bad_request("EXCHANGE_UNSUPPORTED", detail).at(pointer))
    };
    let offered = offered(app);
    let Some(entry) = offered.iter().find(|entry| entry.exchange == exchange) else {
        return refused("/exchange");
    };
    if !entry.environments.contains(&environment) {
        return refused("/environment");
    }
    if entry.contract_types.contains(&contract_type) { Ok(()) } else { refused("/contract_type") }
}

/// Exchanges with an adapter.
#[utoipa::path(get, path = "/exchanges",
    responses((status = 200, body = Vec<ExchangeEntry>), (status = 401, body = ProblemDocument)))]
pub(crate) async fn exchanges(
    State(app): State<Shared>,
    _session: Session,
) -> Result<Json<Vec<ExchangeEntry>>, Problem> {
    Ok(Json(offered(&app)))
}

/// What forms are drawn from.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CatalogView {
    #[schema(value_type = Vec<shape::ComponentPage>)]
    components: &'static [ComponentEntry],
    /// In the order in which they are named when several trigger at once.
    #[schema(value_type = Vec<shape::ExitPage>)]
    exits: &'static [ExitEntry],
    #[schema(value_type = Vec<shape::Timeframe>)]
    timeframes: &'static [Timeframe],
    #[schema(value_type = Vec<Mode>)]
    combination_modes: [Mode; 6],
}

/// A way in which signals become a direction.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(crate) struct Mode {
    #[serde(rename = "mode")]
    #[schema(value_type = shape::ModeName)]
    name: &'static str,
    title: &'static str,
    help: &'static str,
}

const MODES: [Mode; 6] = [
    Mode {
        name: "min_score",
        title: "Minimum score",
        help: "The weighted sum of the signals reaches the threshold.",
    },
    Mode {
        name: "min_signals",
        title: "Minimum signals",
        help: "At least this many signals agree, and more agree than oppose.",
    },
    Mode {
        name: "weighted_average",
        title: "Weighted average",
        help: "The weighted mean of the signals reaches the threshold.",
    },
    Mode { name: "majority", title: "Majority", help: "More than half of all enabled signals agree." },
    Mode { name: "all", title: "All", help: "Every enabled signal agrees." },
    Mode { name: "any", title: "Any", help: "At least one signal, and none against it." },
];

/// Components, exit rules, timeframes and combination modes.
#[utoipa::path(get, path = "/catalog",
    responses((status = 200, body = CatalogView), (status = 401, body = ProblemDocument)))]
pub(crate) async fn catalog(_session: Session) -> Json<CatalogView> {
    let Catalog { components, exits } = keyhold_engine::catalog::catalog();
    Json(CatalogView { components, exits, timeframes: Timeframe::ALL, combination_modes: MODES })
}

/// Which market's instruments.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct InstrumentQuery {
    exchange: Option<String>,
    environment: Option<String>,
    contract_type: Option<String>,
}

/// Instruments of a market, as its venue lists them.
#[utoipa::path(get, path = "/instruments", params(InstrumentQuery),
    responses((status = 200, body = Vec<shape::Instrument>), (status = 400, body = ProblemDocument)))]
pub(crate) async fn instruments(
    State(app): State<Shared>,
    _session: Session,
    Query(query): Query<InstrumentQuery>,
) -> Result<Json<Vec<Instrument>>, Problem> {
    let needed = |pointer| Problem::bad_request("INVALID_FIELD", "This is needed.").at(pointer);
    let exchange = query_value(query.exchange.as_deref(), "?exchange")?.ok_or_else(|| needed("?exchange"))?;
    let environment =
        query_value(query.environment.as_deref(), "?environment")?.ok_or_else(|| needed("?environment"))?;
    let contract_type = query_value(query.contract_type.as_deref(), "?contract_type")?
        .ok_or_else(|| needed("?contract_type"))?;
    check_offered(&app, exchange, environment, contract_type)?;
    crate::venues::instruments(&app, exchange, environment, contract_type).await.map(Json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exchange_has_a_guide_that_can_be_read() {
        let listed: Vec<Exchange> = EXCHANGES.iter().map(|entry| entry.exchange).collect();
        for exchange in Exchange::ALL {
            assert!(listed.contains(exchange), "{exchange} has no guide");
        }
        for entry in EXCHANGES.iter() {
            assert!(entry.guide.open_url.starts_with("https://"), "{}", entry.exchange);
            assert!(!entry.guide.leave_off.is_empty(), "{}", entry.exchange);
        }
    }
}
