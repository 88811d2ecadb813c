"""A trading session of ccxt (REST and ccxt.pro) against a fake Binance: USD-M and COIN-M, each by its own client.

How it is started and ends: ccxt_common.py. ccxt knows nothing of the fake venue: an independent client. Stops go to the
Algo Service, whose orders ccxt asks for with `trigger`.
"""

import asyncio
import urllib.parse

import ccxt
import ccxt.pro
from ccxt_common import REST, WS, aligned, book_follows, control, finish, gapless, move, must_fail, same

# Of each product: ccxt's client, its name of the contract, how much an order is for, the coin that it pays in, ccxt's
# word for the product.
USDM = ("binanceusdm", "BTC/USDT:USDT", 0.01, "USDT", "linear")
COINM = ("binancecoinm", "BTC/USD:BTC", 5.0, "BTC", "inverse")


def client(module, name, key="TESTKEY", secret="TESTSECRET"):
    exchange = getattr(module, name)({"apiKey": key, "secret": secret, "enableRateLimit": False})
    api = exchange.urls["api"]
    for part, address in api.items():
        if isinstance(address, str):
            api[part] = REST + urllib.parse.urlparse(address).path
    if module is ccxt.pro:
        api["ws"]["linear"] = f"{WS}/ws"
        api["ws"]["inverse"] = f"{WS}/ws"
        exchange.options["watchPositions"] = {"fetchPositionsSnapshot": False}
    # ccxt tells the products' error numbers apart by the host, which is no real one here.
    product = "linear" if name == "binanceusdm" else "inverse"
    exchange.get_exceptions_by_url = lambda url, kind: exchange.exceptions[product].get(kind, {})
    return exchange


def read(exchange, symbol):
    """Public data."""
    last = exchange.fetch_ticker(symbol)["last"]
    candles = exchange.fetch_ohlcv(symbol, "1m", limit=200)
    same("candles", len(candles), 200)
    gapless(candles)
    quarter = exchange.fetch_ohlcv(symbol, "15m", limit=20)
    same("15m candles", len(quarter), 20)
    aligned(quarter, 15)
    book = exchange.fetch_order_book(symbol)
    assert book["bids"][0][0] < last < book["asks"][0][0]
    assert exchange.fetch_trades(symbol), "no public trades"
    assert exchange.fetch_funding_rate(symbol)["fundingRate"] is not None
    assert exchange.fetch_funding_rate_history(symbol), "no funding rates"
    assert abs(exchange.fetch_time() - exchange.milliseconds()) < 5_000
    return last


def rest_an_order(exchange, symbol, amount, last):
    """An order that rests, is changed and canceled, and one that would not rest."""
    low = float(exchange.price_to_precision(symbol, last * 0.5))
    resting = exchange.create_order(symbol, "limit", "buy", amount, low, {"postOnly": True, "clientOrderId": "resting"})
    must_fail(
        "same client id while open",
        ccxt.ExchangeError,
        lambda: exchange.create_order(symbol, "limit", "buy", amount, low, {"clientOrderId": "resting"}),
    )
    open_orders = exchange.fetch_open_orders(symbol)
    same("open orders", [row["id"] for row in open_orders], [resting["id"]])
    same("post-only", open_orders[0]["postOnly"], True)
    same("client id", open_orders[0]["clientOrderId"], "resting")
    must_fail(
        "crossing post-only",
        ccxt.ExchangeError,
        lambda: exchange.create_order(symbol, "limit", "buy", amount, last * 1.1, {"postOnly": True}),
    )
    moved = float(exchange.price_to_precision(symbol, last * 0.6))
    exchange.edit_order(resting["id"], symbol, "limit", "buy", amount, moved)
    same("amended price", exchange.fetch_order(resting["id"], symbol)["price"], moved)
    exchange.cancel_order(resting["id"], symbol)
    must_fail("cancel again", ccxt.OrderNotFound, lambda: exchange.cancel_order(resting["id"], symbol))
    same("canceled", exchange.fetch_order(resting["id"], symbol)["status"], "canceled")
    for _ in range(2):
        exchange.create_order(symbol, "limit", "buy", amount, moved)
    exchange.cancel_all_orders(symbol)
    same("after cancel all", exchange.fetch_open_orders(symbol), [])


def hold(exchange, product, last):
    """A position, its stop, and the end of both."""
    _, symbol, amount, coin, _ = product
    before = exchange.fetch_balance()[coin]["total"]
    entry = exchange.create_order(symbol, "market", "buy", amount, None, {"clientOrderId": f"entry-{coin}"})
    order = exchange.fetch_order(entry["id"], symbol)
    same("entry", (order["status"], order["filled"], order["clientOrderId"]), ("closed", amount, f"entry-{coin}"))
    position = next(row for row in exchange.fetch_positions([symbol]) if row["contracts"])
    same("side", position["side"], "long")
    same("contracts", position["contracts"], amount)
    assert position["liquidationPrice"] < position["entryPrice"], position
    stop_at = float(exchange.price_to_precision(symbol, last * 0.9))
    stop = exchange.create_order(symbol, "market", "sell", amount, None, {"stopLossPrice": stop_at, "reduceOnly": True})
    stops = exchange.fetch_open_orders(symbol, params={"trigger": True})
    same("open stops", [row["id"] for row in stops], [stop["id"]])
    same("stop", (stops[0]["triggerPrice"], stops[0]["reduceOnly"]), (stop_at, True))
    same("no plain order", exchange.fetch_open_orders(symbol), [])
    spare = exchange.create_order(symbol, "market", "sell", amount, None, {"stopLossPrice": stop_at, "reduceOnly": True})
    exchange.cancel_order(spare["id"], symbol, {"trigger": True})
    must_fail("cancel again", ccxt.OrderNotFound, lambda: exchange.cancel_order(spare["id"], symbol, {"trigger": True}))
    move(exchange, symbol, stop_at * 0.999)
    same("stop fired", exchange.fetch_order(stop["id"], symbol, {"trigger": True})["status"], "closed")
    fills = exchange.fetch_my_trades(symbol)
    same("fills", sorted((row["side"], row["amount"]) for row in fills), [("buy", amount), ("sell", amount)])
    same("stop's price", next(row["price"] for row in fills if row["side"] == "sell"), stop_at)
    same("flat", [row for row in exchange.fetch_positions([symbol]) if row["contracts"]], [])
    after = exchange.fetch_balance()[coin]["total"]
    print(f"  bought at {order['average']}, stop sold at {stop_at}; {coin} {before} -> {after}")
    assert after < before


def trade_one(exchange, product):
    _, symbol, amount, coin, _ = product
    print(symbol)
    last = read(exchange, symbol)
    for _ in range(2):
        same("leverage", exchange.set_leverage(5, symbol)["leverage"], 5)
    must_fail("one-way mode already", ccxt.OperationRejected, lambda: exchange.set_position_mode(False, symbol))
    rest_an_order(exchange, symbol, amount, last)
    hold(exchange, product, last)
    huge = 900 if coin == "USDT" else 90_000
    must_fail("too large", ccxt.InsufficientFunds, lambda: exchange.create_order(symbol, "market", "buy", huge))
    must_fail(
        "nothing to reduce",
        ccxt.InvalidOrder,
        lambda: exchange.create_order(symbol, "market", "sell", amount, None, {"reduceOnly": True}),
    )


def rest(product):
    name, symbol, amount, coin, kind = product
    exchange = client(ccxt, name)
    markets = exchange.load_markets()
    print(name, "markets:", sorted(markets))
    same("markets", sorted(markets), [symbol])
    same(kind, markets[symbol][kind], True)
    same("contract size", markets[symbol]["contractSize"], 1.0 if coin == "USDT" else 100.0)
    balance = exchange.fetch_balance()
    print("balance:", coin, balance[coin]["total"])
    same("positions", exchange.fetch_positions(), [])
    trade_one(exchange, product)

    print("keys")
    must_fail("wrong secret", ccxt.AuthenticationError, lambda: client(ccxt, name, secret="x").fetch_balance())
    must_fail("unknown key", ccxt.AuthenticationError, lambda: client(ccxt, name, key="x").fetch_balance())
    far = client(ccxt, name, "FOREIGNKEY", "FOREIGNSECRET")
    must_fail("foreign address", ccxt.AuthenticationError, lambda: far.fetch_balance())
    reader = client(ccxt, name, "READKEY", "READSECRET")
    reader.load_markets()
    must_fail(
        "read-only key trades",
        # ccxt takes -2015 for a pause when the key has been good before.
        (ccxt.AuthenticationError, ccxt.DDoSProtection),
        lambda: reader.create_order(symbol, "market", "buy", amount),
    )


async def watch_one(exchange, product):
    _, symbol, amount, coin, _ = product
    print("watching", symbol)
    orders = asyncio.create_task(exchange.watch_orders(symbol))
    fills = asyncio.create_task(exchange.watch_my_trades(symbol))
    positions = asyncio.create_task(exchange.watch_positions([symbol]))
    balance = asyncio.create_task(exchange.watch_balance())
    # This venue's streams begin with nothing; what has moved is told.
    public = {
        "ticker": asyncio.create_task(exchange.watch_ticker(symbol)),
        "book": asyncio.create_task(exchange.watch_order_book(symbol)),
        "candles": asyncio.create_task(exchange.watch_ohlcv(symbol, "1m")),
        "trades": asyncio.create_task(exchange.watch_trades(symbol)),
    }
    waiting = set(public.values())
    for _ in range(100):
        control("step", {"candles": 1})
        _, waiting = await asyncio.wait(waiting, timeout=0.2)
        if not waiting:
            break
    same("still waiting", [name for name, task in public.items() if not task.done()], [])
    book, ticker = public["book"].result(), public["ticker"].result()
    assert book["bids"][0][0] < book["asks"][0][0] and ticker["last"] > 0
    # Subscriptions of the account are on their way; orders are sent until all news are seen.
    waiting = {orders, fills, positions, balance}
    sent = set()
    for _ in range(100):
        sent.add((await exchange.create_order(symbol, "market", "buy", amount))["id"])
        _, waiting = await asyncio.wait(waiting, timeout=0.2)
        if not waiting:
            break
    same("still waiting for the account", len(waiting), 0)
    seen, fill = orders.result()[-1], fills.result()[-1]
    same("order news", (seen["symbol"], seen["side"], seen["id"] in sent), (symbol, "buy", True))
    same("fill news", (fill["symbol"], fill["amount"], fill["order"] in sent), (symbol, amount, True))
    same("position news", positions.result()[-1]["symbol"], symbol)
    assert balance.result()[coin]["total"] > 0
    for _ in range(200):
        if all(any(row["id"] == order and row["status"] == "closed" for row in exchange.orders) for order in sent):
            break
        await asyncio.sleep(0.05)
    else:
        raise AssertionError("not every order was told to be filled")
    print(f"  order news: {seen['status']}, fill at {fill['price']}")
    control("step", {"candles": 1})
    newest = (await exchange.fetch_ohlcv(symbol, "1m", limit=2))[-1][0]
    for _ in range(400):
        candles = exchange.ohlcvs[symbol]["1m"]
        if candles[-1][0] >= newest:
            break
        await asyncio.sleep(0.05)
    same("next candle", candles[-1][0], newest)
    # The cached row of the closed candle must be what REST tells of it.
    history = {row[0]: row for row in await exchange.fetch_ohlcv(symbol, "1m", limit=3)}
    closed = next((row for row in candles if row[0] == newest - 60_000), None)
    if closed:
        # Of COIN-M ccxt takes contracts from the stream and coins from REST.
        until = 6 if coin == "USDT" else 5
        same("closed candle", closed[1:until], history[closed[0]][1:until])
    best = await book_follows(exchange, symbol, 50, 100)
    print(f"  next candle opened at {best}, book follows")


async def streams(product):
    exchange = client(ccxt.pro, product[0])
    try:
        await exchange.load_markets()
        await watch_one(exchange, product)
    finally:
        await exchange.close()


for product in (USDM, COINM):
    rest(product)
for product in (USDM, COINM):
    asyncio.run(streams(product))
finish()
