"""Writes volatility_reference.csv: values of indicators for which conformance/indicators has no column.

Plain code over whole windows, written from the definitions, on the candles of ../shared/conformance/indicators/ohlcv_2000.csv.gz.
Run from the repository root: python3 crates/engine/tests/data/volatility_reference.py ../shared
Columns: i, the candle's number from 0; bb_in_kc, 1 while the Bollinger bands (20, 2) lie inside the Keltner bands (20, 2.5), both
of EMA and Wilder's ATR over 20; momentum, the squeeze's over 20 candles; hist_vol, percent per year from 30 returns of
one-minute candles; percentile, the rank of ATR(14) in percent among its last 500 values.
"""
import csv, gzip, math, sys
from fractions import Fraction
from pathlib import Path

shared = Path(sys.argv[1])
with gzip.open(shared / "conformance/indicators/ohlcv_2000.csv.gz", "rt") as file:
    rows = list(csv.reader(file))[1:]
H, L, C = ([float(row[k]) for row in rows] for k in (2, 3, 4))
N = len(C)


def mean(xs):
    return math.fsum(xs) / len(xs)


def seeded(xs, n, k):
    "exponential average of a list that may begin with None, seeded with the mean of its first n numbers"
    out, value, seed = [], None, []
    for x in xs:
        if x is None:
            out.append(None)
        elif value is None:
            seed.append(x)
            value = mean(seed) if len(seed) == n else None
            out.append(value)
        else:
            value = k * x + (1 - k) * value
            out.append(value)
    return out


def atr(n):
    tr = [None] + [max(H[i], C[i - 1]) - min(L[i], C[i - 1]) for i in range(1, N)]
    return seeded(tr, n, 1 / n)


def line_end(ys):
    "least squares with exact fractions"
    n = len(ys)
    ys = [Fraction(y) for y in ys]
    sx, sxx, sy = sum(range(n)), sum(x * x for x in range(n)), sum(ys)
    sxy = sum(x * y for x, y in enumerate(ys))
    slope = (n * sxy - sx * sy) / Fraction(n * sxx - sx * sx)
    return float((sy - slope * sx) / n + slope * (n - 1))


ema20, atr20, atr14 = seeded(C, 20, 2 / 21), atr(20), atr(14)
x = [None] * N
for i in range(19, N):
    w = slice(i - 19, i + 1)
    x[i] = C[i] - ((max(H[w]) + min(L[w])) / 2 + mean(C[w])) / 2
natr = [None if a is None else 100 * a / c for a, c in zip(atr14, C)]
logs = [None] + [math.log(C[i] / C[i - 1]) for i in range(1, N)]

with open(Path(__file__).with_suffix(".csv"), "w", newline="") as file:
    out = csv.writer(file, lineterminator="\n")
    out.writerow(["i", "bb_in_kc", "momentum", "hist_vol", "percentile"])
    for i in list(range(19, 41)) + list(range(41, N, 7)):
        w = C[i - 19 : i + 1]
        m = mean(w)
        s = math.sqrt(mean([(c - m) ** 2 for c in w]))
        coil = mom = vol = rank = ""
        if atr20[i] is not None:
            coil = int(m + 2 * s < ema20[i] + 2.5 * atr20[i] and m - 2 * s > ema20[i] - 2.5 * atr20[i])
        if i >= 38:
            mom = repr(line_end(x[i - 19 : i + 1]))
        if i >= 30:
            us = logs[i - 29 : i + 1]
            u = mean(us)
            year = 365 * 24 * 60
            vol = repr(100 * math.sqrt(math.fsum((v - u) ** 2 for v in us) / 29 * year))
        if i >= 14 + 499:
            vs = natr[i - 499 : i + 1]
            below, equal = sum(v < vs[-1] for v in vs), sum(v == vs[-1] for v in vs) - 1
            rank = repr(100 * (below + equal / 2) / 499)
        out.writerow([i, coil, mom, vol, rank])
