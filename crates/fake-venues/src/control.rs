//! The control interface: HTTP with JSON on its own listener (loopback TCP or a UNIX socket), for tests and demos.
//!
//! `GET /status` and `POST /<name>` with a JSON object:
//!
//! | name | body | does |
//! |---|---|---|
//! | `status` | | replay time, candles played, sockets, pace, last prices, requests over a limit, listen keys |
//! | `pause`, `resume` | `{"pace": "10"}` optional | stops the replay; goes on (at a new pace) |
//! | `step` | `{"candles": 1}` | plays base candles in lockstep: the forming candle's path and close, then the next open |
//! | `truth` | `{"account": 1}` | positions, open orders, fills, wallets, realized profit of an account |
//! | `tally` | `{"account": 1}` | the same as numbers only, cheap at any age: fills, open orders, wallets |
//! | `latency` | | times from a closed candle to the first order after it, since the last call, in nanoseconds |
//! | `price` | `{"symbol", "price"}` | moves a price, touching everything on the way |
//! | `hand` | `{"account", "symbol", "side", "quantity"}` | a market order that no program has named: the owner's own, or a venue's mistake |
//! | `funding` | `{"symbol", "rate"}` | sets the coming funding rate |
//! | `fills` | `{"depth": "0.1", "slippage_bps": "2"}` | most that fills at once (null: all), slippage |
//! | `faults` | a [`FaultPlan`] | chances of trouble, per thousand |
//! | `script` | `{"path", "fate", "times", "status"}` | trouble for the next requests to a path |
//! | `calm` | | no more chances of trouble, and nothing scripted waits |
//! | `mute` | `{"topics": ["publicTrade"]}` | public topics that begin so go silent; an empty list ends it |
//! | `freeze` | | every open socket goes silent and stays open |
//! | `cut` | | closes every connection |
//! | `down`, `up` | | refuses connections; accepts them again on the same port |
//! | `maintenance` | `{"on": true}` | answers as the venue does in maintenance |
//! | `clock` | `{"skew_ms": 3000}` | moves the venue's wall clock |
//! | `peer` | `{"address": "198.51.100.7"}` | the address every client is taken to have (null: its own) |
//! | `grant` | `{"key", "permissions", "ips"}` | gives a key other rights, as its owner does at the venue's page |
//! | `expire` | | ends all listen keys, where a venue has such |
//! | `imbalance` | | money that appeared or vanished, per asset: always zero |

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use keyhold_domain::{Asset, OrderKind, PositionEffect, Price, Quantity, Rate, Side, Symbol};
use keyhold_simulator::exchange::{AccountId, Input, OrderRequest, Slippage};
use keyhold_simulator::faults::FaultPlan;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::task::JoinSet;

use crate::config::{ControlAddress, Pace};
use crate::core::{Core, number};
use crate::protocol::Protocol;
use crate::server::{Reach, Shared};
use crate::trouble::{Scripted, Service};
use crate::venue::StartError;

const MAX_BODY: usize = 64 * 1024;
/// The most candles of one `step`.
const MAX_STEPS: u32 = 100_000;

pub(crate) async fn start(
    wanted: ControlAddress,
    shared: Arc<Shared>,
    tasks: &mut JoinSet<()>,
) -> Result<ControlAddress, StartError> {
    match wanted {
        ControlAddress::Tcp(address) => {
            let failed = |source| StartError::Listen { address: address.to_string(), source };
            let listener = TcpListener::bind(address).await.map_err(failed)?;
            let address = listener.local_addr().map_err(failed)?;
            tasks.spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, shared.clone()));
                }
            });
            Ok(ControlAddress::Tcp(address))
        }
        ControlAddress::Unix(path) => {
            let failed = |source| StartError::Listen { address: path.display().to_string(), source };
            let listener = UnixListener::bind(&path).map_err(failed)?;
            tasks.spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, shared.clone()));
                }
            });
            Ok(ControlAddress::Unix(path))
        }
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, shared: Arc<Shared>) {
    let service = service_fn(|request| answer(request, shared.clone()));
    let connection =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let mut reach = shared.reach.subscribe();
    tokio::select! {
        result = connection => if let Err(error) = result {
            tracing::debug!(%error, "a control connection ended");
        },
        _ = reach.wait_for(|reach| *reach == Reach::Gone) => {}
    }
}

async fn answer(
    request: Request<Incoming>,
    shared: Arc<Shared>,
) -> Result<Response<Full<Bytes>>, std::convert::Infallible> {
    let name = request.uri().path().trim_start_matches('/').to_owned();
    let result = match Limited::new(request.into_body(), MAX_BODY).collect().await {
        Err(_) => Err("the body is too large or was cut".to_owned()),
        Ok(body) => match body.to_bytes() {
            body if body.is_empty() => act(&shared, &name, &Value::Null),
            body => serde_json::from_slice(&body)
                .map_err(|error| error.to_string())
                .and_then(|body| act(&shared, &name, &body)),
        },
    };
    let (status, body) = match result {
        Ok(body) => (StatusCode::OK, body),
        Err(error) => (StatusCode::BAD_REQUEST, json!({ "error": error })),
    };
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    Ok(response)
}

#[derive(Deserialize)]
struct PaceBody {
    pace: String,
}
#[derive(Deserialize)]
struct StepBody {
    candles: u32,
}
#[derive(Clone, Copy, Deserialize)]
struct AccountBody {
    account: u32,
}
#[derive(Deserialize)]
struct PriceBody {
    symbol: Symbol,
    price: Price,
}
#[derive(Deserialize)]
struct HandBody {
    account: u32,
    symbol: Symbol,
    side: Side,
    quantity: Quantity,
}
#[derive(Deserialize)]
struct FundingBody {
    symbol: Symbol,
    rate: Rate,
}
#[derive(Deserialize)]
struct FillsBody {
    depth: Option<Quantity>,
    slippage_bps: Option<String>,
}
#[derive(Deserialize)]
struct ClockBody {
    skew_ms: i64,
}
#[derive(Deserialize)]
struct PeerBody {
    address: Option<IpAddr>,
}
#[derive(Deserialize)]
struct MuteBody {
    topics: Vec<String>,
}
#[derive(Deserialize)]
struct SwitchBody {
    on: bool,
}

fn read<T: DeserializeOwned>(body: &Value) -> Result<T, String> {
    serde_json::from_value(body.clone()).map_err(|error| error.to_string())
}

/// Does one control call.
pub(crate) fn act(shared: &Shared, name: &str, body: &Value) -> Result<Value, String> {
    if name == "latency" {
        return Ok(shared.latency().take());
    }
    if name == "grant" {
        let known = shared.grant(read(body)?);
        return if known { Ok(json!({ "ok": true })) } else { Err("there is no such key".to_owned()) };
    }
    let mut state = shared.lock();
    match name {
        "status" => {
            let mut status = status(state.core());
            status["listen_keys"] = json!(state.listen_keys());
            return Ok(status);
        }
        "truth" => return truth(&**state, read(body)?),
        "tally" => return tally(state.core(), read(body)?),
        "imbalance" => return Ok(imbalance(state.core())),
        "pause" => set_pace(state.core_mut(), shared, Pace::Lockstep),
        "resume" => {
            let pace = read::<PaceBody>(body)?.pace.parse::<Pace>().map_err(|error| error.to_string())?;
            set_pace(state.core_mut(), shared, pace);
        }
        "step" => {
            let candles = if body.is_null() { 1 } else { read::<StepBody>(body)?.candles.min(MAX_STEPS) };
            for _ in 0..candles {
                let news = state.core_mut().world.step();
                state.publish(&news);
            }
            return Ok(status(state.core()));
        }
        "cut" => shared.cut_all(),
        "down" => shared.set_reach(Reach::Down),
        "up" => shared.set_reach(Reach::Up),
        "freeze" => state.core_mut().hub.freeze(),
        "expire" => state.expire_listen_keys(),
        _ => trouble(&mut **state, name, body)?,
    }
    Ok(json!({ "ok": true }))
}

fn trouble(state: &mut dyn Protocol, name: &str, body: &Value) -> Result<(), String> {
    if name == "price" {
        let PriceBody { symbol, price } = read(body)?;
        let moved = state.core_mut().world.move_price(symbol, price);
        state.publish(&[moved.map_err(|refusal| refusal.to_string())?]);
        return Ok(());
    }
    if name == "hand" {
        state.core_mut().world.apply(&by_hand(&read(body)?)).map_err(|refusal| refusal.to_string())?;
        state.tell();
        return Ok(());
    }
    let state = state.core_mut();
    match name {
        "funding" => {
            let FundingBody { symbol, rate } = read(body)?;
            state.world.exchange.set_funding_rate(symbol, rate).map_err(|refusal| refusal.to_string())?;
        }
        "fills" => {
            let FillsBody { depth, slippage_bps } = read(body)?;
            let config = *state.world.exchange.config();
            let slippage = match slippage_bps {
                None => config.slippage,
                Some(bps) => Slippage::uniform(bps.parse().map_err(|_| "slippage_bps is not a number")?),
            };
            let fills = keyhold_simulator::exchange::FillRules { depth, ..config.fills };
            state.world.exchange.reconfigure(fills, slippage);
        }
        "calm" => state.trouble.calm(),
        "faults" => state.trouble.plan = read::<FaultPlan>(body)?,
        "script" => {
            if !state.trouble.script(read::<Scripted>(body)?) {
                return Err("too many scripted faults".to_owned());
            }
        }
        "maintenance" => {
            let on = read::<SwitchBody>(body)?.on;
            state.trouble.service = if on { Service::Maintenance } else { Service::Open };
        }
        "clock" => state.trouble.skew_ms = read::<ClockBody>(body)?.skew_ms,
        "mute" => state.trouble.muted = read::<MuteBody>(body)?.topics,
        "peer" => state.trouble.peer = read::<PeerBody>(body)?.address,
        _ => return Err(format!("there is no control call {name:?}")),
    }
    Ok(())
}

fn by_hand(body: &HandBody) -> Input {
    Input::Submit {
        account: AccountId(body.account),
        order: OrderRequest {
            name: None,
            symbol: body.symbol,
            side: body.side,
            kind: OrderKind::Market,
            quantity: body.quantity,
            effect: PositionEffect::Increase,
        },
    }
}

fn set_pace(state: &mut Core, shared: &Shared, pace: Pace) {
    state.pace = pace;
    shared.pace_changed.notify_waiters();
}

fn status(state: &Core) -> Value {
    let world = &state.world;
    let prices: serde_json::Map<String, Value> = world
        .feeds
        .iter()
        .filter_map(|feed| Some((feed.instrument.symbol.to_string(), json!(feed.last()?))))
        .collect();
    json!({
        "time_ms": world.now.ms(), "time": world.now.to_string(), "played": world.played, "ended": world.ended,
        "sockets": state.hub.count(), "pace": format!("{:?}", state.pace), "prices": prices,
        "too_many": state.too_many,
    })
}

fn truth(state: &dyn Protocol, body: AccountBody) -> Result<Value, String> {
    let account = AccountId(body.account);
    let world = &state.core().world;
    let records = world.records.get(&account).ok_or("no such account")?;
    let mut positions = Vec::new();
    for feed in &world.feeds {
        let position = world.exchange.position(account, feed.instrument.symbol);
        positions.push(json!(position.map_err(|refusal| refusal.to_string())?));
    }
    let balances = world.exchange.balances(account).map_err(|refusal| refusal.to_string())?;
    let orders: Vec<Value> =
        world.exchange.open_orders(account).map(|order| order_truth(state, order)).collect();
    let all_orders: Vec<Value> = records
        .sequence
        .iter()
        .filter_map(|id| records.orders.get(id))
        .map(|order| order_truth(state, order))
        .collect();
    let fills: Vec<Value> = records
        .fills
        .iter()
        .map(|report| {
            json!({
                "fill": report.fill, "realized": number(report.realized),
                "closed": number(report.closed),
            })
        })
        .collect();
    Ok(json!({
        "positions": positions, "balances": balances, "open_orders": orders, "orders": all_orders, "fills": fills,
        "funding_payments": records.funding.len(), "liquidations": records.liquidations.len(),
    }))
}

fn tally(state: &Core, body: AccountBody) -> Result<Value, String> {
    let account = AccountId(body.account);
    let world = &state.world;
    let records = world.records.get(&account).ok_or("no such account")?;
    let (mut resting, mut waiting) = (0_u32, 0_u32);
    for order in world.exchange.open_orders(account) {
        match order.kind {
            OrderKind::Market => waiting += 1,
            OrderKind::Limit { .. } | OrderKind::StopMarket { .. } => resting += 1,
        }
    }
    let balances = world.exchange.balances(account).map_err(|refusal| refusal.to_string())?;
    let wallets: serde_json::Map<String, Value> = balances
        .into_iter()
        .map(|balance| (balance.asset.to_string(), json!(number(balance.wallet))))
        .collect();
    Ok(json!({
        "fills": records.filled, "resting_orders": resting, "market_orders": waiting, "wallets": wallets,
    }))
}

fn order_truth(state: &dyn Protocol, order: &keyhold_simulator::exchange::Order) -> Value {
    let mut value = json!(order.open_order());
    let link = order.name.map_or_else(String::new, |name| name.to_string());
    value["link_id"] = json!(link);
    value["tagged"] = json!(state.is_tagged(&order.venue_id));
    value
}

fn imbalance(state: &Core) -> Value {
    let mut assets: Vec<Asset> = state.world.exchange.ledgers().iter().map(|ledger| ledger.asset).collect();
    assets.sort();
    let sums: serde_json::Map<String, Value> = assets
        .into_iter()
        .map(|asset| {
            let sum = state.world.exchange.imbalance(asset).amount;
            (asset.to_string(), json!(number(sum)))
        })
        .collect();
    json!(sums)
}
