#!/usr/bin/env python3
"""Reference values of the trend indicators, from their definitions alone: whole windows, exact fractions, no streaming.

    python3 trend_reference.py > trend_reference.csv

The 360 one-minute candles begin at 00:07 UTC (inside a quarter of an hour) and hold trends, a flat stretch without any
range, equal highs and lows, a jump, single missing minutes and two longer gaps. `Fraction` keeps every sum exact; a
number is rounded once, when it is printed.
"""
from fractions import Fraction as F
from math import isqrt


def candles():
    seed, cents, minute, rows = 20240101, 100_000, 7, []

    def roll(below):
        nonlocal seed
        seed = (seed * 6364136223846793005 + 1442695040888963407) % 2**64
        return (seed >> 33) % below

    while len(rows) < 360:
        i = len(rows)
        flat = 150 <= i < 190
        drift = (40, -55, 0, 20, -10)[i // 30 % 5]
        o = cents if flat else cents + roll(41) - 20
        c = o if flat else max(5_000, o + drift + roll(241) - 120)
        if i == 230:
            c += 9_000
        h = max(o, c) + (0 if flat else roll(5) * 15)
        l = min(o, c) - (0 if flat else roll(5) * 15)
        cents = c
        rows.append((minute, F(o, 100), F(h, 100), F(l, 100), F(c, 100)))
        minute += 1
        if roll(25) == 0:
            minute += 1
        if i == 120:
            minute += 47
        if i == 300:
            minute += 8
    return rows


def wma(x, i, n):
    "weights 1..n, the newest the heaviest"
    if i < n - 1 or x[i - n + 1] is None:
        return None
    return sum(F(k + 1) * x[i - n + 1 + k] for k in range(n)) / F(n * (n + 1), 2)


def hull(c, n):
    half = [wma(c, i, n // 2) for i in range(len(c))]
    whole = [wma(c, i, n) for i in range(len(c))]
    raw = [None if b is None else 2 * a - b for a, b in zip(half, whole)]
    return [wma(raw, i, isqrt(n)) for i in range(len(c))]


def line(c, i, n):
    "slope, end, R squared"
    if i < n - 1:
        return None, None, None
    y = c[i - n + 1:i + 1]
    mx, my = F(n - 1, 2), sum(y) / n
    sxx = sum((k - mx) ** 2 for k in range(n))
    sxy = sum((k - mx) * (v - my) for k, v in enumerate(y))
    syy = sum((v - my) ** 2 for v in y)
    slope = sxy / sxx
    return slope, my + slope * (n - 1 - mx), sxy**2 / (sxx * syy) if syy else F(0)


def vortex(o, h, l, c, i, n):
    if i < n:
        return None, None
    span = range(i - n + 1, i + 1)
    tr = sum(max(h[k], c[k - 1]) - min(l[k], c[k - 1]) for k in span)
    if tr == 0:
        return F(0), F(0)
    return sum(abs(h[k] - l[k - 1]) for k in span) / tr, sum(abs(l[k] - h[k - 1]) for k in span) / tr


def aroon(h, l, i, n):
    if i < n:
        return None, None
    back = range(n + 1)
    up = min(k for k in back if h[i - k] == max(h[i - n:i + 1]))
    down = min(k for k in back if l[i - k] == min(l[i - n:i + 1]))
    return F(100 * (n - up), n), F(100 * (n - down), n)


def middle(h, l, i, n):
    return None if i < n - 1 else (max(h[i - n + 1:i + 1]) + min(l[i - n + 1:i + 1])) / 2


def ichimoku(h, l, i, t, k, s):
    a, b, old = middle(h, l, i, t), middle(h, l, i, k), i - k
    if old < k - 1:
        return a, b, None, None
    return a, b, (middle(h, l, old, t) + middle(h, l, old, k)) / 2, middle(h, l, old, s)


def heikin_ashi(o, h, l, c):
    "opens and closes; the open in closed form: halved weights of all bodies before"
    close = [(a + b + d + e) / 4 for a, b, d, e in zip(o, h, l, c)]
    opens = [(o[0] + c[0]) / 2]
    for i in range(1, len(o)):
        opens.append((opens[-1] + close[i - 1]) / 2)
    return opens, close


def sar(h, l, step, most):
    "Wilder's rules, one position at a time"
    out, n = [None], len(h)
    long = not (l[0] - l[1] > h[1] - h[0] and l[0] > l[1])
    point, extreme, speed = (l[0], h[1], step) if long else (h[0], l[1], step)
    for i in range(1, n):
        before = max(i - 1, 1)
        touched = l[i] <= point if long else h[i] >= point
        if touched:
            point = max(extreme, h[before], h[i]) if long else min(extreme, l[before], l[i])
            long, speed = not long, step
            extreme = h[i] if long else l[i]
        elif (h[i] > extreme) if long else (l[i] < extreme):
            out.append(point)
            extreme, speed = (h[i] if long else l[i]), min(speed + step, most)
        else:
            out.append(point)
        if touched:
            out.append(point)
        point += speed * (extreme - point)
        point = min(point, l[before], l[i]) if long else max(point, h[before], h[i])
        # Rounded to 60 digits, or the fractions would grow without end.
        point = F(round(point * 10**60), 10**60)
    return out


def higher(rows, minutes, period):
    "for every candle: close and EMA of the last higher candle that has ended by then, and how many have"
    groups = {}
    for t, o, h, l, c in rows:
        groups.setdefault(t // minutes, []).append((t, c))
    first = min(groups)
    if groups[first][0][0] % minutes:
        del groups[first]
    done, closes, average = [], [], None
    for key in sorted(groups):
        closes.append(groups[key][-1][1])
        if len(closes) == period:
            average = sum(closes) / period
        elif len(closes) > period:
            average += F(2, period + 1) * (closes[-1] - average)
        done.append(((key + 1) * minutes, closes[-1], average))
    out = []
    for t, *_ in rows:
        ended = [d for d in done if d[0] <= t + 1]
        out.append((ended[-1][1], ended[-1][2], len(ended)) if ended else (None, None, 0))
    return out


def swings(x, n):
    "for every candle the two newest swing highs known by then"
    found, out = [], []
    for i in range(len(x)):
        m = i - n
        if m >= n and all(x[m] > v for v in x[m - n:m]) and all(x[m] >= v for v in x[m + 1:i + 1]):
            found.append(x[m])
        out.append((found[-1] if found else None, found[-2] if len(found) > 1 else None))
    return out


def main():
    rows = candles()
    t, o, h, l, c = map(list, zip(*rows))
    n = range(len(rows))
    columns = {"minute": t, "open": o, "high": h, "low": l, "close": c}

    def put(names, values):
        for name, column in zip(names.split(), zip(*values)):
            columns[name] = column

    put("wma_10", [(wma(c, i, 10),) for i in n])
    for period in (2, 16, 55):
        columns[f"hull_{period}"] = hull(c, period)
    put("slope_20 end_20 r2_20", [line(c, i, 20) for i in n])
    put("slope_3 end_3 r2_3", [line(c, i, 3) for i in n])
    put("vi_plus_14 vi_minus_14", [vortex(o, h, l, c, i, 14) for i in n])
    put("aroon_up_10 aroon_down_10", [aroon(h, l, i, 10) for i in n])
    put("conversion base span_a span_b", [ichimoku(h, l, i, 5, 13, 30) for i in n])
    put("ha_open ha_close", zip(*heikin_ashi(o, h, l, c)))
    columns["sar"] = sar(h, l, F(5, 100), F(3, 10))
    put("mtf_close mtf_ema_4 mtf_count", higher(rows, 15, 4))
    put("swing_high swing_high_before", swings(h, 3))
    put("swing_low swing_low_before", [tuple(None if v is None else -v for v in pair) for pair in swings([-v for v in l], 3)])
    print(",".join(columns))
    for i in n:
        cells = (column[i] for column in columns.values())
        print(",".join("" if v is None else str(v) if isinstance(v, int) else repr(float(v)) for v in cells))


if __name__ == "__main__":
    main()
