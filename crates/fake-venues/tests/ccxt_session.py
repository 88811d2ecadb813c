"""A trading session of ccxt (REST and ccxt.pro) against a fake Bybit, for one linear and one inverse instrument.

How it is started and ends: ccxt_common.py. ccxt knows nothing of the fake venue: an independent client.
"""

import asyncio

import ccxt
import ccxt.pro
from ccxt_common import REST, WS, book_follows, control, finish, gapless, move, must_fail, same


def client(module, key="TESTKEY", secret="TESTSECRET"):
    exchange = module.bybit({"apiKey": key, "secret": secret, "enableRateLimit": False})
    api = exchange.urls["api"]
    for name in ("spot", "futures", "v2", "public", "private"):
        api[name] = REST
    if module is ccxt.pro:
        for kind in ("linear", "inverse", "spot", "option"):
            api["ws"]["public"][kind] = f"{WS}/v5/public/{kind}"
        api["ws"]["private"]["contract"] = f"{WS}/v5/private"
        api["ws"]["private"]["spot"]["unified"] = f"{WS}/v5/private"
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
    assert exchange.fetch_order_book(symbol)["bids"][0][0] < last < exchange.fetch_order_book(symbol)["asks"][0][0]
    assert exchange.fetch_trades(symbol), "no public trades"
    exchange.set_leverage(5, symbol)
    try:
        exchange.set_leverage(5, symbol)
    except ccxt.BadRequest as error:
        assert "110043" in str(error), error

    entry = exchange.create_order(symbol, "market", "buy", amount, None, {"clientOrderId": f"entry-{coin}"})
    order = exchange.fetch_open_order(entry["id"], symbol)
    same("entry status", order["status"], "closed")
    same("entry filled", order["filled"], amount)
    same("client id", order["clientOrderId"], f"entry-{coin}")
    print(f"  market buy {amount} filled at {order['average']}, fee {order['fee']['cost']} {order['fee']['currency']}")
    must_fail(
        "same client id again",
        ccxt.ExchangeError,
        lambda: exchange.create_order(symbol, "market", "buy", amount, None, {"clientOrderId": f"entry-{coin}"}),
    )

    position = exchange.fetch_position(symbol)
    same("side", position["side"], "long")
    same("contracts", position["contracts"], amount)
    same("leverage", position["leverage"], 5.0)
    assert position["liquidationPrice"] < position["entryPrice"], position

    low = exchange.price_to_precision(symbol, last * 0.5)
    resting = exchange.create_order(symbol, "limit", "buy", amount, float(low), {"postOnly": True})
    stop_at = float(exchange.price_to_precision(symbol, last * 0.9))
    stop = exchange.create_order(
        symbol, "market", "sell", amount, None, {"stopLossPrice": stop_at, "reduceOnly": True}
    )
    open_orders = {row["id"]: row for row in exchange.fetch_open_orders(symbol)}
    same("open orders", set(open_orders), {resting["id"], stop["id"]})
    same("stop trigger", open_orders[stop["id"]]["triggerPrice"], stop_at)
    same("stop reduces", open_orders[stop["id"]]["reduceOnly"], True)
    same("post-only", open_orders[resting["id"]]["postOnly"], True)

    crossing = exchange.create_order(symbol, "limit", "buy", amount, last * 1.1, {"postOnly": True})
    same("crossing post-only", exchange.fetch_open_order(crossing["id"], symbol)["status"], "canceled")

    moved = float(exchange.price_to_precision(symbol, last * 0.6))
    exchange.edit_order(resting["id"], symbol, "limit", "buy", amount, moved)
    same("amended price", exchange.fetch_open_order(resting["id"], symbol)["price"], moved)
    exchange.cancel_order(resting["id"], symbol)
    must_fail("cancel again", ccxt.OrderNotFound, lambda: exchange.cancel_order(resting["id"], symbol))

    move(exchange, symbol, stop_at * 0.999)
    stopped = exchange.fetch_open_order(stop["id"], symbol)
    same("stop filled", (stopped["status"], stopped["average"]), ("closed", stop_at))
    fills = exchange.fetch_my_trades(symbol)
    same("fills", sorted((row["side"], row["amount"]) for row in fills), [("buy", amount), ("sell", amount)])
    flat = [row for row in exchange.fetch_positions([symbol]) if row["contracts"]]
    same("flat", flat, [])
    after = exchange.fetch_balance()[coin]["total"]
    print(f"  stop sold at {stopped['average']}; {coin} {before} -> {after}")
    assert after < before
    huge = 1000 if coin == "USDT" else 20_000_000
    must_fail("too large", ccxt.InsufficientFunds, lambda: exchange.create_order(symbol, "market", "buy", huge))
    exchange.create_order(symbol, "limit", "buy", amount, moved)
    exchange.create_order(symbol, "limit", "buy", amount, moved)
    exchange.cancel_all_orders(symbol)
    same("after cancel all", exchange.fetch_open_orders(symbol), [])


def rest():
    exchange = client(ccxt)
    markets = exchange.load_markets()
    print("markets:", sorted(markets))
    same("linear", markets["BTC/USDT:USDT"]["linear"], True)
    same("inverse", markets["BTC/USD:BTC"]["inverse"], True)
    balance = exchange.fetch_balance()
    print("balance:", {coin: balance[coin]["total"] for coin in ("USDT", "BTC")})
    same("positions", exchange.fetch_positions(), [])
    assert abs(exchange.fetch_time() - exchange.milliseconds()) < 5_000
    trade_one(exchange, "BTC/USDT:USDT", 0.01, "USDT")
    trade_one(exchange, "BTC/USD:BTC", 500.0, "BTC")

    print("keys")
    must_fail("wrong secret", ccxt.AuthenticationError, lambda: client(ccxt, secret="x").fetch_balance())
    must_fail("unknown key", ccxt.AuthenticationError, lambda: client(ccxt, key="x").fetch_balance())
    must_fail("foreign address", ccxt.PermissionDenied, lambda: client(ccxt, "FOREIGNKEY", "FOREIGNSECRET").fetch_balance())
    reader = client(ccxt, "READKEY", "READSECRET")
    reader.load_markets()
    must_fail(
        "read-only key trades",
        ccxt.PermissionDenied,
        lambda: reader.create_order("BTC/USDT:USDT", "market", "buy", 0.01),
    )


async def watch_one(exchange, symbol, amount):
    print("watching", symbol)
    orders = asyncio.create_task(exchange.watch_orders(symbol))
    fills = asyncio.create_task(exchange.watch_my_trades(symbol))
    ticker = await exchange.watch_ticker(symbol)
    book = await exchange.watch_order_book(symbol, 50)
    assert book["bids"][0][0] < ticker["last"] < book["asks"][0][0]
    same("book depth", (len(book["bids"]), len(book["asks"])), (50, 50))
    first = await exchange.watch_ohlcv(symbol, "1m")
    trades = await exchange.watch_trades(symbol)
    assert trades
    opened = first[-1][0]
    # Subscriptions of both private topics are on their way; orders are sent until one is seen.
    for _ in range(100):
        await exchange.create_order(symbol, "market", "buy", amount)
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
    print(f"  next candle opened at {best}, book follows")


async def streams():
    exchange = client(ccxt.pro)
    try:
        await exchange.load_markets()
        await watch_one(exchange, "BTC/USDT:USDT", 0.001)
        await watch_one(exchange, "BTC/USD:BTC", 10.0)
    finally:
        await exchange.close()


rest()
asyncio.run(streams())
finish()
