"""A trading session of ccxt (REST and ccxt.pro) against a fake Kraken Futures, for one linear and one inverse instrument.

How it is started and ends: ccxt_common.py. ccxt knows nothing of the fake venue: an independent client.
"""

import asyncio
import urllib.parse

import ccxt
import ccxt.pro
from ccxt_common import REST, WS, book_follows, control, finish, gapless, move, must_fail, same

SECRET = "VEVTVFNFQ1JFVA=="


def client(module, key="TESTKEY", secret=SECRET):
    exchange = module.krakenfutures({"apiKey": key, "secret": secret, "enableRateLimit": False})
    api = exchange.urls["api"]
    for name in ("charts", "history", "feeschedules", "public", "private"):
        api[name] = REST + urllib.parse.urlparse(api[name]).path
    if module is ccxt.pro:
        api["ws"] = f"{WS}/ws/v1"
    return exchange


def total(exchange, kind, coin):
    return exchange.fetch_balance({"type": kind})[coin]["total"]


def trade_one(exchange, symbol, amount, kind, coin):
    print(symbol)
    before = total(exchange, kind, coin)
    last = exchange.fetch_ticker(symbol)["last"]
    candles = exchange.fetch_ohlcv(symbol, "1m")
    assert len(candles) >= 200, len(candles)
    gapless(candles)
    quarter = exchange.fetch_ohlcv(symbol, "15m", since=candles[0][0], limit=20)
    assert quarter and all(row[0] % 900_000 == 0 for row in quarter), "15m candles are not aligned"
    book = exchange.fetch_order_book(symbol)
    assert book["bids"][0][0] < last < book["asks"][0][0]
    assert exchange.fetch_trades(symbol), "no public trades"
    assert exchange.fetch_funding_rate_history(symbol), "no funding rates"
    exchange.set_leverage(5, symbol)
    same("leverage", exchange.fetch_leverage(symbol)["longLeverage"], 5)

    entry = exchange.create_order(symbol, "market", "buy", amount, None, {"clientOrderId": f"entry-{coin}"})
    # ccxt counts executions in the answer for linear contracts only; the raw answer has them for both.
    executed = sum(event["amount"] for event in entry["info"]["orderEvents"] if event["type"] == "EXECUTION")
    same("entry", executed, amount)
    print(f"  market buy {amount}: {entry['status']}, filled at {entry['info']['orderEvents'][0]['price']}")
    must_fail(
        "same client id again",
        ccxt.DuplicateOrderId,
        lambda: exchange.create_order(symbol, "market", "buy", amount, None, {"clientOrderId": f"entry-{coin}"}),
    )

    position = [row for row in exchange.fetch_positions([symbol])][0]
    same("side", position["side"], "long")
    same("contracts", position["contracts"], amount)

    low = float(exchange.price_to_precision(symbol, last * 0.5))
    resting = exchange.create_order(symbol, "limit", "buy", amount, low, {"postOnly": True})
    same("resting", resting["status"], "open")
    stop_at = float(exchange.price_to_precision(symbol, last * 0.9))
    stop = exchange.create_order(symbol, "market", "sell", amount, None, {"stopLossPrice": stop_at, "reduceOnly": True})
    open_orders = {row["id"]: row for row in exchange.fetch_open_orders(symbol)}
    same("open orders", set(open_orders), {resting["id"], stop["id"]})
    same("stop trigger", open_orders[stop["id"]]["triggerPrice"], stop_at)
    same("stop reduces", open_orders[stop["id"]]["reduceOnly"], True)

    must_fail(
        "crossing post-only",
        ccxt.OrderImmediatelyFillable,
        lambda: exchange.create_order(symbol, "limit", "buy", amount, last * 1.1, {"postOnly": True}),
    )

    moved = float(exchange.price_to_precision(symbol, last * 0.6))
    exchange.edit_order(resting["id"], symbol, "limit", "buy", amount, moved)
    # ccxt leaves the price of open orders out; the raw answer has it.
    raw = {row["id"]: row["info"] for row in exchange.fetch_open_orders(symbol)}[resting["id"]]
    same("amended price", float(raw["limitPrice"]), moved)
    exchange.cancel_order(resting["id"], symbol)
    must_fail("cancel again", ccxt.OrderNotFound, lambda: exchange.cancel_order(resting["id"], symbol))

    move(exchange, symbol, stop_at * 0.999)
    fills = exchange.fetch_my_trades(symbol)
    # ccxt leaves amounts of inverse contracts out; the raw rows have them.
    sizes = sorted((row["side"], float(row["info"]["size"])) for row in fills)
    same("fills", sizes, [("buy", amount), ("sell", amount)])
    sold = next(row for row in fills if row["side"] == "sell")
    same("stop filled", (sold["order"], sold["price"]), (stop["id"], stop_at))
    same("flat", [row for row in exchange.fetch_positions([symbol]) if row["contracts"]], [])
    after = total(exchange, kind, coin)
    print(f"  stop sold at {sold['price']}; {coin} {before} -> {after}")
    assert after < before
    huge = 900 if kind == "flex" else 20_000_000
    must_fail("too large", ccxt.InsufficientFunds, lambda: exchange.create_order(symbol, "market", "buy", huge))
    must_fail(
        "nothing to reduce",
        ccxt.ExchangeError,
        lambda: exchange.create_order(symbol, "market", "sell", amount, None, {"reduceOnly": True}),
    )
    exchange.create_order(symbol, "limit", "buy", amount, moved)
    exchange.create_order(symbol, "limit", "buy", amount, moved)
    exchange.cancel_all_orders(symbol)
    same("after cancel all", exchange.fetch_open_orders(symbol), [])
    exchange.cancel_all_orders_after(60_000)
    exchange.cancel_all_orders_after(0)


def rest():
    exchange = client(ccxt)
    markets = exchange.load_markets()
    print("markets:", sorted(markets))
    same("linear", markets["BTC/USD:USD"]["linear"], True)
    same("inverse", markets["BTC/USD:BTC"]["inverse"], True)
    print("balance:", total(exchange, "flex", "USD"), exchange.fetch_balance({"type": "fi_xbtusd"})["BTC"]["total"])
    same("positions", exchange.fetch_positions(), [])
    trade_one(exchange, "BTC/USD:USD", 0.01, "flex", "USD")
    trade_one(exchange, "BTC/USD:BTC", 500.0, "fi_xbtusd", "BTC")

    print("keys")
    must_fail("wrong secret", ccxt.AuthenticationError, lambda: client(ccxt, secret="d3Jvbmc=").fetch_balance())
    must_fail("unknown key", ccxt.AuthenticationError, lambda: client(ccxt, key="x").fetch_balance())
    must_fail("foreign address", ccxt.AuthenticationError, lambda: client(ccxt, "FOREIGNKEY", "Rk9SRUlHTg==").fetch_balance())
    reader = client(ccxt, "READKEY", "UkVBRFNFQ1JFVA==")
    reader.load_markets()
    must_fail(
        "read-only key trades",
        ccxt.ExchangeError,
        lambda: reader.create_order("BTC/USD:USD", "market", "buy", 0.01),
    )


async def watch_one(exchange, symbol, amount):
    print("watching", symbol)
    orders = asyncio.create_task(exchange.watch_orders(symbol))
    fills = asyncio.create_task(exchange.watch_my_trades(symbol))
    positions = asyncio.create_task(exchange.watch_positions([symbol]))
    balance = asyncio.create_task(exchange.watch_balance())
    ticker = await exchange.watch_ticker(symbol)
    book = await exchange.watch_order_book(symbol)
    assert book["bids"][0][0] < ticker["last"] < book["asks"][0][0]
    assert await exchange.watch_trades(symbol), "no trades"
    low = float(exchange.price_to_precision(symbol, ticker["last"] * 0.5))
    # Subscriptions of the account's feeds are on their way; orders are sent until all are seen.
    waiting = {orders, fills, positions, balance}
    for _ in range(100):
        await exchange.create_order(symbol, "limit", "buy", amount, low)
        await exchange.create_order(symbol, "market", "buy", amount)
        _, waiting = await asyncio.wait(waiting, timeout=0.2)
        if not waiting:
            break
    same("still waiting", len(waiting), 0)
    seen = orders.result()[-1]
    same("order news", (seen["symbol"], seen["side"]), (symbol, "buy"))
    # The first news are fills from before; ours is among what ccxt has gathered.
    for _ in range(200):
        if any((row["symbol"], float(row["info"]["qty"])) == (symbol, amount) for row in exchange.myTrades):
            break
        await asyncio.sleep(0.05)
    else:
        raise AssertionError("our fill was not told")
    same("position news", (positions.result()[0]["symbol"], positions.result()[0]["side"]), (symbol, "long"))
    print(f"  order news: {seen['remaining']} left at {seen['price']}")
    await exchange.cancel_all_orders(symbol)
    control("step", {"candles": 1})
    best = await book_follows(exchange, symbol, 25)
    print(f"  next candle opened at {best}, book follows")


async def streams():
    exchange = client(ccxt.pro)
    try:
        await exchange.load_markets()
        await watch_one(exchange, "BTC/USD:USD", 0.001)
        await watch_one(exchange, "BTC/USD:BTC", 10.0)
    finally:
        await exchange.close()


rest()
asyncio.run(streams())
finish()
