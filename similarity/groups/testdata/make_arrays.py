"""Writes arrays.json: inputs of package groups, and the answers that a second implementation gives, in plain numpy.

    python3 make_arrays.py          (needs numpy and scipy)

With FEDDAG_GROUPS_SPECIFICATION set to the path of another implementation that has the functions features, code_length,
label_clusters, find_groups and the class Images (as a module for Python), the answers are compared with that one before
they are written."""
import base64
import importlib.util
import json
import os
import pathlib

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.special import gammaln, psi
from scipy.stats import t as student

VIEWS = "class-wise", "common", "concept"


def dct(n):
    k, x = np.mgrid[:n, :n]
    return np.where(k == 0, 1, np.sqrt(2)) / np.sqrt(n) * np.cos(np.pi * k * (x + 0.5) / n)


def features(image):
    """image: height x width x channels, 0..1"""
    x, layout, texture = image @ dct(image.shape[2]).T, [], []
    rows, columns = ([round(k * s / 4) for k in range(5)] for s in x.shape[:2])
    for a in range(4):
        for b in range(4):
            layout += list(x[rows[a]:rows[a + 1], columns[b]:columns[b + 1]].mean((0, 1)))
    for _ in range(3):
        h, w = x.shape[:2]
        for c in range(x.shape[2]):
            for k in range(1, 9):
                mask = np.outer(dct(3)[k // 3], dct(3)[k % 3])
                r = sum(mask[i, j] * x[i:h - 2 + i, j:w - 2 + j, c] for i in range(3) for j in range(3))
                texture.append(np.log(np.mean(r**2) + 255.0**-2))
        h, w = h // 2, w // 2
        x = x[:2 * h, :2 * w].reshape(h, 2, w, 2, -1).mean((1, 3))
    return np.array(layout + texture)


def sketch(f, y, classes, rng):
    count, mean, scatter = np.zeros((2, classes), int), np.zeros((2, classes, f.shape[1])), np.zeros((f.shape[1],) * 2)
    for c in range(classes):
        g = f[rng.permutation(np.flatnonzero(y == c))]
        cut = (len(g) + rng.integers(2)) // 2
        for h, part in enumerate((g[:cut], g[cut:])):
            if len(part):
                count[h, c], mean[h, c] = len(part), part.mean(0)
        if len(g):
            scatter += (g - g.mean(0)).T @ (g - g.mean(0))
    return count, mean, scatter


def code_length(x, clients):
    z, n = x[:, x.any(0)], x.sum(1)
    a = z.sum(0) / z.sum() * z.shape[1] + 1e-3
    for _ in range(60):
        new = a * (psi(z + a) - psi(a)).sum(0) / (psi(n + a.sum()) - psi(a.sum())).sum()
        new, old = np.clip(new, 1e-4, 1e4), a
        a = new
        if np.abs(np.log(new / old)).max() < 1e-3:
            break
    log = sum(gammaln(a.sum()) - gammaln(m + a.sum()) + (gammaln(r + a) - gammaln(a)).sum() for r, m in zip(z, n))
    return -log + len(a) / 2 * np.log(clients) + x.shape[1] * np.log(2) - len(x) * np.log(len(x) / clients)


def label_clusters(x):
    clients, held = len(x), x > 0
    place = np.sqrt(np.hstack([x / x.sum(1, keepdims=True), held / held.sum(1, keepdims=True)]))
    leaf = fcluster(linkage(place, "ward"), min(40, clients), "maxclust") if clients > 1 else np.ones(1)
    clusters = [np.flatnonzero(leaf == k) for k in np.unique(leaf)]
    length = lambda c: code_length(x[c], clients)
    best, found = np.inf, None
    while True:
        total = sum(map(length, clusters))
        if total <= best:
            best, found = total, list(clusters)
        if len(clusters) == 1:
            return sorted((sorted(c.tolist()) for c in found))
        join = lambda a, b: length(np.r_[clusters[a], clusters[b]]) - length(clusters[a]) - length(clusters[b])
        _, a, b = min((join(a, b), a, b) for b in range(len(clusters)) for a in range(b))
        clusters[a] = np.r_[clusters[a], clusters.pop(b)]


def centres(m, n, label, k):
    w = np.array([n[label == z].sum(0) for z in range(k)], float)
    s = np.array([(n[label == z][..., None] * m[label == z]).sum(0) for z in range(k)])
    return w, s / np.maximum(w, 1)[..., None]


def deviations(m, n):
    return (m - centres(m, n, np.zeros(len(m), int), 1)[1][0]) * (n > 0)[..., None]


def without_style(m, n):
    """weighted two-way fit m_ic = mu_c + s_i -> m_ic - s_i"""
    some = n.sum(1) > 0
    share = n / np.maximum(n.sum(1, keepdims=True), 1)
    mean = (share[..., None] * m).sum(1)
    left = np.diag(n.sum(0) * (1 + 1e-9)) - n[some].T @ share[some]
    left += np.diag(n.sum(0) == 0)
    right = np.einsum("ic,icf->cf", n, m - mean[:, None])
    mu = np.linalg.solve(left, right)
    return m - (mean - share @ mu)[:, None] * (n > 0)[..., None]


def split(m, n, view, label=None):
    if view == "concept":
        m = without_style(m, n)
    classes, x = m.shape[1], deviations(m, n)
    if view == "common":
        x = ((n[..., None] * x).sum(1) / np.maximum(n.sum(1), 1)[:, None])[:, None]
        m, n = x, n.sum(1, keepdims=True)
    if label is None:
        x = (np.sqrt(n)[..., None] * x).reshape(len(m), -1)
        v = x[np.argmax((x**2).sum(1))]
        for _ in range(60):
            v = x.T @ (x @ v)
            v = v / max(np.linalg.norm(v), 1e-30)
        label = (x @ v > 0).astype(int)
    best, answer = np.inf, label
    for _ in range(30):
        w, mu = centres(m, n, label, 2)
        rss = -(w * (mu**2).sum(2)).sum()
        if rss >= best:
            break
        best, answer, new = rss, label, []
        for i in range(len(m)):
            total = np.zeros(2)
            for c in np.flatnonzero(n[i]):
                rest = w[:, c] - n[i, c] * (label[i] == np.arange(2))
                factor = np.where(label[i] == np.arange(2), w[:, c] - n[i, c], w[:, c] + n[i, c])
                price = n[i, c] * ((m[i, c] - mu[:, c]) ** 2).sum(1) * w[:, c] / np.maximum(factor, 1)
                total += np.where(rest > 0, price, price[rest > 0].mean() if (rest > 0).any() else 0)
            new.append(int(total[1] < total[0]))
        label = np.array(new)
    w, mu = centres(m, n, answer, 2)
    return answer, np.broadcast_to((mu[1] - mu[0]) * (w > 0).all(0)[:, None], (classes, m.shape[2]))


def p_value(learn, check, view, prior=0, noise=None, loud=None):
    """learn, check: (means, weights) of the halves"""
    g, a = split(*learn, view)
    m, n = check
    m = without_style(m, n) if view == "concept" else m
    u, v = n * (deviations(m, n) * a).sum(2), n * (a**2).sum(1)
    some = v.sum(1) > 0
    u, v, g = u[some], v[some], g[some]
    if len(g) < (2 if prior else 4) or g.min() == g.max():
        return 1.0
    total = np.array([v[g == k].sum() for k in (0, 1)])
    theta = np.array([u[g == k].sum() for k in (0, 1)]) / total
    rss = ((u - theta[g][:, None] * v) ** 2 / np.maximum(v, 1e-30)).sum(0)
    if prior:
        rss = rss + prior * loud * np.einsum("cf,fg,cg->c", a, noise, a) / np.maximum((a**2).sum(1), 1e-30)
    kappa = rss / np.maximum(prior + (v > 0).sum(0) * (1 - 2 / len(g)), 1)
    t = (theta[1] - theta[0]) / np.sqrt((v @ kappa / total[g] ** 2).sum())
    return float(student.sf(t, prior + len(g) - 2))


def cut_in_two(a, b):
    order = np.argsort(a + b, kind="stable")
    a, b = a[order] - a.mean(), b[order] - b.mean()
    n, k = len(a), np.arange(1, len(a))
    k = k[np.argmax(np.cumsum(a + b)[:-1] ** 2 / (k * (n - k)))]
    inside = sum(((s - s.mean()) * (r - r.mean())).sum() for s, r in ((a[:k], b[:k]), (a[k:], b[k:])))
    return inside, (a * b).sum()


class Metric:
    def __init__(self, count, mean, scatter, clusters):
        self.half_n, self.n = count, count.sum(1)
        m = (count[..., None] * mean).sum(1) / np.maximum(self.n, 1)[..., None]
        label = np.zeros(len(m), int)
        for z, who in enumerate(clusters):
            label[who] = z
        w, mu = centres(m, self.n, label, len(clusters))
        v, free, d = np.array(scatter), max((w - 1)[w > 0].sum(), 1), len(scatter)
        for i, z in enumerate(label):
            for c in range(self.n.shape[1]):
                v += self.n[i, c] * np.outer(m[i, c] - mu[z, c], m[i, c] - mu[z, c])
        v /= free
        v += np.diag(np.diag(v)) * d / free + np.eye(d) * 1e-9 * np.trace(v) / d
        to = np.linalg.inv(np.linalg.cholesky(v)).T
        self.m, self.half_m = m @ to, mean @ to
        self.noise = to.T @ scatter @ to / max(self.n.sum() - (self.n > 0).sum(), 1)

    def p_values(self, who, prior=0):
        n, m = self.half_n[who], self.half_m[who]
        gap = n.prod(1) / np.maximum(n.sum(1), 1) * ((m[:, 0] - m[:, 1]) ** 2).sum(2)
        loud = (1 + gap.sum(0) / np.trace(self.noise)) / (1 + (n.prod(1) > 0).sum(0))
        half = [(m[:, h], n[:, h]) for h in (0, 1)]
        return [[p_value(half[h], half[1 - h], view, prior, self.noise, loud) for h in (0, 1)] for view in VIEWS]

    def inside(self, who, view, order):
        sums = np.zeros(2)
        for learn, place in ((order[::2], order[1::2]), (order[1::2], order[::2])):
            a, at = split(self.m[who[learn]], self.n[who[learn]], view)[1], []
            for h in (0, 1):
                m, n = self.half_m[who[place], h], self.half_n[who[place], h]
                m = without_style(m, n) if view == "concept" else m
                at.append((n * (deviations(m, n) * a).sum(2)).sum(1) / np.maximum((n * (a**2).sum(1)).sum(1), 1e-30))
            sums += cut_in_two(*at)
        return sums[0] / sums[1]

    def rejects(self, who, cloud):
        p = {v: 6 * min(two) for v, two in zip(VIEWS, self.p_values(who))}
        for view in sorted(p, key=p.get):
            small = len(who) < 8
            order = np.random.default_rng(len(who)).permutation(len(who))
            if p[view] <= 0.001 * len(who) / len(self.n) and (small or self.inside(who, view, order) <= cloud(len(who))):
                return view
        return ""


def one_cloud(n, known={}):
    if n not in known:
        rng, shares = np.random.default_rng(n), []
        for _ in range(2000):
            halves = [cut_in_two(x, x) for x in (rng.normal(size=n // 2), rng.normal(size=n - n // 2))]
            shares.append(sum(h[0] for h in halves) / sum(h[1] for h in halves))
        known[n] = np.quantile(shares, 0.01)
    return known[n]


def find(count, mean, scatter):
    parts = [[np.array(g)] for g in label_clusters(count.sum(1))]
    while True:
        metric, grown = Metric(count, mean, scatter, [g for part in parts for g in part]), []
        for part in parts:
            grown.append([])
            for g in part:
                view = metric.rejects(g, one_cloud)
                side = split(metric.m[g], metric.n[g], view)[0] if view else np.zeros(len(g), int)
                grown[-1] += [g[side == k] for k in (0, 1) if (side == k).any()]
        same = sum(map(len, grown)) == sum(map(len, parts))
        parts = grown
        if same:
            return sorted(g.tolist() for part in parts for g in polish(metric, part))


def unlike(metric, a, b):
    (v, x), (w, y) = (centres(metric.m[g], metric.n[g], np.zeros(len(g), int), 1) for g in (a, b))
    h = v[0] * w[0] / np.maximum(v[0] + w[0], 1)
    free = max((h > 0).sum() * x.shape[2], 1)
    return ((h * ((x[0] - y[0]) ** 2).sum(1)).sum() - free) / np.sqrt(2 * free)


def polish(metric, groups):
    while True:
        pairs = sorted((unlike(metric, groups[i], groups[j]), i, j) for i in range(len(groups)) for j in range(i))
        for _, i, j in pairs[:len(groups)]:
            both = np.r_[groups[i], groups[j]]
            view = metric.rejects(both, one_cloud)
            if not view:
                groups = [g for k, g in enumerate(groups) if k not in (i, j)] + [both]
                break
            side = split(metric.m[both], metric.n[both], view, np.isin(both, groups[j]).astype(int))[0]
            if len(set(side)) == 2:
                groups[i], groups[j] = both[side == 0], both[side == 1]
        else:
            return [np.sort(g) for g in groups]


def planted(kind, rng, clients=24, classes=4, d=6, most=30):
    """-> (counts, means, scatter), true group of each client"""
    group = np.arange(clients) % (3 if kind == "concept3" else 1 if kind == "none" else 2)
    place, shift, sent = rng.normal(0, 1.5, (classes, d)), rng.normal(0, 1.0, (3, d)), []
    for g in group:
        y = rng.choice(classes, rng.integers(most // 2, most) * classes, p=rng.dirichlet(np.full(classes, 3)))
        if kind == "labels":
            y = y % 2 + 2 * g
        f = place[y] + rng.normal(0, 1, (len(y), d))
        if kind.startswith("concept"):
            y = (y + g) % classes
        if kind == "domain":
            f = f + shift[g]
        sent.append(sketch(f, y, classes, rng))
    count, mean, scatter = map(np.array, zip(*sent))
    return count, np.round(mean, 4), np.round(scatter.sum(0), 3), group


def main():
    path = os.environ.get("FEDDAG_GROUPS_SPECIFICATION")
    spec = None
    if path:
        loaded = importlib.util.spec_from_file_location("specification", path)
        spec = importlib.util.module_from_spec(loaded)
        loaded.loader.exec_module(spec)
    rng, out = np.random.default_rng(19), {"features": [], "codes": [], "cases": []}

    for h, w, c in ((28, 28, 1), (32, 32, 3), (13, 18, 1), (12, 12, 2)):
        smooth = rng.integers(0, 256, (4, 4, c)).repeat(8, 0).repeat(8, 1)[:h, :w] / 2
        image = np.clip(smooth + rng.normal(60, 20, (h, w, c)), 0, 255).astype(np.uint8)
        answer = features(image / 255)
        if spec and h == w:
            assert np.abs(spec.features((image / np.float32(255))[None])[0] - answer).max() < 1e-5
        pixels = base64.b64encode(image.transpose(2, 0, 1).tobytes()).decode()
        out["features"].append(dict(shape=[c, h, w], pixels=pixels, features=answer.tolist()))

    for n, classes, a in ((1, 3, 1), (6, 4, 0.3), (20, 10, 1), (30, 5, 50), (50, 10, 0.2)):
        x = np.array([rng.multinomial(rng.integers(1, 200), rng.dirichlet(np.full(classes, a))) for _ in range(n)])
        x[:, 0] = 0
        x[:, 1] += 1
        length, found = code_length(x, 60), label_clusters(x)
        if spec:
            assert abs(spec.code_length(x, 60) - length) < 1e-9 * abs(length)
            assert n == 1 or sorted(sorted(g.tolist()) for g in spec.label_clusters(x)) == found
        out["codes"].append(dict(counts=x.tolist(), clients=60, length=length, clusters=found))

    for kind in "none", "labels", "concept2", "concept3", "domain":
        count, mean, scatter, truth = planted(kind, rng)
        clusters = find(count, mean, scatter)
        who = np.array(clusters[0] if kind == "labels" else np.arange(len(count)))
        metric, order = Metric(count, mean, scatter, [np.arange(len(count))]), rng.permutation(len(who))
        case = dict(
            kind=kind, counts=count.tolist(), means=mean.tolist(), scatter=scatter.tolist(), truth=truth.tolist(), clusters=clusters,
            who=who.tolist(), p=metric.p_values(who), moderated=metric.p_values(who, 10), few=metric.p_values(who[:3], 10),
            order=order.tolist(), inside=[metric.inside(who, view, order) for view in VIEWS], unlike=unlike(metric, who[::2], who[1::2]))
        if spec:
            spec.CLASSES = count.shape[2]
            found = spec.find_groups(count, mean, scatter)[0]
            assert sorted(np.flatnonzero(found == k).tolist() for k in np.unique(found)) == clusters, (kind, found)
            images, seen = spec.Images(count, mean, scatter), []
            images.whiten([np.arange(len(count))])
            spec.student = type("", (), dict(sf=staticmethod(lambda t, n: seen.append(student.sf(t, n)) or student.sf(t, n))))
            images.rejects(who)
            order_of = [(v, h) for v in ("concept", "common", "class-wise") for h in (0, 1)]
            for (view, h), p in zip(order_of, seen[:6]):
                if view == "concept":  # The specification does not fit class means and styles at once.
                    continue
                assert abs(case["p"][VIEWS.index(view)][h] - p) <= 1e-9 * p + 1e-15, (kind, view, h, p)
        print(kind, clusters, np.array(case["p"]).min(1), case["inside"])
        out["cases"].append(case)
    target = pathlib.Path(__file__).with_name("arrays.json")
    target.write_text(json.dumps(out, separators=(",", ":")) + "\n")
    print(target.stat().st_size, "bytes; compared with a specification:", bool(spec))


if __name__ == "__main__":
    main()
