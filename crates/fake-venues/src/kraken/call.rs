//! One REST call: the table of calls, who may make them and what they cost, and what every handler needs.

use keyhold_domain::{Symbol, Timestamp};
use keyhold_simulator::exchange::AccountId;
use serde_json::{Value, json};

use super::auth::{self, Access};
use super::failure::Failure;
use super::params::{Params, named};
use super::state::State;
use super::{account, history, market, trade};
use crate::config::{AccountConfig, KeyConfig};
use crate::feed::Feed;
use crate::protocol::{Answer, Protocol as _, Request, Verb};
use crate::trouble::Service;
use crate::world::Records;

/// What a handler works with.
pub(crate) struct Call<'a> {
    pub(crate) state: &'a mut State,
    pub(crate) params: Params,
    /// What stands in the path behind the endpoint.
    pub(crate) tail: Vec<String>,
    pub(crate) account: AccountId,
    pub(crate) wall: Timestamp,
    key: Option<&'a KeyConfig>,
}

type Handler = fn(&mut Call<'_>) -> Result<Value, Failure>;

/// Whose allowance pays: nobody's, 500 in 10 s, 100 in 10 min.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pool {
    Free,
    Trading(u32),
    History(u32),
}

/// Verb, path, needed right, cost, handler. A path that ends with `/` takes what follows it.
struct Endpoint(Verb, &'static str, Access, Pool, Handler);

use Access::{Full, Known, Public, Read};
use Pool::{Free, History, Trading};

/// Every call. Costs: Kraken's rate-limit page.
const ENDPOINTS: &[Endpoint] = &[
    Endpoint(Verb::Get, "/derivatives/api/v3/instruments", Public, Free, market::instruments),
    Endpoint(Verb::Get, "/derivatives/api/v3/instruments/status", Public, Free, market::statuses),
    Endpoint(Verb::Get, "/derivatives/api/v3/tickers", Public, Free, market::tickers),
    Endpoint(Verb::Get, "/derivatives/api/v3/tickers/", Public, Free, market::ticker),
    Endpoint(Verb::Get, "/derivatives/api/v3/orderbook", Public, Free, market::order_book),
    Endpoint(Verb::Get, "/derivatives/api/v3/feeschedules", Public, Free, market::fee_schedules),
    Endpoint(Verb::Get, "/derivatives/api/v4/historicalfundingrates", Public, Free, market::funding_rates),
    Endpoint(Verb::Get, "/api/charts/v1/", Public, Free, market::charts),
    Endpoint(Verb::Get, "/api/history/v3/market/", Public, Free, market::executions),
    Endpoint(Verb::Get, "/api/auth/v1/api-keys/v3/check", Known, Free, account::key_facts),
    Endpoint(Verb::Get, "/derivatives/api/v3/accounts", Read, Trading(2), account::accounts),
    Endpoint(Verb::Get, "/derivatives/api/v3/openpositions", Read, Trading(2), account::positions),
    Endpoint(Verb::Get, "/derivatives/api/v3/openorders", Read, Trading(2), trade::open_orders),
    Endpoint(Verb::Get, "/derivatives/api/v3/orders/status", Read, Trading(2), trade::statuses),
    Endpoint(Verb::Post, "/derivatives/api/v3/orders/status", Read, Trading(2), trade::statuses),
    Endpoint(Verb::Get, "/derivatives/api/v3/fills", Read, Trading(2), history::fills),
    Endpoint(Verb::Get, "/derivatives/api/v3/leveragepreferences", Read, Trading(2), account::leverage),
    Endpoint(Verb::Put, "/derivatives/api/v3/leveragepreferences", Full, Trading(10), account::set_leverage),
    Endpoint(Verb::Get, "/derivatives/api/v3/feeschedules/volumes", Read, Trading(2), account::volumes),
    Endpoint(Verb::Post, "/derivatives/api/v3/sendorder", Full, Trading(10), trade::send),
    Endpoint(Verb::Post, "/derivatives/api/v3/editorder", Full, Trading(10), trade::edit),
    Endpoint(Verb::Post, "/derivatives/api/v3/cancelorder", Full, Trading(10), trade::cancel),
    Endpoint(Verb::Post, "/derivatives/api/v3/cancelallorders", Full, Trading(25), trade::cancel_all),
    Endpoint(Verb::Post, "/derivatives/api/v3/cancelallordersafter", Full, Trading(25), trade::cancel_after),
    Endpoint(Verb::Get, "/api/history/v2/orders", Read, History(1), history::orders),
    Endpoint(Verb::Get, "/api/history/v3/account-log", Read, History(3), history::account_log),
];

const PLACE: &str = "/derivatives/api/v3/sendorder";

fn matches(endpoint: &Endpoint, request: &Request<'_>) -> bool {
    let Endpoint(verb, path, ..) = endpoint;
    *verb == request.verb
        && if path.ends_with('/') { request.path.starts_with(path) } else { request.path == *path }
}

/// Does a call and puts what came of it into the venue's envelope.
pub(crate) fn answer(state: &mut State, accounts: &[AccountConfig], request: &Request<'_>) -> Answer {
    let result = serve(state, accounts, request);
    let enveloped = request.path.starts_with("/derivatives");
    match result {
        Ok(mut body) => {
            if let Some(fields) = body.as_object_mut().filter(|_| enveloped) {
                fields.insert("result".to_owned(), json!("success"));
                fields.insert("serverTime".to_owned(), json!(request.wall.to_string()));
            }
            let placed = request.path == PLACE && body["sendStatus"]["status"] == "placed";
            let params = Params::of(request.query, request.body);
            let ordered = if placed { params.symbol().ok().flatten() } else { None };
            Answer { ordered, ..Answer::json(200, &body) }
        }
        Err(Failure { status, word }) => {
            // The service for keys has HTTP statuses of its own.
            let status = if status == 200 && request.path.starts_with("/api/auth") { 401 } else { status };
            let time = request.wall.to_string();
            Answer::json(status, &json!({ "result": "error", "error": word, "serverTime": time }))
        }
    }
}

fn serve(state: &mut State, accounts: &[AccountConfig], request: &Request<'_>) -> Result<Value, Failure> {
    let Some(endpoint) = ENDPOINTS.iter().find(|endpoint| matches(endpoint, request)) else {
        return Err(Failure { status: 404, word: "notFound".to_owned() });
    };
    if state.core.trouble.service == Service::Maintenance {
        return Err(Failure::maintenance());
    }
    let Endpoint(_, path, access, pool, handler) = endpoint;
    let (account, key) = match access {
        Public => (AccountId(0), None),
        Known | Read | Full => {
            let (account, key) = auth::check(state, accounts, request)?;
            auth::permit(key, *access, request.peer, request.wall)?;
            (account, Some(key))
        }
    };
    let spent = match pool {
        Free => None,
        Trading(cost) => Some((format!("derivatives {}", account.0), *cost, (500, 10_000))),
        History(cost) => Some((format!("history {}", account.0), *cost, (100, 600_000))),
    };
    if let Some((what, cost, limit)) = spent
        && state.core.spend(what, cost, limit, request.wall).0.is_none()
    {
        return Err(Failure::limit());
    }
    let tail = request.path.strip_prefix(path).unwrap_or_default();
    let tail = tail.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
    let params = Params::of(request.query, request.body);
    let mut call = Call { state, params, tail, account, wall: request.wall, key };
    let result = handler(&mut call);
    // Also a refused order may have told something.
    state.tell();
    result
}

impl<'a> Call<'a> {
    pub(crate) fn key(&self) -> Result<&'a KeyConfig, Failure> {
        self.key.ok_or_else(Failure::authentication)
    }

    /// The market of an instrument.
    pub(crate) fn feed_of(&self, symbol: Symbol) -> Result<&Feed, Failure> {
        self.state.core.world.feed(symbol).ok_or_else(Failure::unknown_symbol)
    }

    /// The market of the parameter `symbol`.
    pub(crate) fn feed(&self) -> Result<&Feed, Failure> {
        self.feed_of(named(self.params.require("symbol")?)?)
    }

    pub(crate) fn records(&self) -> Result<&Records, Failure> {
        self.state.core.world.records.get(&self.account).ok_or_else(Failure::authentication)
    }
}
