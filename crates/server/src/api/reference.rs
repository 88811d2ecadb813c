//! What does not belong to a user: exchanges with their guides, the catalog, instruments.
//!
//! The guides are data ([`crate::guide`]); an exchange is offered when this program has an adapter for it.

use axum::extract::State;
use keyhold_domain::{ContractType, Environment, Exchange, Instrument, Site, Timeframe};
use keyhold_engine::catalog::{Catalog, ComponentEntry, ExitEntry};
use keyhold_venues::Endpoints;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api::documents::query_value;
use crate::app::{App, Shared};
use crate::guide::{self, ExchangeGuide, Guide, KeyFields};
use crate::http::auth::Session;
use crate::http::json::Json;
use crate::http::problem::{Problem, ProblemDocument};
use crate::http::query::Query;
use crate::shape;

/// An exchange and how to make a key there.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ExchangeEntry {
    #[schema(value_type = shape::Exchange)]
    pub(crate) exchange: Exchange,
    name: &'static str,
    /// Those in which keys can be added here.
    #[schema(value_type = Vec<shape::Environment>)]
    pub(crate) environments: Vec<Environment>,
    #[schema(value_type = Vec<shape::ContractType>)]
    pub(crate) contract_types: &'static [ContractType],
    #[schema(value_type = shape::PassphraseNeed)]
    passphrase: &'static str,
    /// The parts of a credential and what they usually look like.
    fields: &'static KeyFields,
    /// The day the company closed, if it did.
    #[schema(required)]
    closed_since: Option<&'static str>,
    status_url: &'static str,
    /// What bots and this server connect to, for firewalls; one entry for each site at which an account can lie.
    hosts: Vec<HostsEntry>,
    guide: &'static Guide,
    /// A paper account for everybody, when a simulated venue is configured.
    #[schema(required)]
    demo_credential: Option<DemoCredential>,
}

/// The hosts of one site of an exchange in one environment.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ExchangeHosts)]
pub(crate) struct HostsEntry {
    #[schema(value_type = shape::Environment)]
    environment: Environment,
    #[schema(value_type = shape::Site)]
    site: Site,
    /// For people.
    site_name: &'static str,
    /// `host`, or `host:port` where the port is not 443; the one for requests first.
    hosts: Vec<String>,
}

/// Opens a paper account and nothing else.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct DemoCredential {
    api_key: String,
    api_secret: String,
    #[schema(required)]
    passphrase: Option<String>,
}

/// The exchanges this installation offers, with the environments that work here.
pub(crate) fn offered(app: &App) -> Vec<ExchangeEntry> {
    let mut offered = Vec::new();
    for found in guide::all() {
        let simulated = app.config.simulated(found.exchange);
        let works = |environment: &Environment| *environment != Environment::Simulated || simulated.is_some();
        let environments: Vec<_> = found.environments.iter().copied().filter(works).collect();
        let demo_credential = simulated.and_then(|venue| {
            let (api_key, api_secret) = (venue.demo_key.clone()?, venue.demo_key_counterpart.clone()?);
            Some(DemoCredential { api_key, api_secret, passphrase: venue.demo_passphrase.clone() })
        });
        if !environments.is_empty() {
            offered.push(ExchangeEntry {
                exchange: found.exchange,
                name: found.exchange.display_name(),
                hosts: environments.iter().flat_map(|one| sites(found, *one)).collect(),
                environments,
                contract_types: &found.contract_types,
                passphrase: found.passphrase(),
                fields: &found.fields,
                closed_since: found.closed_since.as_deref(),
                status_url: &found.status_url,
                guide: &found.guide,
                demo_credential,
            });
        }
    }
    offered
}

/// The sites of an environment, the one for everybody first; none when it is simulated.
fn sites(found: &ExchangeGuide, environment: Environment) -> impl Iterator<Item = HostsEntry> {
    let all = Endpoints::sites(found.exchange, environment);
    all.into_iter().filter_map(move |site| hosts(found, environment, site))
}

/// What is connected to at a site; nothing outside this machine when it is simulated.
fn hosts(found: &ExchangeGuide, environment: Environment, site: Site) -> Option<HostsEntry> {
    let mut hosts: Vec<String> = Vec::new();
    for contract in &found.contract_types {
        let endpoints = Endpoints::at_site(found.exchange, environment, *contract, site).ok()?;
        for host in endpoints.all().map(keyhold_venues::hosts::Base::authority) {
            if !hosts.iter().any(|known| known == host) {
                hosts.push(host.to_owned());
            }
        }
    }
    let site_name = site.display_name();
    Some(HostsEntry { environment, site, site_name, hosts })
}

/// Refuses the real systems of an exchange that has closed.
pub(crate) fn refuse_closed(exchange: Exchange, environment: Environment) -> Result<(), Problem> {
    let Some(day) = guide::of(exchange).closed(environment) else { return Ok(()) };
    let name = exchange.display_name();
    let detail =
        format!("{name} closed on {day}: none of its keys works any more, on the live or the test system.");
    Err(Problem::bad_request("EXCHANGE_CLOSED", detail)
        .at("/environment")
        .next("Choose another exchange, or the simulated environment for paper trading."))
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
    refuse_closed(exchange, environment)?;
    let offered = offered(app);
    let Some(entry) = offered.iter().find(|entry| entry.exchange == exchange) else {
        return refused("/exchange");
    };
    if !entry.environments.contains(&environment) {
        return refused("/environment");
    }
    if entry.contract_types.contains(&contract_type) { Ok(()) } else { refused("/contract_type") }
}

/// The site that a key names; none when it names none. Refuses one that its exchange does not have.
pub(crate) fn check_site(
    exchange: Exchange,
    environment: Environment,
    site: Option<&str>,
) -> Result<Option<Site>, Problem> {
    let Some(text) = site else { return Ok(None) };
    let all = Endpoints::sites(exchange, environment);
    if let Some(site) = all.iter().find(|site| site.as_str() == text) {
        return Ok(Some(*site));
    }
    let names: Vec<_> = all.iter().map(|site| site.as_str()).collect();
    let detail =
        format!("The exchange has no such site in this environment. Its sites: {}.", names.join(", "));
    Err(Problem::bad_request("EXCHANGE_SITE_UNKNOWN", detail).at("/site").next("Choose one of them."))
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
