"""A trading session of ccxt (REST and ccxt.pro) against a fake BitMEX, for one linear and one inverse instrument.

How it is started and ends: ccxt_common.py. ccxt 4.5.83 is the last release that knows BitMEX.
"""

import asyncio

import ccxt
import ccxt.pro
from ccxt_common import REST, WS, book_follows, control, finish, gapless, must_fail, same


def client(module, key="TESTKEY", secret="TESTSECRET"):
    exchange = module.bitmex({"apiKey": key, "secret": secret, "enableRateLimit": False})
    api = exchange.urls["api"]
    api["public"] = REST
    api["private"] = REST
    if module is ccxt.pro:
        api["ws"] = f"{WS}/realtime"
    return exchange


def trade_one(exchange, symbol, amount, coin):
    print(symbol)
    market = exchange.market(symbol)
    before = exchange.fetch_balance()[coin]["total"]
    last = exchange.fetch_ticker(symbol)["last"]
    candles = exchange.fetch_ohlcv(symbol, "1m", limit=200)
    same("candles", len(candles), 200)
    gapless(candles)
    hours = exchange.fetch_ohlcv(symbol, "1h", limit=20)
    assert all(row[0] % 3_600_000 == 0 for row in hours), "1h candles are not aligned"
    # BitMEX's way: a candle opens at the close before it.
    assert all(b[1] == a[4] for a, b in zip(candles, candles[1:])), "open is not the previous close"
    book = exchange.fetch_order_book(symbol)
    assert book["bids"][0][0] < last < book["asks"][0][0]
    assert exchange.fetch_trades(symbol), "no public trades"
    assert exchange.fetch_funding_rate_history(symbol), "no funding rates"
    same("funding rate", exchange.fetch_funding_rate(symbol)["fundingRate"], 0.0001)
    exchange.set_leverage(5, symbol)
    exchange.set_leverage(5, symbol)
    exchange.set_margin_mode("isolated", symbol)

    entry = exchange.create_order(symbol, "market", "buy", amount, None, {"clientOrderId": f"entry-{coin}"})
    order = exchange.fetch_order(entry["id"], symbol)
    same("entry status", order["status"], "closed")
    # ccxt turns what is filled of inverse contracts into coins; the venue says contracts.
    same("entry filled", float(order["info"]["cumQty"]), amount)
    same("client id", order["clientOrderId"], f"entry-{coin}")
    print(f"  market buy {amount} filled at {order['average']}")
    must_fail(
        "same client id again",
        ccxt.ExchangeError,
        lambda: exchange.create_order(symbol, "market", "buy", amount, None, {"clientOrderId": f"entry-{coin}"}),
    )

    position = next(row for row in exchange.fetch_positions([symbol]) if row["contracts"])
    same("side", position["side"], "long")
    same("contracts", position["contracts"], amount)
    same("leverage", position["leverage"], 5.0)
    assert position["liquidationPrice"] < position["entryPrice"], position

    low = exchange.price_to_precision(symbol, last * 0.5)
    resting = exchange.create_order(symbol, "limit", "buy", amount, float(low), {"postOnly": True})
    stop_at = float(exchange.price_to_precision(symbol, last * 0.9))
    stop = exchange.create_order(
        symbol,
        "market",
        "sell",
        amount,
        None,
        {"triggerPrice": stop_at, "triggerDirection": "below", "reduceOnly": True},
    )
    open_orders = {row["id"]: row for row in exchange.fetch_open_orders(symbol)}
    same("open orders", set(open_orders), {resting["id"], stop["id"]})
    same("stop trigger", open_orders[stop["id"]]["triggerPrice"], stop_at)
    same("stop reduces", "ReduceOnly" in open_orders[stop["id"]]["info"]["execInst"], True)
    same("post-only", open_orders[resting["id"]]["postOnly"], True)

    crossing = exchange.create_order(symbol, "limit", "buy", amount, float(exchange.price_to_precision(symbol, last * 1.1)), {"postOnly": True})
    same("crossing post-only", exchange.fetch_order(crossing["id"], symbol)["status"], "canceled")

    moved = float(exchange.price_to_precision(symbol, last * 0.6))
    exchange.edit_order(resting["id"], symbol, "limit", "buy", amount, moved)
    same("amended price", exchange.fetch_order(resting["id"], symbol)["price"], moved)
    exchange.cancel_order(resting["id"], symbol)
    must_fail("cancel again", ccxt.OrderNotFound, lambda: exchange.cancel_order(resting["id"], symbol))

    control("price", {"symbol": market["id"], "price": str(exchange.price_to_precision(symbol, stop_at * 0.999))})
    stopped = exchange.fetch_order(stop["id"], symbol)
    same("stop filled", (stopped["status"], stopped["average"]), ("closed", stop_at))
    fills = exchange.fetch_my_trades(symbol)
    same("fills", sorted((row["side"], row["amount"]) for row in fills), [("buy", amount), ("sell", amount)])
    assert all(row["takerOrMaker"] == "taker" and row["fee"]["cost"] > 0 for row in fills), fills
    flat = [row for row in exchange.fetch_positions([symbol]) if row["contracts"]]
    same("flat", flat, [])
    after = exchange.fetch_balance()[coin]["total"]
    print(f"  stop sold at {stopped['average']}; {coin} {before} -> {after}")
    assert after < before
    huge = amount * 2000
    must_fail("too large", ccxt.InsufficientFunds, lambda: exchange.create_order(symbol, "market", "buy", huge))
    exchange.create_order(symbol, "limit", "buy", amount, moved)
    exchange.create_order(symbol, "limit", "buy", amount, moved)
    exchange.cancel_all_orders(symbol)
    same("after cancel all", exchange.fetch_open_orders(symbol), [])
    exchange.cancel_all_orders_after(0)


def rest():
    exchange = client(ccxt)
    markets = exchange.load_markets()
    print("markets:", sorted(markets))
    same("linear", markets["BTC/USDT:USDT"]["linear"], True)
    same("inverse", markets["BTC/USD:BTC"]["inverse"], True)
    same("contract", markets["BTC/USDT:USDT"]["contractSize"], 0.000001)
    same("quanto", markets["ETH/USD:BTC"]["quanto"], True)
    balance = exchange.fetch_balance()
    print("balance:", {coin: balance[coin]["total"] for coin in ("USDT", "BTC")})
    same("USDT", balance["USDT"]["total"], 10000.0)
    same("positions", [row for row in exchange.fetch_positions() if row["contracts"]], [])
    trade_one(exchange, "BTC/USDT:USDT", 10000.0, "USDT")
    trade_one(exchange, "BTC/USD:BTC", 500.0, "BTC")

    print("keys")
    must_fail("wrong secret", ccxt.AuthenticationError, lambda: client(ccxt, secret="x").fetch_balance())
    must_fail("unknown key", ccxt.AuthenticationError, lambda: client(ccxt, key="x").fetch_balance())
    # ccxt has no word for BitMEX's text about addresses.
    must_fail("foreign address", ccxt.ExchangeError, lambda: client(ccxt, "FOREIGNKEY", "FOREIGNSECRET").fetch_balance())
    reader = client(ccxt, "READKEY", "READSECRET")
    reader.load_markets()
    must_fail(
        "read-only key trades",
        ccxt.PermissionDenied,
        lambda: reader.create_order("BTC/USDT:USDT", "market", "buy", 10000),
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
    trades = asyncio.create_task(exchange.watch_trades(symbol))
    candles = asyncio.create_task(exchange.watch_ohlcv(symbol, "1m"))
    # Subscriptions of the private tables are on their way; orders are sent until one is seen.
    sent = set()
    for _ in range(100):
        sent.add((await exchange.create_order(symbol, "market", "buy", amount))["id"])
        done, _ = await asyncio.wait([orders, fills], timeout=0.2)
        if len(done) == 2:
            break
    seen = (await asyncio.wait_for(orders, 20))[-1]
    fill = (await asyncio.wait_for(fills, 20))[-1]
    # An update carries only what changed; ccxt keeps nothing else of the order.
    same("order news", (seen["symbol"], seen["id"] in sent), (symbol, True))
    assert seen["status"] in ("open", "closed"), seen
    same("fill news", (fill["symbol"], fill["amount"]), (symbol, amount))
    held = (await asyncio.wait_for(positions, 20))[-1]
    same("position news", (held["symbol"], held["side"]), (symbol, "long"))
    assert (await asyncio.wait_for(balance, 20))["total"], "no balance"
    print(f"  order news: {seen['status']}, fill at {fill['price']}")
    newest = (await exchange.fetch_ohlcv(symbol, "1m", limit=1))[-1][0]
    for _ in range(3):
        control("step", {"candles": 1})
        await asyncio.sleep(0.1)
    assert await asyncio.wait_for(trades, 20), "no trades"
    assert await asyncio.wait_for(candles, 20), "no candles"
    for _ in range(200):
        cached = exchange.ohlcvs[symbol]["1m"]
        if cached[-1][0] >= newest + 60_000:
            break
        await asyncio.sleep(0.05)
    same("newest candle", (cached[-1][0] - newest) % 60_000, 0)
    history = {row[0]: row for row in await exchange.fetch_ohlcv(symbol, "1m", limit=10)}
    # ccxt leaves the open of the stream's candles away, because BitMEX's is the close before it.
    same("closed candle", cached[-1][2:5], history[cached[-1][0]][2:5])
    best = await book_follows(exchange, symbol, 20)
    print(f"  candles and book follow, best bid {best}")


async def streams():
    exchange = client(ccxt.pro)
    try:
        await exchange.load_markets()
        await watch_one(exchange, "BTC/USDT:USDT", 1000.0)
        await watch_one(exchange, "BTC/USD:BTC", 100.0)
    finally:
        await exchange.close()


rest()
asyncio.run(streams())
finish()
