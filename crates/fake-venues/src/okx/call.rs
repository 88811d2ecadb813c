//! One REST call: the table of calls, who may make them how often, and what every handler needs.

use keyhold_domain::{MarginMode, Symbol, Timestamp};
use keyhold_simulator::exchange::{AccountId, Order};
use serde_json::{Value, json};

use super::auth::{self, Access};
use super::failure::Failure;
use super::params::Params;
use super::shapes;
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
    /// The parameters; more than one set only where a call takes lists.
    pub(crate) rows: Vec<Params>,
    pub(crate) account: AccountId,
    pub(crate) wall: Timestamp,
    key: Option<&'a KeyConfig>,
}

type Handler = fn(&mut Call<'_>) -> Result<Vec<Value>, Failure>;

struct Endpoint(Verb, &'static str, Access, u32, Handler);

const GET: Verb = Verb::Get;
const POST: Verb = Verb::Post;

/// Every call: verb, path below `/api/v5`, needed right, calls in two seconds, handler. Limits: beside each call in the
/// v5 documentation.
const ENDPOINTS: &[Endpoint] = &[
    Endpoint(GET, "/public/time", Access::Public, 10, market::time),
    Endpoint(GET, "/system/status", Access::Public, 1, market::status),
    Endpoint(GET, "/public/instruments", Access::Public, 20, market::instruments),
    Endpoint(GET, "/market/candles", Access::Public, 40, market::candles),
    Endpoint(GET, "/market/history-candles", Access::Public, 20, market::candles),
    Endpoint(GET, "/market/ticker", Access::Public, 20, market::ticker),
    Endpoint(GET, "/market/tickers", Access::Public, 20, market::tickers),
    Endpoint(GET, "/public/mark-price", Access::Public, 10, market::mark_price),
    Endpoint(GET, "/market/index-tickers", Access::Public, 20, market::index_price),
    Endpoint(GET, "/public/funding-rate", Access::Public, 10, market::funding_rate),
    Endpoint(GET, "/public/funding-rate-history", Access::Public, 10, market::funding_history),
    Endpoint(GET, "/public/open-interest", Access::Public, 20, market::open_interest),
    Endpoint(GET, "/market/books", Access::Public, 40, market::order_book),
    Endpoint(GET, "/market/trades", Access::Public, 100, market::trades),
    Endpoint(GET, "/asset/currencies", Access::Read, 6, account::coins),
    Endpoint(GET, "/account/config", Access::Read, 5, account::config),
    Endpoint(GET, "/account/balance", Access::Read, 10, account::balance),
    Endpoint(GET, "/account/positions", Access::Read, 10, account::positions),
    Endpoint(GET, "/account/trade-fee", Access::Read, 5, account::fees),
    Endpoint(GET, "/account/bills", Access::Read, 5, account::bills),
    Endpoint(GET, "/account/bills-archive", Access::Read, 5, account::bills),
    Endpoint(GET, "/account/leverage-info", Access::Read, 20, account::leverage_info),
    Endpoint(POST, "/account/set-leverage", Access::Trade, 20, account::set_leverage),
    Endpoint(POST, "/account/set-position-mode", Access::Trade, 5, account::set_position_mode),
    Endpoint(GET, "/trade/order", Access::Read, 60, trade::one),
    Endpoint(GET, "/trade/order-algo", Access::Read, 20, trade::one_stop),
    Endpoint(GET, "/trade/orders-pending", Access::Read, 60, trade::pending),
    Endpoint(GET, "/trade/orders-history", Access::Read, 40, trade::history),
    Endpoint(GET, "/trade/orders-algo-pending", Access::Read, 20, trade::pending_stops),
    Endpoint(GET, "/trade/fills", Access::Read, 60, trade::fills),
    Endpoint(GET, "/trade/fills-history", Access::Read, 10, trade::fills),
    Endpoint(POST, "/trade/order", Access::Trade, 60, trade::place),
    Endpoint(POST, "/trade/batch-orders", Access::Trade, 300, trade::place),
    Endpoint(POST, "/trade/order-algo", Access::Trade, 20, trade::place_stop),
    Endpoint(POST, "/trade/amend-order", Access::Trade, 60, trade::amend),
    Endpoint(POST, "/trade/amend-algos", Access::Trade, 20, trade::amend_stop),
    Endpoint(POST, "/trade/cancel-order", Access::Trade, 60, trade::cancel),
    Endpoint(POST, "/trade/cancel-batch-orders", Access::Trade, 300, trade::cancel),
    Endpoint(POST, "/trade/cancel-algos", Access::Trade, 20, trade::cancel_stops),
    Endpoint(POST, "/trade/cancel-all-after", Access::Trade, 2, trade::cancel_all_after),
];

const ROOT: &str = "/api/v5";

/// Calls whose rows are orders that are made.
const MAKES_ORDERS: [&str; 3] = ["/trade/order", "/trade/batch-orders", "/trade/order-algo"];

/// Does a call and puts what came of it into the venue's envelope.
pub(crate) fn answer(state: &mut State, accounts: &[AccountConfig], request: &Request<'_>) -> Answer {
    match serve(state, accounts, request) {
        Ok(rows) => {
            let failed =
                rows.iter().filter(|row| row["sCode"].as_str().is_some_and(|code| code != "0")).count();
            let (code, text) = match failed {
                0 => ("0", ""),
                _ if failed == rows.len() => ("1", "All operations failed"),
                _ => ("2", "Some operations failed"),
            };
            let ordered = if failed < rows.len() { ordered_symbol(request) } else { None };
            let body = json!({ "code": code, "msg": text, "data": rows });
            Answer { ordered, ..Answer::json(200, &body) }
        }
        Err(failure) => failure.answer(),
    }
}

/// The instrument of a request that makes an order.
fn ordered_symbol(request: &Request<'_>) -> Option<Symbol> {
    let path = request.path.strip_prefix(ROOT)?;
    let makes = request.verb == Verb::Post && MAKES_ORDERS.contains(&path);
    makes.then(|| Params::of_body(request.body).ok()?.first()?.symbol().ok()?).flatten()
}

fn serve(
    state: &mut State,
    accounts: &[AccountConfig],
    request: &Request<'_>,
) -> Result<Vec<Value>, Failure> {
    let path = request.path.strip_prefix(ROOT).unwrap_or_default();
    let found = ENDPOINTS.iter().find(|Endpoint(verb, known, ..)| *verb == request.verb && *known == path);
    let Some(Endpoint(_, path, access, limit, handler)) = found else {
        return Err(Failure { status: 404, ..Failure::new(50_404, "Not Found") });
    };
    if state.core.trouble.service == Service::Maintenance && *path != "/system/status" {
        return Err(Failure::maintenance());
    }
    let who = match access {
        Access::Public => None,
        Access::Read | Access::Trade => {
            let (account, key) = auth::check(accounts, request)?;
            auth::permit(key, *access, request.peer, request.wall)?;
            Some((account, key))
        }
    };
    let whose = who.map_or_else(|| request.peer.to_string(), |(account, _)| format!("account {}", account.0));
    let what = format!("{whose} {:?} {path}", request.verb);
    let (left, _) = state.core.count(what, (*limit, 2_000), request.wall);
    if left.is_none() && state.core.rate_limits == RateLimits::Enforced {
        return Err(Failure::too_many());
    }
    let rows = match request.verb {
        Verb::Get => vec![Params::of_query(request.query)],
        Verb::Post | Verb::Put | Verb::Delete => Params::of_body(request.body)?,
    };
    let (account, key) = who.map_or((AccountId(u32::MAX), None), |(account, key)| (account, Some(key)));
    let result = handler(&mut Call { state, rows, account, wall: request.wall, key });
    if who.is_some() {
        // Also after a refusal: an amended order may have executed before something else failed.
        state.tell();
    }
    result
}

impl Call<'_> {
    pub(crate) fn key(&self) -> Result<&KeyConfig, Failure> {
        self.key.ok_or_else(Failure::bad_key)
    }

    /// The parameters of a call that takes one set.
    pub(crate) fn params(&self) -> &Params {
        static NONE: std::sync::LazyLock<Params> = std::sync::LazyLock::new(Params::default);
        self.rows.first().unwrap_or(&NONE)
    }

    /// The instrument that a set of parameters names.
    pub(crate) fn feed_of(&self, params: &Params) -> Result<&Feed, Failure> {
        let symbol = params.symbol()?.ok_or_else(|| Failure::params("instId"))?;
        let unknown = || Failure::new(51_001, "Instrument ID does not exist");
        self.state.core.world.feed(symbol).ok_or_else(unknown)
    }

    pub(crate) fn feed(&self) -> Result<&Feed, Failure> {
        self.feed_of(self.params())
    }

    /// The one instrument that is named, or all when the type is that of perpetual contracts or not told.
    pub(crate) fn feeds(&self) -> Result<Vec<&Feed>, Failure> {
        let wanted = self.params().symbol()?;
        let swaps = self.params().text("instType").is_none_or(|kind| kind == "SWAP");
        let family = self.params().text("instFamily").or_else(|| self.params().text("uly"));
        let feeds = self.state.core.world.feeds.iter().filter(|feed| {
            let name = feed.instrument.symbol;
            swaps
                && wanted.is_none_or(|symbol| symbol == name)
                && family.is_none_or(|family| name.as_str().strip_suffix("-SWAP") == Some(family))
        });
        Ok(feeds.collect())
    }

    pub(crate) fn records(&self) -> Result<&Records, Failure> {
        self.state.core.world.records.get(&self.account).ok_or_else(Failure::bad_key)
    }

    /// Margin mode and leverage of the account in an instrument.
    pub(crate) fn margin(&self, symbol: Symbol) -> Result<(MarginMode, keyhold_domain::Decimal), Failure> {
        let exchange = &self.state.core.world.exchange;
        let held = exchange.position_state(self.account, symbol)?;
        Ok((exchange.margin_mode(self.account)?, held.leverage))
    }

    /// An order as the plain lists show it; nothing for stops that wait.
    pub(crate) fn shown(&self, order: &Order) -> Option<Value> {
        shapes::plain_name(order)?;
        let feed = self.state.core.world.feed(order.symbol)?;
        Some(shapes::order(order, &feed.instrument, self.margin(order.symbol).ok()?, None))
    }

    /// A stop as the lists of stops show it.
    pub(crate) fn shown_stop(&self, order: &Order) -> Option<Value> {
        let feed = self.state.core.world.feed(order.symbol)?;
        shapes::stop(order, &feed.instrument, self.margin(order.symbol).ok()?)
    }

    /// One page of a list, newest first: what is older than the row named by `after`, newer than that named by `before`.
    pub(crate) fn page(
        &self,
        rows: impl Iterator<Item = Value>,
        name: &str,
        most: usize,
    ) -> Result<Vec<Value>, Failure> {
        let limit = self.params().number::<usize>("limit")?.unwrap_or(most).clamp(1, most);
        let number = |row: &Value| row[name].as_str().and_then(|text| text.parse::<u128>().ok()).unwrap_or(0);
        let after = self.params().number::<u128>("after")?.unwrap_or(u128::MAX);
        let before = self.params().number::<u128>("before")?.unwrap_or(0);
        let mut rows: Vec<Value> =
            rows.filter(|row| number(row) < after && (before == 0 || number(row) > before)).collect();
        rows.sort_by_key(|row| std::cmp::Reverse(number(row)));
        rows.truncate(limit);
        Ok(rows)
    }
}
