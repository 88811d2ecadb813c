"""A trading session of ccxt (REST and ccxt.pro) against a fake OKX, for one linear and one inverse instrument.

How it is started and ends: ccxt_common.py. ccxt knows nothing of the fake venue: an independent client.
"""

import asyncio

import ccxt
import ccxt.pro
from ccxt_common import REST, WS, book_follows, control, finish, gapless, move, must_fail, same


def client(module, key="TESTKEY", secret="TESTSECRET", password="TESTPASS"):
    exchange = module.okx({"apiKey": key, "secret": secret, "password": password, "enableRateLimit": False})
    exchange.urls["api"]["rest"] = REST
    if module is ccxt.pro:
        exchange.urls["api"]["ws"] = f"{WS}/ws/v5"
    return exchange


def trade_one(exchange, symbol, amount, coin):
    print(symbol)
    before = exchange.fetch_balance()[coin]["total"]
    last = exchange.fetch_ticker(symbol)["last"]
    candles = exchange.fetch_ohlcv(symbol, "1m", limit=200)
    same("candles", len(candles), 200)
    gapless(candles)
    quarter = exchange.fetch_ohlcv(symbol, "15m", limit=20)
    same("15m candles", len(quarter), 20)
    assert all(row[0] % 900_000 == 0 for row in quarter), "15m candles are not aligned"
    book = exchange.fetch_order_book(symbol)
    assert book["bids"][0][0] < last < book["asks"][0][0]
    assert exchange.fetch_trades(symbol), "no public trades"
    assert exchange.fetch_funding_rate(symbol)["fundingRate"] is not None
    exchange.set_leverage(5, symbol, {"marginMode": "isolated"})
    exchange.set_leverage(5, symbol, {"marginMode": "isolated"})
    isolated = {"marginMode": "isolated"}

    entry = exchange.create_order(symbol, "market", "buy", amount, None, {"clientOrderId": f"entry{coin}", **isolated})
    order = exchange.fetch_order(entry["id"], symbol)
    same("entry status", order["status"], "closed")
    same("entry filled", order["filled"], amount)
    same("client id", order["clientOrderId"], f"entry{coin}")
    print(f"  market buy {amount} filled at {order['average']}, fee {order['fee']['cost']} {order['fee']['currency']}")
    must_fail(
        "same client id again",
        ccxt.ExchangeError,
        lambda: exchange.create_order(symbol, "market", "buy", amount, None, {"clientOrderId": f"entry{coin}", **isolated}),
    )

    position = exchange.fetch_position(symbol)
    same("side", position["side"], "long")
    same("contracts", position["contracts"], amount)
    same("leverage", position["leverage"], 5.0)
    same("margin mode", position["marginMode"], "isolated")
    assert position["liquidationPrice"] < position["entryPrice"], position

    low = exchange.price_to_precision(symbol, last * 0.5)
    resting = exchange.create_order(symbol, "limit", "buy", amount, float(low), {"postOnly": True, **isolated})
    stop_at = float(exchange.price_to_precision(symbol, last * 0.9))
    stop = exchange.create_order(
        symbol, "market", "sell", amount, None, {"stopLossPrice": stop_at, "reduceOnly": True, **isolated}
    )
    open_orders = exchange.fetch_open_orders(symbol)
    same("open orders", [row["id"] for row in open_orders], [resting["id"]])
    same("post-only", open_orders[0]["postOnly"], True)
    stops = exchange.fetch_open_orders(symbol, params={"ordType": "conditional", "trigger": True})
    same("open stops", [row["id"] for row in stops], [stop["id"]])
    same("stop trigger", stops[0]["stopLossPrice"], stop_at)
    same("stop reduces", stops[0]["reduceOnly"], True)

    crossing = exchange.create_order(symbol, "limit", "buy", amount, last * 1.1, {"postOnly": True, **isolated})
    same("crossing post-only", exchange.fetch_order(crossing["id"], symbol)["status"], "canceled")

    moved = float(exchange.price_to_precision(symbol, last * 0.6))
    exchange.edit_order(resting["id"], symbol, "limit", "buy", amount, moved)
    same("amended price", exchange.fetch_order(resting["id"], symbol)["price"], moved)
    exchange.cancel_order(resting["id"], symbol)
    must_fail("cancel again", ccxt.OrderNotFound, lambda: exchange.cancel_order(resting["id"], symbol))

    move(exchange, symbol, stop_at * 0.999)
    stopped = exchange.fetch_order(stop["id"], symbol, {"trigger": True})
    same("stop fired", stopped["status"], "closed")
    fills = exchange.fetch_my_trades(symbol)
    same("fills", sorted((row["side"], row["amount"]) for row in fills), [("buy", amount), ("sell", amount)])
    same("flat", [row for row in exchange.fetch_positions([symbol]) if row["contracts"]], [])
    after = exchange.fetch_balance()[coin]["total"]
    print(f"  stop sold at {fills[-1]['price']}; {coin} {before} -> {after}")
    assert after < before
    must_fail(
        "too large",
        ccxt.InsufficientFunds,
        lambda: exchange.create_order(symbol, "market", "buy", 200_000, None, isolated),
    )
    ids = [exchange.create_order(symbol, "limit", "buy", amount, moved, isolated)["id"] for _ in range(2)]
    exchange.cancel_orders(ids, symbol)
    same("after canceling both", exchange.fetch_open_orders(symbol), [])


def rest():
    exchange = client(ccxt)
    markets = exchange.load_markets()
    print("markets:", sorted(markets))
    same("linear", markets["BTC/USDT:USDT"]["linear"], True)
    same("inverse", markets["BTC/USD:BTC"]["inverse"], True)
    same("contract sizes", [markets[name]["contractSize"] for name in ("BTC/USDT:USDT", "BTC/USD:BTC")], [0.01, 100.0])
    balance = exchange.fetch_balance()
    print("balance:", {coin: balance[coin]["total"] for coin in ("USDT", "BTC")})
    same("positions", exchange.fetch_positions(), [])
    assert abs(exchange.fetch_time() - exchange.milliseconds()) < 5_000
    trade_one(exchange, "BTC/USDT:USDT", 1.5, "USDT")
    trade_one(exchange, "BTC/USD:BTC", 5.0, "BTC")

    print("keys")
    must_fail("wrong secret", ccxt.AuthenticationError, lambda: client(ccxt, secret="x").fetch_balance())
    must_fail("wrong passphrase", ccxt.AuthenticationError, lambda: client(ccxt, password="x").fetch_balance())
    must_fail("unknown key", ccxt.AuthenticationError, lambda: client(ccxt, key="x").fetch_balance())
    must_fail("foreign address", ccxt.PermissionDenied, lambda: client(ccxt, "FOREIGNKEY", "FOREIGNSECRET").fetch_balance())
    reader = client(ccxt, "READKEY", "READSECRET")
    reader.load_markets()
    must_fail(
        "read-only key trades",
        ccxt.ExchangeError,
        lambda: reader.create_order("BTC/USDT:USDT", "market", "buy", 1),
    )


async def watch_one(exchange, symbol, amount):
    print("watching", symbol)
    orders = asyncio.create_task(exchange.watch_orders(symbol))
    fills = asyncio.create_task(exchange.watch_my_trades(symbol))
    ticker = await exchange.watch_ticker(symbol)
    book = await exchange.watch_order_book(symbol)
    assert book["bids"][0][0] < ticker["last"] < book["asks"][0][0]
    first = await exchange.watch_ohlcv(symbol, "1m")
    assert await exchange.watch_trades(symbol)
    opened = first[-1][0]
    # Subscriptions of the private topics are on their way; orders are sent until one is seen.
    for _ in range(100):
        await exchange.create_order(symbol, "market", "buy", amount, None, {"marginMode": "isolated"})
        done, _ = await asyncio.wait([orders, fills], timeout=0.2)
        if len(done) == 2:
            break
    seen = (await asyncio.wait_for(orders, 20))[-1]
    fill = (await asyncio.wait_for(fills, 20))[-1]
    same("order news", (seen["symbol"], seen["side"]), (symbol, "buy"))
    same("fill news", (fill["symbol"], fill["amount"]), (symbol, amount))
    print(f"  order news: {seen['status']}, fill at {fill['price']}")
    control("step", {"candles": 1})
    # ccxt may take in two messages before it wakes who watches, so what it has gathered is looked at.
    for _ in range(400):
        candles = exchange.ohlcvs[symbol]["1m"]
        if candles[-1][0] > opened:
            break
        await asyncio.sleep(0.05)
    same("next candle", candles[-1][0], opened + 60_000)
    closed = next((row for row in candles if row[0] == opened), None)
    # The cached row of the closed candle must be what REST tells of it.
    history = await exchange.fetch_ohlcv(symbol, "1m", limit=2)
    same("closed candle open time", history[0][0], opened)
    if closed:
        same("closed candle", closed[1:5], history[0][1:5])
    best = await book_follows(exchange, symbol, 50, 50)
    print(f"  next candle opened at {best}, book follows, checksums agree")


async def streams():
    exchange = client(ccxt.pro)
    try:
        await exchange.load_markets()
        await watch_one(exchange, "BTC/USDT:USDT", 0.1)
        await watch_one(exchange, "BTC/USD:BTC", 1.0)
    finally:
        await exchange.close()


rest()
asyncio.run(streams())
finish()
