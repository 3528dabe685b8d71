#!/usr/bin/env python3
"""Measures how the cost of a round grows: seconds against the number of registered clients (constant?), and against
cohort, epochs and samples per client (linear?). Makes one table and one plot.

    python3 benchmarks/growth.py
    python3 benchmarks/growth.py --clients 100,1000 --rounds 5 --repeats 1

Runs BenchmarkRound of federation/algorithm/feddag/growth_test.go: rounds of FedDAG with ten clusters, lenet and images
of Fashion-MNIST's size, including sampling, both phases, evaluation of all clients, bookkeeping and checkpoint. All
sizes take turns, in another order every time, so that other work on the machine affects all of them. A time is the
median over the rounds of a turn after the first one; the table has the median over the turns, with the lowest and the
highest. The processor time of all threads is shown in addition to wall time, because other work affects it less. For
each series, the line a + b x is fitted by least squares of the relative deviations, where a is the part that does not
grow. The table has the largest deviation of a point from the line. Needs no packages.

Writes growth.md, growth.json and growth.svg into --out.
"""
import argparse
import json
import math
import os
import re
import statistics
import subprocess
import sys

FIXED = {"clients": 1000, "cohort": 20, "epochs": 5, "samples": 200}
TITLES = {"clients": "clients registered", "cohort": "clients per round", "epochs": "epochs", "samples": "samples of a client"}


def numbers(text):
    return [int(x) for x in text.split(",") if x]


def options():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--clients", type=numbers, default="100,1000,10000,100000", help="registered (%(default)s)")
    p.add_argument("--cohort", type=numbers, default="5,10,20,40", help="clients per round (%(default)s)")
    p.add_argument("--epochs", type=numbers, default="2,5,10,20", help="(%(default)s)")
    p.add_argument("--samples", type=numbers, default="64,128,256,512", help="samples per client (%(default)s)")
    p.add_argument("--rounds", type=int, default=5, help="rounds per turn, without the first (%(default)s)")
    p.add_argument("--repeats", type=int, default=3, help="turns of each size (%(default)s)")
    p.add_argument("--out", default="runs/growth")
    return p.parse_args()


def turn(o, sizes):
    """Returns (wall, processor) seconds of a round for each size."""
    names = ["/".join(str(s[k]) for k in FIXED) for s in sizes]
    command = ["build/feddag.test", "-test.run", "^$", "-test.bench", "^BenchmarkRound$", "-test.benchtime",
               f"{o.rounds}x", "-test.timeout", "0"]
    done = subprocess.run(command, env={**os.environ, "FEDDAG_GROWTH": " ".join(names)}, stdout=subprocess.PIPE,
                          text=True, check=True)
    found = {}
    for line in done.stdout.splitlines():
        name = re.match(r"BenchmarkRound/clients=(\d+)/cohort=(\d+)/epochs=(\d+)/samples=(\d+)", line)
        if name:
            values = {unit: float(v) for v, unit in re.findall(r"([0-9.e+-]+) (\S+)", line)}
            found["/".join(name.groups())] = values["s/round"], values["cpu-s/round"]
    return [found[n] for n in names]


def straight(points):
    """Returns (a, b, largest relative deviation) of the line a + b x through (x, y), fitted by least squares of relative deviations."""
    n, u, v = [1 / y for _, y in points], [x / y for x, y in points], [1.0] * len(points)
    dot = lambda p, q: sum(i * j for i, j in zip(p, q))
    det = dot(n, n) * dot(u, u) - dot(n, u) ** 2
    a = (dot(n, v) * dot(u, u) - dot(u, v) * dot(n, u)) / det
    b = (dot(n, n) * dot(u, v) - dot(n, u) * dot(n, v)) / det
    return a, b, max(abs((a + b * x) / y - 1) for x, y in points)


# ---- the plot -------------------------------------------------------------------------------------------------------

COLOURS = {"wall": "#0072b2", "processor": "#d55e00"}


def panel(left, top, key, points):
    """Draws seconds against one variable, both logarithmic, with the ideal line."""
    w, h = 300, 200
    xs, ys = [p["x"] for p in points], [v for p in points for kind in COLOURS for v in p[kind]]
    x0, x1 = math.log10(min(xs)), math.log10(max(xs))
    y0, y1 = math.floor(math.log10(min(ys))), math.floor(math.log10(max(ys))) + 1
    X = lambda v: left + 12 + (w - 24) * (math.log10(v) - x0) / ((x1 - x0) or 1)
    Y = lambda v: top + h - h * (math.log10(v) - y0) / (y1 - y0)
    out = [f'<text x="{left}" y="{top - 10}" font-size="14" fill="#1f2933">{TITLES[key]}</text>']
    for d in range(y0, y1 + 1):
        for m in range(1, 10 if d < y1 else 2):
            y = Y(m * 10.0 ** d)
            out.append(f'<line x1="{left}" x2="{left + w}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e4e7eb"'
                       f' stroke-width="{1 if m == 1 else 0.5}"/>')
        out.append(f'<text x="{left - 6}" y="{Y(10.0**d) + 4:.1f}" text-anchor="end">{10.0**d:g} s</text>')
    out.append(f'<rect x="{left}" y="{top}" width="{w}" height="{h}" fill="none" stroke="#9aa5b1"/>')
    out += [f'<text x="{X(x):.1f}" y="{top + h + 16}" text-anchor="middle">{x:,}</text>' for x in xs]
    for kind, colour in COLOURS.items():
        a, b, _ = straight([(p["x"], p[kind][1]) for p in points])
        if key == "clients":
            a, b = statistics.fmean(p[kind][1] for p in points), 0
        at = [min(xs) * (max(xs) / min(xs)) ** (k / 20) for k in range(21)]
        line = " ".join(f"{X(x):.1f},{Y(a + b * x):.1f}" for x in at)
        out.append(f'<polyline points="{line}" fill="none" stroke="#9aa5b1" stroke-dasharray="2 5" stroke-width="2"/>')
        line = " ".join(f"{X(p['x']):.1f},{Y(p[kind][1]):.1f}" for p in points)
        out.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for p in points:
            out.append(f'<line x1="{X(p["x"]):.1f}" x2="{X(p["x"]):.1f}" y1="{Y(p[kind][0]):.1f}" y2="{Y(p[kind][2]):.1f}"'
                       f' stroke="{colour}" stroke-opacity="0.4" stroke-width="5"/>'
                       f'<circle cx="{X(p["x"]):.1f}" cy="{Y(p[kind][1]):.1f}" r="3.2" fill="{colour}"/>')
    return out


def plot(series):
    out = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 780 610" width="780" height="610" font-size="12"'
           ' font-family="system-ui, Arial, sans-serif" fill="#52606d">', '<rect width="780" height="610" fill="#fff"/>',
           '<text x="20" y="28" font-size="16" fill="#1f2933">Seconds per round of FedDAG</text>',
           f'<text x="20" y="46"><tspan fill="{COLOURS["wall"]}">wall</tspan> and <tspan fill="{COLOURS["processor"]}">'
           'processor</tspan> time: median and range of the turns; dotted: their mean (clients registered),'
           ' else a line</text>']
    for k, (key, points) in enumerate(series.items()):
        out += panel(70 + 375 * (k % 2), 90 + 275 * (k // 2), key, points)
    return "\n".join(out + ["</svg>\n"])


def main():
    o = options()
    os.chdir(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    os.makedirs(o.out, exist_ok=True)
    subprocess.run(["bash", "-c", 'env=$(scripts/build_native.sh) && . "$env" && go test -c -o build/feddag.test ./federation/algorithm/feddag'],
                   check=True)
    wanted = {k: getattr(o, k) for k in FIXED}
    wanted = {k: numbers(v) if isinstance(v, str) else v for k, v in wanted.items()}
    sizes = []  # each size once, even if several series have it
    for key, xs in wanted.items():
        sizes += [s for x in xs for s in [{**FIXED, key: x}] if s not in sizes]
    turns = []
    for k in range(o.repeats):
        order = sizes[::-1] if k % 2 else sizes
        took = turn(o, order)
        turns.append(took[::-1] if k % 2 else took)
        print(f"turn {k + 1} of {o.repeats}", file=sys.stderr)
    series, lines_of = {}, {}
    text = ", ".join(f"{FIXED[k]} {TITLES[k]}" for k in FIXED)
    lines = [f"{o.repeats} turns of {o.rounds} rounds after the first; {text}, where not varied", "",
             "| | | wall s per round | least-most | processor s | least-most |", "|---|---|---|---|---|---|"]
    for key, xs in wanted.items():
        points = []
        for x in xs:
            k = sizes.index({**FIXED, key: x})
            p = {"x": x}
            for at, kind in enumerate(COLOURS):
                v = [t[k][at] for t in turns]
                p[kind] = min(v), statistics.median(v), max(v)
            points.append(p)
            lines.append(f"| {TITLES[key]} | {x:,} | {p['wall'][1]:.3f} | {p['wall'][0]:.3f}-{p['wall'][2]:.3f} | "
                         f"{p['processor'][1]:.3f} | {p['processor'][0]:.3f}-{p['processor'][2]:.3f} |")
        if points:
            series[key] = points
        if len(points) > 1:
            lines_of[key] = {kind: straight([(p["x"], p[kind][1]) for p in points]) for kind in COLOURS}
    lines.append("")
    for key, fits in lines_of.items():
        lo, hi = series[key][0], series[key][-1]
        for kind, (a, b, off) in fits.items():
            text = f"- {TITLES[key]}, {kind}: {hi['x']:,} take {hi[kind][1] / lo[kind][1]:.2f} times as long as {lo['x']:,}"
            lines.append(text if key == "clients" else f"{text}; the line {a:.3f} s + {b:.3g} s x fits to {100 * off:.0f}%")
    result = {"fixed": FIXED, "rounds": o.rounds, "repeats": o.repeats, "load": os.getloadavg(), "series": series,
              "lines": lines_of}
    for name, text in (("growth.md", "\n".join(lines) + "\n"), ("growth.json", json.dumps(result, indent=1)),
                       ("growth.svg", plot(series))):
        with open(f"{o.out}/{name}", "w") as f:
            f.write(text)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
