"""What the ccxt sessions of all venues share: addresses, the control interface, comparisons, the end.

A session is started by its Rust test with: REST URL, WebSocket URL, control URL. It prints what it saw and ends with a
non-zero status at the first thing that is not as it must be.
"""

import asyncio
import json
import sys
import urllib.request

import ccxt

REST, WS, CONTROL = sys.argv[1:4]


def control(name, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{CONTROL}/{name}", data=data, method="GET" if body is None else "POST")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read())


def same(what, seen, wanted):
    assert seen == wanted, f"{what}: saw {seen!r}, wanted {wanted!r}"


def must_fail(what, error, call):
    try:
        call()
    except error as raised:
        print(f"  {what}: {type(raised).__name__}")
        return
    raise AssertionError(f"{what}: no {error}")


def aligned(candles, minutes):
    """Candles begin at multiples of their length."""
    assert candles and all(row[0] % (minutes * 60_000) == 0 for row in candles), f"{minutes}m candles are not aligned"


def gapless(candles):
    assert all(b[0] - a[0] == 60_000 for a, b in zip(candles, candles[1:])), "candles have gaps"


def move(exchange, symbol, price):
    """Moves a market's price."""
    control("price", {"symbol": exchange.market(symbol)["id"], "price": str(exchange.price_to_precision(symbol, price))})


async def book_follows(exchange, symbol, depth, limit=None):
    """The book that ccxt keeps from the stream becomes what REST tells; the best bid comes back."""
    plain = await exchange.fetch_order_book(symbol, limit)
    wanted = ([row[:2] for row in plain["bids"][:depth]], [row[:2] for row in plain["asks"][:depth]])
    for _ in range(200):
        book = exchange.orderbooks[symbol]
        seen = ([row[:2] for row in book["bids"][:depth]], [row[:2] for row in book["asks"][:depth]])
        if seen == wanted:
            break
        await asyncio.sleep(0.05)
    same("book after changes", seen, wanted)
    return plain["bids"][0][0]


def finish():
    """The last line, by which the Rust test knows that nothing was left out."""
    same("money appeared", set(control("imbalance").values()), {"0"})
    print("SESSION OK", ccxt.__version__)
