//! One REST call: the table of calls, who may make them how often, and what every handler needs.

use keyhold_domain::{Symbol, Timestamp};
use keyhold_simulator::exchange::AccountId;
use serde_json::{Value, json};

use super::auth::{self, Access, Credentials};
use super::failure::Failure;
use super::params::Params;
use super::state::State;
use super::{account, market, trade};
use crate::config::{AccountConfig, KeyConfig, RateLimits};
use crate::feed::Feed;
use crate::protocol::{Answer, Protocol as _, Request, Verb};
use crate::trouble::Service;
use crate::world::Records;

/// What a handler works with.
pub(crate) struct Call<'a> {
    pub(crate) state: &'a mut State,
    pub(crate) params: Params,
    pub(crate) account: AccountId,
    pub(crate) wall: Timestamp,
    key: Option<&'a KeyConfig>,
}

type Handler = fn(&mut Call<'_>) -> Result<Value, Failure>;

struct Endpoint(Verb, &'static str, Access, u32, Handler);

/// Every call: verb, path, needed right, calls per second and account, handler.
/// Limits: the rate-limit table of the v5 documentation.
const ENDPOINTS: &[Endpoint] = &[
    Endpoint(Verb::Get, "/v5/market/time", Access::Public, 0, market::time),
    Endpoint(Verb::Get, "/v5/system/status", Access::Public, 0, market::status),
    Endpoint(Verb::Get, "/v5/market/instruments-info", Access::Public, 0, market::instruments),
    Endpoint(Verb::Get, "/v5/market/risk-limit", Access::Public, 0, market::risk_limit),
    Endpoint(Verb::Get, "/v5/market/kline", Access::Public, 0, market::klines),
    Endpoint(Verb::Get, "/v5/market/mark-price-kline", Access::Public, 0, market::price_klines),
    Endpoint(Verb::Get, "/v5/market/index-price-kline", Access::Public, 0, market::price_klines),
    Endpoint(Verb::Get, "/v5/market/tickers", Access::Public, 0, market::tickers),
    Endpoint(Verb::Get, "/v5/market/orderbook", Access::Public, 0, market::order_book),
    Endpoint(Verb::Get, "/v5/market/recent-trade", Access::Public, 0, market::trades),
    Endpoint(Verb::Get, "/v5/market/funding/history", Access::Public, 0, market::funding_history),
    Endpoint(Verb::Get, "/v5/market/open-interest", Access::Public, 0, market::open_interest),
    Endpoint(Verb::Get, "/v5/user/query-api", Access::Read, 10, account::key_facts),
    Endpoint(Verb::Get, "/v5/account/info", Access::Read, 50, account::info),
    Endpoint(Verb::Get, "/v5/account/wallet-balance", Access::Read, 50, account::wallet),
    Endpoint(Verb::Get, "/v5/account/fee-rate", Access::Read, 10, account::fee_rate),
    Endpoint(Verb::Post, "/v5/account/set-margin-mode", Access::Position, 5, account::set_margin_mode),
    Endpoint(Verb::Get, "/v5/asset/coin/query-info", Access::Read, 5, account::coins),
    Endpoint(Verb::Get, "/v5/position/list", Access::Read, 50, account::positions),
    Endpoint(Verb::Post, "/v5/position/set-leverage", Access::Position, 10, account::set_leverage),
    Endpoint(Verb::Post, "/v5/position/switch-mode", Access::Position, 10, account::switch_mode),
    Endpoint(Verb::Post, "/v5/position/trading-stop", Access::Position, 10, account::trading_stop),
    Endpoint(Verb::Get, "/v5/position/closed-pnl", Access::Read, 50, account::closed_profit),
    Endpoint(Verb::Get, "/v5/execution/list", Access::Read, 50, account::executions),
    Endpoint(Verb::Post, "/v5/order/create", Access::Order, 10, trade::create),
    Endpoint(Verb::Post, "/v5/order/amend", Access::Order, 10, trade::amend),
    Endpoint(Verb::Post, "/v5/order/cancel", Access::Order, 10, trade::cancel),
    Endpoint(Verb::Post, "/v5/order/cancel-all", Access::Order, 10, trade::cancel_all),
    Endpoint(Verb::Get, "/v5/order/realtime", Access::Read, 50, trade::realtime),
    Endpoint(Verb::Get, "/v5/order/history", Access::Read, 50, trade::history),
];

/// The instrument of a request that makes an order.
fn ordered_symbol(request: &Request<'_>) -> Option<Symbol> {
    let orders = (request.verb, request.path) == (Verb::Post, "/v5/order/create");
    orders.then(|| Params::of_body(request.body).ok()?.symbol().ok()?).flatten()
}

/// How much of the call's limit is left.
#[derive(Debug, Clone, Copy)]
struct LimitNews {
    limit: u32,
    left: u32,
    reset: Timestamp,
}

/// The limit of one address over all calls: 600 in 5 s, then HTTP 403.
const ADDRESS_LIMIT: (u32, i64) = (600, 5_000);

/// Requests per second announced where limits are off, so that clients that believe the headers go as fast as they can.
const GENEROUS: u32 = 10_000;

/// Does a call and puts what came of it into the venue's envelope.
pub(crate) fn answer(state: &mut State, accounts: &[AccountConfig], request: &Request<'_>) -> Answer {
    let (result, limit) = serve(state, accounts, request);
    let time = request.wall.ms();
    let ordered = result.as_ref().ok().and_then(|_| ordered_symbol(request));
    let mut answer = match result {
        Ok(result) => Answer::json(
            200,
            &json!({ "retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": time }),
        ),
        Err(Failure { status: 403, text, .. }) => return Answer::text(403, text),
        Err(Failure { status, code, text }) => Answer::json(
            status,
            &json!({ "retCode": code, "retMsg": text, "result": {}, "retExtInfo": {}, "time": time }),
        ),
    };
    if let Some(limit) = limit {
        answer.headers = vec![
            ("x-bapi-limit", limit.limit.to_string()),
            ("x-bapi-limit-status", limit.left.to_string()),
            ("x-bapi-limit-reset-timestamp", limit.reset.ms().to_string()),
        ];
    }
    Answer { ordered, ..answer }
}

/// Does a call. The second part is for the rate-limit headers.
fn serve(
    state: &mut State,
    accounts: &[AccountConfig],
    request: &Request<'_>,
) -> (Result<Value, Failure>, Option<LimitNews>) {
    let (left, _) = state.core.count(format!("address {}", request.peer), ADDRESS_LIMIT, request.wall);
    if left.is_none() {
        return (Err(Failure { status: 403, ..Failure::new(403, "403, access too frequent") }), None);
    }
    let found =
        ENDPOINTS.iter().find(|Endpoint(verb, path, ..)| *verb == request.verb && *path == request.path);
    let Some(endpoint) = found else {
        return (Err(Failure { status: 404, ..Failure::new(404, "path not found") }), None);
    };
    let maintenance = state.core.trouble.service == Service::Maintenance;
    if maintenance && endpoint.1 != "/v5/system/status" {
        return (Err(Failure::maintenance()), None);
    }
    if endpoint.2 == Access::Public {
        return (run(state, request, endpoint.4, None), None);
    }
    let (account, key) = match authorize(accounts, request, endpoint.2) {
        Ok(found) => found,
        Err(failure) => return (Err(failure), None),
    };
    let what = format!("account {} {}", account.0, endpoint.1);
    let limit = match state.core.rate_limits {
        RateLimits::Enforced => endpoint.3,
        RateLimits::Off => GENEROUS,
    };
    let (left, reset) = state.core.count(what, (limit, 1_000), request.wall);
    let news = LimitNews { limit, left: left.unwrap_or(0), reset };
    if left.is_none() {
        return (Err(Failure::too_many_visits()), Some(news));
    }
    let result = run(state, request, endpoint.4, Some((account, key)));
    // Also after a refusal: an amended order may have executed before something else failed.
    state.tell();
    (result, Some(news))
}

fn authorize<'a>(
    accounts: &'a [AccountConfig],
    request: &Request<'_>,
    access: Access,
) -> Result<(AccountId, &'a KeyConfig), Failure> {
    let payload = match request.verb {
        Verb::Get => request.query.as_bytes(),
        Verb::Post | Verb::Put | Verb::Delete => request.body,
    };
    let credentials = Credentials::of(request);
    let (account, key) = auth::check(accounts, &credentials, payload, request.wall)?;
    auth::permit(key, access, request.peer, request.wall)?;
    Ok((account, key))
}

fn run(
    state: &mut State,
    request: &Request<'_>,
    handler: Handler,
    who: Option<(AccountId, &KeyConfig)>,
) -> Result<Value, Failure> {
    let params = match request.verb {
        Verb::Get => Params::of_query(request.query),
        Verb::Post | Verb::Put | Verb::Delete => Params::of_body(request.body)?,
    };
    let (account, key) = who.map_or((AccountId(u32::MAX), None), |(account, key)| (account, Some(key)));
    handler(&mut Call { state, params, account, wall: request.wall, key })
}

impl Call<'_> {
    pub(crate) fn key(&self) -> Result<&KeyConfig, Failure> {
        self.key.ok_or_else(Failure::bad_key)
    }

    /// The instrument the call names, in its category.
    pub(crate) fn feed(&self) -> Result<&Feed, Failure> {
        let kind = self.params.category()?;
        let symbol = self.params.symbol()?.ok_or_else(|| Failure::params("symbol is required"))?;
        let feed = self.state.core.world.feed(symbol);
        feed.filter(|feed| Some(feed.instrument.contract_type) == kind)
            .ok_or_else(|| Failure::params("symbol invalid"))
    }

    /// The instruments meant by `symbol`, `settleCoin`, `baseCoin` or the category alone.
    pub(crate) fn wanted_symbols(&self) -> Result<Vec<Symbol>, Failure> {
        let kind = self.params.category()?;
        let symbol = self.params.symbol()?;
        let settle = self.params.text("settleCoin");
        let base = self.params.text("baseCoin");
        let feeds = self.state.core.world.feeds.iter().map(|feed| &feed.instrument).filter(|instrument| {
            Some(instrument.contract_type) == kind
                && symbol.is_none_or(|symbol| symbol == instrument.symbol)
                && settle.is_none_or(|settle| settle == instrument.settle.as_str())
                && base.is_none_or(|base| base == instrument.base.as_str())
        });
        let found: Vec<Symbol> = feeds.map(|instrument| instrument.symbol).collect();
        if symbol.is_some() && found.is_empty() && kind.is_some() {
            return Err(Failure::params("symbol invalid"));
        }
        Ok(found)
    }

    pub(crate) fn records(&self) -> Result<&Records, Failure> {
        self.state.core.world.records.get(&self.account).ok_or_else(Failure::bad_key)
    }

    /// One page of a list; the cursor is the number of rows before it.
    pub(crate) fn page(&self, rows: impl Iterator<Item = Value>, most: usize) -> Result<Value, Failure> {
        let limit = self.params.number::<usize>("limit")?.unwrap_or(20).clamp(1, most);
        let skip = self.params.number::<usize>("cursor")?.unwrap_or(0);
        let mut rows = rows.skip(skip);
        let list: Vec<Value> = rows.by_ref().take(limit).collect();
        let cursor = if rows.next().is_some() { (skip + limit).to_string() } else { String::new() };
        Ok(json!({
            "category": self.params.text("category").unwrap_or(""), "list": list, "nextPageCursor": cursor,
        }))
    }
}
