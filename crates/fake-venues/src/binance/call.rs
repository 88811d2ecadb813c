//! One REST call: the table of calls, who may make them, what they cost, and what every handler needs.

use std::collections::BTreeMap;

use keyhold_domain::{ContractType, Decimal, Instrument, Symbol, Timestamp};
use keyhold_simulator::exchange::AccountId;
use serde_json::Value;

use super::auth::{self, Access};
use super::failure::Failure;
use super::instruments;
use super::state::State;
use super::{account, market, socket, trade};
use crate::config::{AccountConfig, KeyConfig};
use crate::feed::Feed;
use crate::protocol::{Answer, Protocol as _, Request, Verb};
use crate::trouble::Service;
use crate::world::Records;

/// What a handler works with.
pub(crate) struct Call<'a> {
    pub(crate) state: &'a mut State,
    /// Linear for `/fapi`, inverse for `/dapi`.
    pub(crate) product: ContractType,
    pub(crate) account: AccountId,
    pub(crate) wall: Timestamp,
    params: BTreeMap<String, String>,
    key: Option<&'a KeyConfig>,
}

type Handler = fn(&mut Call<'_>) -> Result<Value, Failure>;

/// Verb, path without host and product (`/fapi` and `/dapi` answer alike), needed right, weight, handler.
struct Endpoint(Verb, &'static str, Access, u32, Handler);

const ENDPOINTS: &[Endpoint] = &[
    Endpoint(Verb::Get, "/v1/ping", Access::Public, 1, market::ping),
    Endpoint(Verb::Get, "/v1/time", Access::Public, 1, market::time),
    Endpoint(Verb::Get, "/v1/exchangeInfo", Access::Public, 1, market::instruments),
    Endpoint(Verb::Get, "/v1/fundingInfo", Access::Public, 1, market::funding_info),
    Endpoint(Verb::Get, "/v1/klines", Access::Public, 5, market::klines),
    Endpoint(Verb::Get, "/v1/premiumIndex", Access::Public, 1, market::premium),
    Endpoint(Verb::Get, "/v1/ticker/24hr", Access::Public, 1, market::day_ticker),
    Endpoint(Verb::Get, "/v1/ticker/bookTicker", Access::Public, 2, market::book_ticker),
    Endpoint(Verb::Get, "/v1/openInterest", Access::Public, 1, market::open_interest),
    Endpoint(Verb::Get, "/v1/depth", Access::Public, 20, market::depth),
    Endpoint(Verb::Get, "/v1/trades", Access::Public, 5, market::trades),
    Endpoint(Verb::Get, "/v1/aggTrades", Access::Public, 20, market::trades),
    Endpoint(Verb::Get, "/v1/fundingRate", Access::Public, 1, market::funding_rates),
    Endpoint(Verb::Get, "/v1/account", Access::Read, 5, account::account),
    Endpoint(Verb::Get, "/v2/account", Access::Read, 5, account::account),
    Endpoint(Verb::Get, "/v3/account", Access::Read, 5, account::account),
    Endpoint(Verb::Get, "/v1/positionRisk", Access::Read, 5, account::positions),
    Endpoint(Verb::Get, "/v2/positionRisk", Access::Read, 5, account::positions),
    Endpoint(Verb::Get, "/v3/positionRisk", Access::Read, 5, account::held),
    Endpoint(Verb::Get, "/v1/symbolConfig", Access::Read, 5, account::symbol_config),
    Endpoint(Verb::Get, "/v1/leverageBracket", Access::Read, 1, account::brackets),
    Endpoint(Verb::Get, "/v2/leverageBracket", Access::Read, 1, account::brackets),
    Endpoint(Verb::Get, "/v1/positionSide/dual", Access::Read, 30, account::position_mode),
    Endpoint(Verb::Post, "/v1/positionSide/dual", Access::Trade, 1, account::set_position_mode),
    Endpoint(Verb::Get, "/v1/commissionRate", Access::Read, 20, account::fees),
    Endpoint(Verb::Post, "/v1/leverage", Access::Trade, 1, account::set_leverage),
    Endpoint(Verb::Post, "/v1/marginType", Access::Trade, 1, account::set_margin_type),
    Endpoint(Verb::Get, "/v1/userTrades", Access::Read, 5, account::trades),
    Endpoint(Verb::Get, "/v1/income", Access::Read, 30, account::income),
    Endpoint(Verb::Post, "/v1/order", Access::Trade, 1, trade::place),
    Endpoint(Verb::Put, "/v1/order", Access::Trade, 1, trade::amend),
    Endpoint(Verb::Get, "/v1/order", Access::Read, 1, trade::one),
    Endpoint(Verb::Delete, "/v1/order", Access::Trade, 1, trade::cancel),
    Endpoint(Verb::Get, "/v1/openOrders", Access::Read, 1, trade::open),
    Endpoint(Verb::Get, "/v1/allOrders", Access::Read, 5, trade::all),
    Endpoint(Verb::Delete, "/v1/allOpenOrders", Access::Trade, 1, trade::cancel_all),
    Endpoint(Verb::Post, "/v1/algoOrder", Access::Trade, 1, trade::place_algo),
    Endpoint(Verb::Get, "/v1/algoOrder", Access::Read, 1, trade::one_algo),
    Endpoint(Verb::Delete, "/v1/algoOrder", Access::Trade, 1, trade::cancel_algo),
    Endpoint(Verb::Get, "/v1/openAlgoOrders", Access::Read, 1, trade::open_algo),
    Endpoint(Verb::Get, "/v1/allAlgoOrders", Access::Read, 5, trade::all_algo),
    Endpoint(Verb::Delete, "/v1/algoOpenOrders", Access::Trade, 1, trade::cancel_all_algo),
    Endpoint(Verb::Post, "/v1/countdownCancelAll", Access::Trade, 10, trade::countdown),
    Endpoint(Verb::Post, "/v1/listenKey", Access::Named, 1, socket::make_key),
    Endpoint(Verb::Put, "/v1/listenKey", Access::Named, 1, socket::renew_key),
    Endpoint(Verb::Delete, "/v1/listenKey", Access::Named, 1, socket::end_key),
];

/// Calls of the wallet's host.
const WALLET: &[Endpoint] = &[
    Endpoint(Verb::Get, "/sapi/v1/system/status", Access::Public, 0, market::status),
    Endpoint(Verb::Get, "/sapi/v1/account/apiRestrictions", Access::Known, 0, account::key_facts),
    Endpoint(Verb::Get, "/sapi/v1/capital/config/getall", Access::Read, 0, account::nothing),
    Endpoint(Verb::Get, "/sapi/v1/margin/allPairs", Access::Read, 0, account::nothing),
];

/// What an address has done after it was told to wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Strikes {
    since: Timestamp,
    count: u32,
    banned_until: Option<Timestamp>,
}

/// So many refused requests within a minute end the patience; the venue names no number.
const PATIENCE: u32 = 50;
/// The shortest ban. Source: "IP limits" of the futures documentation.
const BAN_MS: i64 = 120_000;

/// Weight of one address in a minute, both products together.
const WEIGHT_LIMIT: (u32, i64) = (2_400, 60_000);
/// New and changed orders of an account, both products together.
const ORDERS_10S: (u32, i64) = (300, 10_000);
const ORDERS_1M: (u32, i64) = (1_200, 60_000);

fn found(request: &Request<'_>) -> Option<(&'static Endpoint, ContractType)> {
    let fits = |path: &str, endpoint: &&Endpoint| endpoint.0 == request.verb && endpoint.1 == path;
    for (prefix, product) in [("/fapi", ContractType::Linear), ("/dapi", ContractType::Inverse)] {
        if let Some(path) = request.path.strip_prefix(prefix) {
            return ENDPOINTS.iter().find(|endpoint| fits(path, endpoint)).map(|found| (found, product));
        }
    }
    WALLET.iter().find(|endpoint| fits(request.path, endpoint)).map(|found| (found, ContractType::Linear))
}

/// Query and body together; both are forms.
fn params_of(request: &Request<'_>) -> BTreeMap<String, String> {
    let form = |bytes| url::form_urlencoded::parse(bytes).into_owned();
    form(request.query.as_bytes()).chain(form(request.body)).collect()
}

/// Does a call.
pub(crate) fn answer(state: &mut State, accounts: &[AccountConfig], request: &Request<'_>) -> Answer {
    let mut headers = Vec::new();
    let result = serve(state, accounts, request, &mut headers);
    let mut answer = match &result {
        Ok(value) => Answer::json(200, value),
        Err(failure) => failure.answer(),
    };
    answer.headers = headers;
    let places = request.verb == Verb::Post
        && (request.path.ends_with("/order") || request.path.ends_with("/algoOrder"));
    if places && result.is_ok() {
        answer.ordered = params_of(request).get("symbol").and_then(|symbol| symbol.parse().ok());
    }
    answer
}

/// A limit and how it is told.
struct Pool {
    limit: (u32, i64),
    header: &'static str,
    refusal: fn() -> Failure,
}

/// Takes from a pool; tells how much is used, and how long to wait when it is too much.
fn spend(
    state: &mut State,
    request: &Request<'_>,
    (what, cost): (String, u32),
    pool: &Pool,
    headers: &mut Vec<(&'static str, String)>,
) -> Result<(), Failure> {
    let (left, reset) = state.core.spend(what, cost, pool.limit, request.wall);
    headers.push((pool.header, (pool.limit.0 - left.unwrap_or(0)).to_string()));
    if left.is_some() {
        return Ok(());
    }
    let seconds = (reset.since_ms(request.wall) + 999) / 1_000;
    headers.push(("retry-after", seconds.max(1).to_string()));
    let fresh = Strikes { since: request.wall, count: 0, banned_until: None };
    let strikes = state.strikes.entry(request.peer).or_insert(fresh);
    if request.wall.since_ms(strikes.since) >= 60_000 {
        *strikes = fresh;
    }
    strikes.count += 1;
    if strikes.count > PATIENCE {
        strikes.banned_until = Some(request.wall.plus_ms(BAN_MS));
    }
    Err((pool.refusal)())
}

/// Refuses everything from an address that did not wait.
fn banned(
    state: &State,
    request: &Request<'_>,
    headers: &mut Vec<(&'static str, String)>,
) -> Result<(), Failure> {
    let until = state.strikes.get(&request.peer).and_then(|strikes| strikes.banned_until);
    let Some(until) = until.filter(|until| *until > request.wall) else { return Ok(()) };
    headers.push(("retry-after", ((until.since_ms(request.wall) + 999) / 1_000).to_string()));
    let text = format!("Way too many requests; IP banned until {}.", until.ms());
    Err(Failure::with_status(418, -1003, &text))
}

fn serve(
    state: &mut State,
    accounts: &[AccountConfig],
    request: &Request<'_>,
    headers: &mut Vec<(&'static str, String)>,
) -> Result<Value, Failure> {
    let Some((endpoint, product)) = found(request) else {
        return Err(Failure::with_status(404, -1000, "path not found"));
    };
    banned(state, request, headers)?;
    if endpoint.3 > 0 {
        let pool = Pool { limit: WEIGHT_LIMIT, header: "x-mbx-used-weight-1m", refusal: Failure::too_many };
        spend(state, request, (format!("weight {}", request.peer), endpoint.3), &pool, headers)?;
    }
    if state.core.trouble.service == Service::Maintenance && endpoint.1 != "/sapi/v1/system/status" {
        return Err(Failure::maintenance());
    }
    let params = params_of(request);
    let mut who = None;
    if endpoint.2 != Access::Public {
        let number = |name: &str| params.get(name).and_then(|text| text.parse::<i64>().ok());
        let times = (number("timestamp"), number("recvWindow"));
        who = Some(auth::authorize(accounts, request, endpoint.2, times)?);
    }
    let orders =
        matches!(endpoint.0, Verb::Post | Verb::Put) && matches!(endpoint.1, "/v1/order" | "/v1/algoOrder");
    if let Some((account, _)) = who.filter(|_| orders) {
        for (name, limit, header) in
            [("10s", ORDERS_10S, "x-mbx-order-count-10s"), ("1m", ORDERS_1M, "x-mbx-order-count-1m")]
        {
            let pool = Pool { limit, header, refusal: Failure::too_many_orders };
            spend(state, request, (format!("orders {name} {}", account.0), 1), &pool, headers)?;
        }
    }
    let (account, key) = who.map_or((AccountId(u32::MAX), None), |(account, key)| (account, Some(key)));
    let result = (endpoint.4)(&mut Call { state, product, account, wall: request.wall, params, key });
    // Also after a refusal: an amended order may have executed before something else failed.
    state.tell();
    result
}

impl Call<'_> {
    pub(crate) fn key(&self) -> Result<&KeyConfig, Failure> {
        self.key.ok_or_else(Failure::no_key)
    }

    /// A parameter that is present and not empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.params.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    pub(crate) fn require(&self, name: &str) -> Result<&str, Failure> {
        self.text(name).ok_or_else(|| Failure::missing(name))
    }

    pub(crate) fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Failure> {
        self.text(name).map(|text| text.parse().map_err(|_| Failure::illegal(name))).transpose()
    }

    /// The instrument the call names, of its product.
    pub(crate) fn feed(&self) -> Result<&Feed, Failure> {
        self.wanted()?.ok_or_else(|| Failure::missing("symbol"))
    }

    fn wanted(&self) -> Result<Option<&Feed>, Failure> {
        let Some(symbol) = self.text("symbol") else { return Ok(None) };
        let symbol: Symbol = symbol.parse().map_err(|_| Failure::bad_symbol())?;
        let feed = self.state.core.world.feed(symbol);
        let feed = feed.filter(|feed| feed.instrument.contract_type == self.product);
        feed.map(Some).ok_or_else(Failure::bad_symbol)
    }

    /// The one instrument the call names, or all of the product.
    pub(crate) fn feeds(&self) -> Result<Vec<&Feed>, Failure> {
        let all = || {
            self.state.core.world.feeds.iter().filter(|feed| feed.instrument.contract_type == self.product)
        };
        Ok(self.wanted()?.map_or_else(|| all().collect(), |feed| vec![feed]))
    }

    /// The instruments of [`Self::feeds`].
    pub(crate) fn symbols(&self) -> Result<Vec<Symbol>, Failure> {
        Ok(self.feeds()?.iter().map(|feed| feed.instrument.symbol).collect())
    }

    pub(crate) fn records(&self) -> Result<&Records, Failure> {
        self.state.core.world.records.get(&self.account).ok_or_else(Failure::rejected_key)
    }

    /// `startTime` and `endTime`, inclusive.
    pub(crate) fn range(&self) -> Result<std::ops::RangeInclusive<i64>, Failure> {
        let from = self.number("startTime")?.unwrap_or(i64::MIN);
        Ok(from..=self.number("endTime")?.unwrap_or(i64::MAX))
    }

    pub(crate) fn limit(&self, usual: usize, most: usize) -> Result<usize, Failure> {
        Ok(self.number("limit")?.unwrap_or(usual).clamp(1, most))
    }

    /// A quantity of the wire in the exchange's unit.
    pub(crate) fn quantity(
        &self,
        name: &str,
        instrument: &Instrument,
    ) -> Result<keyhold_domain::Quantity, Failure> {
        let wire: Decimal = self.number(name)?.ok_or_else(|| Failure::missing(name))?;
        let inside = wire.checked_mul(instruments::size(instrument)).ok_or_else(|| Failure::illegal(name))?;
        keyhold_domain::Quantity::new(inside)
            .map_err(|_| Failure::new(-4003, "Quantity less than or equal to zero."))
    }
}
