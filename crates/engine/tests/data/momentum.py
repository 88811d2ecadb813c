#!/usr/bin/env python3
"""Writes momentum.csv beside this file: a series of 1,000 half-hour candles and what plain code says about it (13 digits).

Plain formulas over whole lists, nothing shared with the engine's streaming code. The series has what the reference
series of `conformance/indicators` lacks: many days, stretches without any movement, candles and whole mornings without
volume. Definitions: every average starts from the mean of its first numbers; a range or flow of zero reads as the
middle of the scale. Run it again after a change: python3 momentum.py
"""
import csv
import math
import pathlib
import random

DAY = 86_400_000
HALF_HOUR = 1_800_000


def series(count):
    dice = random.Random(20_260_131)
    start = 1_767_225_600_000 + 5 * HALF_HOUR
    cents, rows = 250_000, []
    for i in range(count):
        flat = 300 <= i < 380 or 700 <= i < 705
        drift = (90, -80, 0, -20, 60)[(i // 37) % 5]
        open_ = cents if flat else max(cents + dice.randint(-40, 40), 10_000)
        close = open_ if flat else max(open_ + drift + dice.randint(-400, 400), 10_000)
        high = open_ if flat else max(open_, close) + dice.randint(0, 150)
        low = open_ if flat else min(open_, close) - dice.randint(0, 150)
        cents = close
        ts = start + i * HALF_HOUR
        silent = dice.random() < 0.08 or 500 <= i < 560 or ts % DAY < 3 * HALF_HOUR and (ts // DAY) % 3 == 0
        volume = 0 if silent else dice.randint(1, 90_000) * (50 if dice.random() < 0.02 else 1)
        rows.append((ts, open_ / 100, high / 100, low / 100, close / 100, volume / 1000))
    return rows


def roll(x, n, f):
    return [f(x[i - n + 1:i + 1]) if i >= n - 1 and None not in x[i - n + 1:i + 1] else None for i in range(len(x))]


def sma(x, n):
    return roll(x, n, lambda w: math.fsum(w) / n)


def ema(x, n, k=None):
    k = 2 / (n + 1) if k is None else k
    first = next(i for i, v in enumerate(x) if v is not None)
    out = [None] * (first + n - 1) + [math.fsum(x[first:first + n]) / n]
    for v in x[first + n:]:
        out.append(out[-1] + k * (v - out[-1]))
    return out


def both(x, y, f):
    return [None if a is None or b is None else f(a, b) for a, b in zip(x, y)]


def change(x):
    return [None] + [b - a for a, b in zip(x, x[1:])]


def rsi(c, n):
    d = change(c)
    up = ema([None if v is None else max(v, 0.0) for v in d], n, 1 / n)
    down = ema([None if v is None else max(-v, 0.0) for v in d], n, 1 / n)
    return both(up, down, lambda g, l: 100 * g / (g + l) if g + l else 50.0)


def position(high, low, x, n):
    top, bottom = roll(high, n, max), roll(low, n, min)
    return [None if a is None or v is None else 50.0 if a - b <= 1e-12 * a else 100 * (v - b) / (a - b)
            for a, b, v in zip(top, bottom, x)]


def stochastic(high, low, x, n, smooth, signal):
    k = sma(position(high, low, x, n), smooth)
    return k, sma(k, signal)


def cci(tp, n):
    def f(w):
        mean = math.fsum(w) / n
        if max(w) == min(w):
            return 0.0
        return (w[-1] - mean) / (0.015 * math.fsum(abs(v - mean) for v in w) / n)
    return roll(tp, n, f)


def mfi(tp, v, n):
    d = change(tp)
    up = [None if x is None else t * w if x > 0 else 0.0 for x, t, w in zip(d, tp, v)]
    down = [None if x is None else t * w if x < 0 else 0.0 for x, t, w in zip(d, tp, v)]
    return both(roll(up, n, math.fsum), roll(down, n, math.fsum), lambda p, m: 100 * p / (p + m) if p + m else 50.0)


def tsi(c, long, short, signal):
    d = change(c)
    num = ema(ema(d, long), short)
    den = ema(ema([None if v is None else abs(v) for v in d], long), short)
    line = both(num, den, lambda a, b: 100 * a / b if b else 0.0)
    return line, ema(line, signal)


def obv_distance(c, v, n):
    obv = [0.0]
    for i in range(1, len(c)):
        obv.append(obv[-1] + (v[i] if c[i] > c[i - 1] else -v[i] if c[i] < c[i - 1] else 0.0))
    return roll(obv, n, lambda w: 0.0 if max(w) == min(w) else w[-1] - math.fsum(w) / n)


def cmf(h, l, c, v, n):
    m = [((x - b) - (a - x)) / (a - b) * w if a > b else 0.0 for a, b, x, w in zip(h, l, c, v)]
    return both(roll(m, n, math.fsum), roll(v, n, math.fsum), lambda p, q: p / q if q else 0.0)


def vwap_day(ts, tp, v):
    average, deviation = [], []
    for i, t in enumerate(ts):
        day = [j for j in range(i + 1) if ts[j] // DAY == t // DAY]
        total = math.fsum(v[j] for j in day)
        if not total:
            average.append(None)
            deviation.append(None)
            continue
        mean = math.fsum(v[j] * tp[j] for j in day) / total
        average.append(mean)
        deviation.append(math.sqrt(math.fsum(v[j] * (tp[j] - mean) ** 2 for j in day) / total))
    return average, deviation


def pivots(low, strength):
    """Candles whose low is below the `strength` lows before and not above the `strength` lows after them."""
    return [i for i in range(strength, len(low) - strength)
            if low[i] < min(low[i - strength:i]) and low[i] <= min(low[i + 1:i + strength + 1])]


def divergence(h, l, c, period, lookback, strength):
    index, says = rsi(c, period), [0] * len(c)
    for sign, prices in ((1, l), (-1, [-x for x in h])):
        turns = [i for i in pivots(prices, strength) if index[i] is not None]
        for before, now in zip(turns, turns[1:]):
            if now - before <= lookback and prices[now] < prices[before] and sign * (index[now] - index[before]) > 1e-9:
                says[now + strength] += sign
    first = max(period, strength) + lookback + strength
    return [None] * first + says[first:]


def main():
    rows = series(1_000)
    ts, _, h, l, c, v = (list(column) for column in zip(*rows))
    tp = [(a + b + x) / 3 for a, b, x in zip(h, l, c)]
    middle = [(a + b) / 2 for a, b in zip(h, l)]
    index = rsi(c, 14)
    columns = {}
    columns["stoch_k"], columns["stoch_d"] = stochastic(h, l, c, 14, 3, 3)
    columns["stoch_rsi_k"], columns["stoch_rsi_d"] = stochastic(index, index, index, 14, 3, 3)
    columns["cci20"] = cci(tp, 20)
    columns["williams_r14"] = [None if x is None else x - 100 for x in position(h, l, c, 14)]
    columns["roc10"] = [None] * 10 + [100 * (b - a) / a for a, b in zip(c, c[10:])]
    columns["mfi14"] = mfi(tp, v, 14)
    columns["awesome_5_34"] = both(sma(middle, 5), sma(middle, 34), lambda a, b: a - b)
    columns["tsi_25_13"], columns["tsi_signal_7"] = tsi(c, 25, 13, 7)
    columns["obv_distance20"] = obv_distance(c, v, 20)
    columns["cmf20"] = cmf(h, l, c, v, 20)
    columns["vwap"], columns["vwap_deviation"] = vwap_day(ts, tp, v)
    columns["divergence_14_30_3"] = divergence(h, l, c, 14, 30, 3)
    with open(pathlib.Path(__file__).with_name("momentum.csv"), "w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["ts_ms", "open", "high", "low", "close", "volume", *columns])
        for i, row in enumerate(rows):
            out.writerow([*row, *("" if x[i] is None else f"{x[i]:.13g}" for x in columns.values())])


main()
