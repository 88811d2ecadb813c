//! One REST call: the table of calls, who may make them how often, and what every handler needs.

use keyhold_domain::{Instrument, Symbol, Timestamp};
use keyhold_simulator::exchange::AccountId;
use serde_json::Value;

use super::auth::{self, Access};
use super::failure::Failure;
use super::params::Params;
use super::state::State;
use super::units::http_date;
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
    /// The keys of the account that asks.
    pub(crate) keys: &'a [KeyConfig],
}

type Handler = fn(&mut Call<'_>) -> Result<Value, Failure>;

/// Which limit besides the minute's a call counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Burst {
    /// None.
    No,
    /// Ten order calls a second.
    Orders,
}

struct Endpoint(Verb, &'static str, Access, Burst, Handler);

/// Every call: verb, path, needed right, burst limit, handler.
const ENDPOINTS: &[Endpoint] = &[
    Endpoint(Verb::Get, "/api/v1/announcement", Access::Public, Burst::No, market::announcements),
    Endpoint(Verb::Get, "/api/v1/instrument", Access::Public, Burst::No, market::instruments),
    Endpoint(Verb::Get, "/api/v1/instrument/active", Access::Public, Burst::No, market::active),
    Endpoint(Verb::Get, "/api/v1/instrument/activeAndIndices", Access::Public, Burst::No, market::active),
    Endpoint(Verb::Get, "/api/v1/orderBook/L2", Access::Public, Burst::No, market::order_book),
    Endpoint(Verb::Get, "/api/v1/trade", Access::Public, Burst::No, market::trades),
    Endpoint(Verb::Get, "/api/v1/trade/bucketed", Access::Public, Burst::No, market::buckets),
    Endpoint(Verb::Get, "/api/v1/funding", Access::Public, Burst::No, market::funding),
    Endpoint(Verb::Get, "/api/v1/stats", Access::Public, Burst::No, market::stats),
    Endpoint(Verb::Get, "/api/v1/wallet/assets", Access::Public, Burst::No, market::assets),
    Endpoint(Verb::Get, "/api/v1/apiKey", Access::Read, Burst::No, account::keys),
    Endpoint(Verb::Get, "/api/v1/user/margin", Access::Read, Burst::No, account::margin),
    Endpoint(Verb::Get, "/api/v1/user/commission", Access::Read, Burst::No, account::commission),
    Endpoint(Verb::Get, "/api/v1/position", Access::Read, Burst::No, account::positions),
    Endpoint(Verb::Post, "/api/v1/position/leverage", Access::Order, Burst::No, account::leverage),
    Endpoint(Verb::Post, "/api/v1/position/isolate", Access::Order, Burst::No, account::isolate),
    Endpoint(Verb::Get, "/api/v1/execution/tradeHistory", Access::Read, Burst::No, account::trade_history),
    Endpoint(Verb::Get, "/api/v1/order", Access::Read, Burst::No, trade::list),
    Endpoint(Verb::Post, "/api/v1/order", Access::Order, Burst::Orders, trade::place),
    Endpoint(Verb::Put, "/api/v1/order", Access::Order, Burst::Orders, trade::amend),
    Endpoint(Verb::Delete, "/api/v1/order", Access::Order, Burst::Orders, trade::cancel),
    Endpoint(Verb::Delete, "/api/v1/order/all", Access::Order, Burst::Orders, trade::cancel_all),
    Endpoint(
        Verb::Post,
        "/api/v1/order/cancelAllAfter",
        Access::Order,
        Burst::Orders,
        trade::cancel_all_after,
    ),
];

/// Requests of one key in one minute, of one address without a key in one minute, of order calls in one second.
const KEY_LIMIT: (u32, i64) = (120, 60_000);
const ADDRESS_LIMIT: (u32, i64) = (30, 60_000);
const ORDER_LIMIT: (u32, i64) = (10, 1_000);
/// What is announced where limits are off, so that clients that believe the headers go as fast as they can.
const GENEROUS: u32 = 10_000;

/// How much of the minute's limit is left.
#[derive(Debug, Clone, Copy)]
struct LimitNews {
    limit: u32,
    left: Option<u32>,
    reset: Timestamp,
    left_this_second: Option<u32>,
}

/// Does a call.
pub(crate) fn answer(state: &mut State, accounts: &[AccountConfig], request: &Request<'_>) -> Answer {
    let (result, news) = serve(state, accounts, request);
    let ordered = result.as_ref().ok().and_then(|_| ordered_symbol(request));
    let mut answer = match &result {
        Ok(result) => Answer::json(200, result),
        Err(failure) => failure.answer(),
    };
    answer.headers.push(("date", http_date(request.wall)));
    if let Some(news) = news {
        answer.headers.extend([
            ("x-ratelimit-limit", news.limit.to_string()),
            ("x-ratelimit-remaining", news.left.unwrap_or(0).to_string()),
            ("x-ratelimit-reset", news.reset.ms().div_euclid(1_000).to_string()),
        ]);
        if let Some(left) = news.left_this_second {
            answer.headers.push(("x-ratelimit-remaining-1s", left.to_string()));
        }
        if answer.status == 429 {
            answer.headers.push(("retry-after", wait(&news, request.wall).to_string()));
        }
    }
    Answer { ordered, ..answer }
}

/// Whole seconds until the limit that was exceeded allows more.
fn wait(news: &LimitNews, wall: Timestamp) -> i64 {
    match news.left {
        Some(_) => 1,
        None => (news.reset.since_ms(wall) + 999).div_euclid(1_000).max(1),
    }
}

/// The instrument of a request that makes an order.
fn ordered_symbol(request: &Request<'_>) -> Option<Symbol> {
    let orders = (request.verb, request.path) == (Verb::Post, "/api/v1/order");
    orders.then(|| Params::of(request.query, request.body).ok()?.symbol().ok()?).flatten()
}

fn serve(
    state: &mut State,
    accounts: &[AccountConfig],
    request: &Request<'_>,
) -> (Result<Value, Failure>, Option<LimitNews>) {
    let found =
        ENDPOINTS.iter().find(|Endpoint(verb, path, ..)| *verb == request.verb && *path == request.path);
    let Some(Endpoint(_, _, access, burst, handler)) = found else {
        return (Err(Failure::not_found()), None);
    };
    if state.core.trouble.service == Service::Maintenance {
        return (Err(Failure::maintenance()), None);
    }
    let who = match auth::check_request(accounts, request, *access) {
        Ok(who) => who,
        Err(failure) => return (Err(failure), None),
    };
    let news = count(state, request, who.map(|(account, _)| account), *burst);
    if news.left.is_none() || (*burst == Burst::Orders && news.left_this_second.is_none()) {
        return (Err(Failure::too_many(wait(&news, request.wall))), Some(news));
    }
    let result = run(state, accounts, request, *handler, who.map(|(account, _)| account));
    // Also after a refusal: an amended order may have executed before something else failed.
    state.tell();
    (result, Some(news))
}

fn count(state: &mut State, request: &Request<'_>, who: Option<AccountId>, burst: Burst) -> LimitNews {
    let off = state.core.rate_limits == RateLimits::Off;
    let pick = |(limit, per): (u32, i64)| (if off { GENEROUS } else { limit }, per);
    let (what, limit) = match who {
        Some(account) => (format!("account {}", account.0), pick(KEY_LIMIT)),
        None => (format!("address {}", request.peer), pick(ADDRESS_LIMIT)),
    };
    let (left, reset) = state.core.count(what.clone(), limit, request.wall);
    let left_this_second = match burst {
        Burst::No => None,
        Burst::Orders => state.core.count(format!("{what} orders"), pick(ORDER_LIMIT), request.wall).0,
    };
    LimitNews { limit: limit.0, left, reset, left_this_second }
}

fn run(
    state: &mut State,
    accounts: &[AccountConfig],
    request: &Request<'_>,
    handler: Handler,
    who: Option<AccountId>,
) -> Result<Value, Failure> {
    let params = Params::of(request.query, request.body)?;
    let account = who.unwrap_or(AccountId(u32::MAX));
    let keys = accounts.iter().find(|own| AccountId(own.id) == account).map_or(&[][..], |own| &own.keys);
    handler(&mut Call { state, params, account, wall: request.wall, keys })
}

impl Call<'_> {
    /// The instrument the call names.
    pub(crate) fn feed(&self) -> Result<&Feed, Failure> {
        let symbol = self.params.symbol()?;
        let symbol = symbol.ok_or_else(|| Failure::invalid("'symbol' is a required arg."))?;
        self.state.core.world.feed(symbol).ok_or_else(|| Failure::invalid("symbol is invalid"))
    }

    /// One instrument by its name.
    pub(crate) fn instrument(&self, symbol: Symbol) -> Option<&Instrument> {
        self.state.core.world.feed(symbol).map(|feed| &feed.instrument)
    }

    pub(crate) fn records(&self) -> Result<&Records, Failure> {
        self.state.core.world.records.get(&self.account).ok_or_else(Failure::bad_key)
    }

    /// One page of rows that come oldest first: `count` of them after `start`, from the other end with `reverse`.
    pub(crate) fn page(&self, mut rows: Vec<Value>, usual: usize) -> Result<Value, Failure> {
        if self.params.is_true("reverse") {
            rows.reverse();
        }
        let count = self.params.count("count")?.unwrap_or(usual).min(1_000);
        let start = self.params.count("start")?.unwrap_or(0);
        Ok(Value::Array(rows.into_iter().skip(start).take(count).collect()))
    }

    /// Whether a time lies in the asked range, both ends included.
    pub(crate) fn in_range(&self, at: Timestamp) -> Result<bool, Failure> {
        let from = self.params.time("startTime")?;
        let until = self.params.time("endTime")?;
        Ok(from.is_none_or(|from| at >= from) && until.is_none_or(|until| at <= until))
    }
}
