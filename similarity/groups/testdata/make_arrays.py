"""Writes arrays.json: inputs of package groups, and the answers that a second implementation gives, in plain numpy.

    python3 make_arrays.py          (needs numpy and scipy)

It is a second implementation of features, codes, label clusters, test, "one cloud or two groups", polish and the search, in the
order of the Go code: images, labels inside the groups, images inside the label clusters. Its simulated clouds have other random
numbers than those of Go. The arrays hold the features, the lengths of the codes, the p-values of both halves, the numbers of the
cloud (inside two sides, inside four parts, in all, kappa, tau) and the clusters. It has nothing of the rest of the package: what
separates clusters, distances, newcomers, changed clients, the CC-graph, stability.

With FEDDAG_GROUPS_SPECIFICATION set to the path of another implementation that has the function features and the class Images
(as a module for Python), the features and p-values are compared with that one before they are written."""
import base64
import importlib.util
import json
import os
import pathlib

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.special import betaln, gammaln, psi
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


def minka(a, above, below):
    for _ in range(60):
        new = np.clip(a * above(a) / np.maximum(below(a), 1e-12), 1e-4, 1e4)
        change, a = np.abs(np.log(new / a)).max(), new
        if change < 1e-3:
            break
    return a


def parameters(x):
    """of the classes held"""
    z, n = x[:, x.any(0)], x.sum(1)
    if len(x) == 1:
        return np.full(z.shape[1], 0.5)
    p = z.sum(0) / z.sum()
    chi = ((z - np.outer(n, p)) ** 2 / np.outer(n, p)).sum() / max(len(z) * (len(p) - 1), 1)
    a = np.clip(p * np.clip((n.mean() - chi) / max(chi - 1, 1e-4), 1e-2, 1e5), 1e-4, 1e4)
    return minka(a, lambda a: (psi(z + a) - psi(a)).sum(0), lambda a: (psi(n + a.sum()) - psi(a.sum())).sum())


def names(x, clients):
    return x.shape[1] * np.log(2) - len(x) * np.log(len(x) / clients)


def free_code(x, clients):
    z, n, a = x[:, x.any(0)], x.sum(1), parameters(x)
    log = sum(gammaln(a.sum()) - gammaln(m + a.sum()) + (gammaln(r + a) - gammaln(a)).sum() for r, m in zip(z, n))
    seen = (n * (a.sum() + 1) / (n + a.sum())).sum()
    return -log + len(a) / 2 * np.log(max(clients, seen)) + names(x, clients)


def binary_code(e, m):
    return betaln(0.5, 0.5) - betaln(e + 0.5, m - e + 0.5)


def pair_code(x, order):
    """-> length of the names of the pairs held, closed pairs"""
    held, before = x > 0, np.zeros(x.shape)
    before[:, order] = np.cumsum(x[:, order], 1) - x[:, order]
    best, closed = binary_code(held.sum(), held.size), np.zeros(x.shape, bool)
    for quota in np.unique(before)[1:]:
        out = before >= quota
        length = binary_code(held[out].sum(), out.sum()) + binary_code(held[~out].sum(), (~out).sum())
        if length < best - 1e-12 or length < best + 1e-12 and out.sum() < closed.sum():
            best, closed = length, out
    return best, closed


def quota_order(x):
    order = sorted(range(x.shape[1]), key=lambda c: -(x[:, c] > 0).sum())
    x = x if len(x) <= 200 else x[np.arange(200) * len(x) // 200]
    least = pair_code(x, order)[0]
    for sweep in range(10):
        before = least
        for k in range(len(order) - 1)[::1 if sweep % 2 == 0 else -1]:
            other = order[:k] + [order[k + 1], order[k]] + order[k + 2:]
            length = pair_code(x, other)[0]
            if length < least - 1e-9:
                least, order = length, other
        if least == before:
            break
    return order


def quota_code(x, clients):
    held, classes, n = x > 0, x.shape[1], x.sum(1)
    closed = pair_code(x, quota_order(x))[1]
    use = ((~closed | held) & held.any(0))[:, held.any(0)]
    z = x[:, held.any(0)]
    total = lambda a: np.maximum(use @ a, 1e-9)
    below = lambda a: use.T @ (psi(n + total(a)) - psi(total(a)))
    a = minka(parameters(x), lambda a: (psi(z + a) - psi(a)).sum(0), below)
    A = total(a)
    log = (gammaln(A) - gammaln(n + A) + (gammaln(z + a) - gammaln(a)).sum(1)).sum()
    seen = (n * (A + 1) / (n + A)).sum()
    cost = binary_code((held & closed).sum(), closed.sum()) + gammaln(classes + 1) + np.log(x.size) / 2
    return -log + len(a) / 2 * np.log(max(clients, seen)) + names(x, clients) + cost


def plain_code(x, clients, a):
    s, n = x.any(0).sum() * a, x.sum(1)
    log = (gammaln(s) - gammaln(n + s) + np.where(x > 0, gammaln(x + a) - gammaln(a), 0).sum(1)).sum()
    return -log + names(x, clients)


def merges(clusters, length):
    """all clusterings on the way of best merges, with their code lengths"""
    known = {}

    def cached(c):
        key = tuple(sorted(c.tolist()))
        if key not in known:
            known[key] = length(c)
        return known[key]

    while True:
        own = [cached(c) for c in clusters]
        yield sum(own), [sorted(c.tolist()) for c in clusters]
        if len(clusters) == 1:
            return
        join = lambda a, b: cached(np.r_[clusters[a], clusters[b]]) - own[a] - own[b]
        _, a, b = min((join(a, b), a, b) for b in range(len(clusters)) for a in range(b))
        clusters[a] = np.r_[clusters[a], clusters[b]]
        del clusters[b]


def free_clusters(x, clients):
    held = x > 0
    place = np.sqrt(np.hstack([x / x.sum(1, keepdims=True), held / held.sum(1, keepdims=True)]))
    leaf = fcluster(linkage(place, "ward"), min(40, len(x)), "maxclust") if len(x) > 1 else np.ones(1)
    return list(merges([np.flatnonzero(leaf == k) for k in np.unique(leaf)], lambda c: free_code(x[c], clients)))


def plain_clusters(x, clients, a):
    sets, leaf = np.unique(x > 0, axis=0, return_inverse=True)
    leaf = leaf.ravel()
    way = merges([np.flatnonzero(leaf == k) for k in range(len(sets))], lambda c: plain_code(x[c], clients, a))
    return [(length + np.log(len(x)) / 2, clusters) for length, clusters in way]


def label_clusters(x, clients=None, alpha=0.001):
    """-> clusters, code of a cluster, (length of one, of several) of the free code, the same of the plain code"""
    clients = clients or len(x)
    answers = [[(length, clusters, None) for length, clusters in free_clusters(x, clients)], []]
    for a in np.geomspace(0.05, 200, 15):
        answers[1] += [(length, clusters, a) for length, clusters in plain_clusters(x, clients, a)]
    several = min(([f for f in way if len(f[1]) > 1] for way in answers), key=lambda way: min((f[0] for f in way), default=np.inf))
    lengths = [[min((f[0] for f in way if (len(f[1]) > 1) == more), default=None) for more in (0, 1)] for way in answers]
    everybody = [list(range(len(x)))]
    if not several:
        return everybody, None, lengths
    best = min(several, key=lambda f: f[0])
    one = min(lengths[0][0], lengths[1][0], quota_code(x, clients))
    if best[0] - np.log(alpha) >= one:
        return everybody, None, lengths

    def length(c):
        codes = [free_code(x[c], clients), quota_code(x[c], clients)]
        return min(codes + [plain_code(x[c], clients, best[2])] if best[2] else codes)

    clusters = [np.array(c) for c in sorted(best[1])]
    while len(clusters) > 1:
        pairs = [(a, b) for b in range(len(clusters)) for a in range(b) if (x[clusters[a]].any(0) & x[clusters[b]].any(0)).any()]
        join = lambda a, b: length(np.r_[clusters[a], clusters[b]]) - length(clusters[a]) - length(clusters[b])
        least, a, b = min(((join(a, b), a, b) for a, b in pairs), default=(0, 0, 0))
        if least >= 0:
            break
        clusters[a] = np.r_[clusters[a], clusters[b]]
        del clusters[b]
    return sorted(sorted(c.tolist()) for c in clusters), length, lengths


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


def covariance(a, b, w):
    whole = max(w.sum(), 1e-30)
    return (w * (a - (w * a).sum() / whole) * (b - (w * b).sum() / whole)).sum()


def cut(at, v, w):
    """at, v: 2 x n; w: n -> covariance inside the two sides of the best cut, inside their four parts, in all"""
    mean = (v * at).sum(0) / v.sum(0)
    order = np.argsort(mean, kind="stable")
    a, b, w, mean = at[0][order], at[1][order], w[order], mean[order]

    def best(low, high):
        u, x = w[low:high], mean[low:high]
        if len(u) < 2:
            return min(low + 1, high)
        left, z = np.cumsum(u)[:-1], np.cumsum(u * (x - (u * x).sum() / max(u.sum(), 1e-30)))[:-1]
        return low + 1 + np.argmax(z**2 / np.maximum(left * (u.sum() - left), 1e-30))

    inside = lambda *ends: sum(covariance(a[i:j], b[i:j], w[i:j]) for i, j in zip(ends, ends[1:]))
    n = len(w)
    middle = best(0, n)
    return inside(0, middle, n), inside(0, best(0, middle), middle, best(middle, n), n), inside(0, n)


def measure(at, v):
    """-> kappa, tau, weights"""
    kappa, w = np.mean((at[0] - at[1]) ** 2 / (1 / v).sum(0)), v.sum(0)
    for _ in range(3):
        tau = np.sqrt(max(covariance(*at, w), 0) / max(w.sum(), 1e-30))
        w = np.prod(tau**2 / np.maximum(tau**2 + kappa / v, 1e-30), 0)
    return kappa, tau, w


class Metric:
    def __init__(self, count, mean, scatter, clusters, styles=False):
        self.styles = styles
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

    def places(self, who, view, order):
        """-> places and precisions, 2 x n"""
        m, n = self.m[who], self.n[who]
        side, whole = split(m, n, view)
        at, v = np.zeros((2, len(who))), np.zeros((2, len(who)))
        for part in range(5):
            placed, others = order[part::5], order[np.arange(len(order)) % 5 != part]
            a = split(m[others], n[others], view, side[others])[1]
            unit = (a * whole).sum() / max((whole**2).sum(), 1e-30)
            for h in (0, 1):
                mh, nh = self.half_m[who, h], self.half_n[who, h]
                mh = without_style(mh, nh) if view == "concept" else mh
                below = (nh * (a**2).sum(1)).sum(1)[placed]
                at[h, placed] = (nh * (deviations(mh, nh) * a).sum(2)).sum(1)[placed] / np.maximum(below, 1e-30) * unit
                v[h, placed] = below / max(unit**2, 1e-30)
        some = (v > 0).all(0)
        return at[:, some], v[:, some]

    def inside(self, who, view, order):
        at, v = self.places(who, view, order)
        kappa, tau, w = measure(at, v)
        return [*cut(at, v, w), kappa, tau]

    def one_cloud(self, who, view):
        if len(who) < 8:
            return True
        rng, sums = np.random.default_rng(len(who)), np.zeros(3)
        for _ in range(min(1 + 200 // len(who), 5)):
            at, v = self.places(who, view, rng.permutation(len(who)))
            kappa, tau, w = measure(at, v)
            sums += cut(at, v, w)
        if sums[2] <= 0:
            return True
        kappa, below = kappa if self.styles else 0, np.zeros(2)
        for _ in range(999):
            x = tau * rng.normal(size=len(w)) + np.sqrt(kappa / v) * rng.normal(size=v.shape)
            two, four, total = cut(x, v, w)
            below += np.array([two, four]) <= total * sums[:2] / sums[2]
            if below.min() > 4:
                return True
        return False

    def test(self, who):
        return {v: 6 * min(two) for v, two in zip(VIEWS, self.p_values(who, 10))}

    def shatters(self, who):
        alone, todo = 0, [who]
        while todo:
            g = todo.pop()
            p = self.test(g)
            view = min(p, key=p.get)
            if p[view] > 0.001 * len(g) / len(self.n):
                alone += len(g) == 1
                continue
            side = split(self.m[g], self.n[g], view)[0]
            todo += [g[side == 0], g[side == 1]] if len(set(side)) == 2 else []
        return 4 * alone > len(who)

    def rejects(self, who):
        p, level = self.test(who), 0.001 * len(who) / len(self.n)
        sure = [view for view in sorted(p, key=p.get) if p[view] <= level]
        if sure and not self.styles and len(who) < 20 and not self.shatters(who):
            return sure[0]
        return next((view for view in sure if not self.one_cloud(who, view)), "")


def find(count, mean, scatter):
    """images, then labels inside the groups, then images inside the label clusters"""
    x, styles = count.sum(1), False
    clients = len(x)
    groups, styles = divide(count, mean, scatter, [np.arange(clients)], styles)
    if len(label_clusters(x)[0]) > 1:
        labels = [g[c] for g in groups for c in label_clusters(x[g], clients, 0.001 * len(g) / clients)[0]]
        if len(labels) > len(groups):
            groups, styles = divide(count, mean, scatter, labels, styles)
    return sorted(g.tolist() for g in groups)


def divide(count, mean, scatter, clusters, styles):
    """-> groups, whether the clients have styles"""
    while True:
        metric, parts = grow(count, mean, scatter, [[g] for g in clusters], styles)
        groups = [g for part in parts for g in polish(metric, part)]
        if styles or not any(min(metric.test(g).values()) <= 0.001 * len(g) / len(count) for g in groups):
            return groups, styles
        styles = True


def grow(count, mean, scatter, parts, styles):
    while True:
        metric, grown = Metric(count, mean, scatter, [g for part in parts for g in part], styles), []
        for part in parts:
            grown.append([])
            for g in part:
                view = metric.rejects(g)
                side = split(metric.m[g], metric.n[g], view)[0] if view else np.zeros(len(g), int)
                grown[-1] += [g[side == k] for k in (0, 1) if (side == k).any()]
        if sum(map(len, grown)) == sum(map(len, parts)):
            return metric, parts
        parts = grown


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
            view = metric.rejects(both)
            if not view:
                groups = [g for k, g in enumerate(groups) if k not in (i, j)] + [both]
                break
            side = split(metric.m[both], metric.n[both], view, np.isin(both, groups[j]).astype(int))[0]
            if len(set(side)) == 2:
                groups[i], groups[j] = both[side == 0], both[side == 1]
        else:
            return [np.sort(g) for g in groups]


def code_case(x):
    clusters, _, lengths = label_clusters(x)
    return dict(counts=x.tolist(), clients=60, free=free_code(x, 60), quota=quota_code(x, 60), plain=plain_code(x, 60, 0.7),
                clusters=clusters, lengths=lengths)


def planted(kind, rng, clients=24, classes=4, d=6, most=30):
    """-> (counts, means, scatter), true group of each client"""
    group = np.arange(clients) % dict(none=1, concept3=3, both=4).get(kind, 2)
    place, shift, sent = rng.normal(0, 1.5, (classes, d)), rng.normal(0, 1.0, (3, d)), []
    for g in group:
        y = rng.choice(classes, rng.integers(most // 2, most) * classes, p=rng.dirichlet(np.full(classes, 3)))
        if kind in ("labels", "both"):
            y = y % 2 + 2 * (g % 2)
        f = place[y] + rng.normal(0, 1, (len(y), d))
        if kind.startswith("concept"):
            y = (y + g) % classes
        if kind == "both":
            y = y ^ (g // 2)
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

    for n, classes, a in ((1, 3, 1), (6, 4, 0.3), (20, 10, 1), (30, 5, 50), (30, 10, 0.2)):
        x = np.array([rng.multinomial(rng.integers(1, 200), rng.dirichlet(np.full(classes, a))) for _ in range(n)])
        x[:, 0] = 0
        x[:, 1] += 1
        out["codes"].append(code_case(x))
    for quota in 60, 90:  # classes dealt in turn, until a client has its share
        x, y = rng.geometric(1 / 20, (30, 6)), np.zeros((30, 6), int)
        for c in range(6):
            y[:, c] = np.where(y.sum(1) < quota, x[:, c], 0)
        out["codes"].append(code_case(y))
    x = rng.geometric(1 / 20, (24, 6)) * np.kron(np.eye(3, dtype=int), np.ones((8, 2), int))
    out["codes"].append(code_case(x))

    for kind in "none", "labels", "concept2", "concept3", "domain", "both":
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
            images, seen = spec.Images(count, mean, scatter), []
            images.whiten([np.arange(len(count))])
            spec.student = type("", (), dict(sf=staticmethod(lambda t, n: seen.append(student.sf(t, n)) or student.sf(t, n))))
            spec.Images.continuum = lambda *_: True
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
