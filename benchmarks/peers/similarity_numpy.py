#!/usr/bin/env python3
"""Phases 2 to 4 of FedDAG with numpy and scipy, from saved sketches, as `feddag cluster --sketches` computes them by default.

    python benchmarks/peers/similarity_numpy.py sketches.npz

It is written for speed: one product per class in blocks of rows, everything vectorised, no Python loop over clients,
and memory for a few N x N arrays. Prints one JSON object with the clusters, the seconds, and the BLAS.
"""
import json
import sys
import time
import zipfile

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

BLOCK = 2048  # rows of a product at a time
MAX_CLUSTERS, MIN_SILHOUETTE, WEAK_SILHOUETTE, MIN_EVEN = 30, 0.25, 0.5, 0.8
DELTA, EPSILON, GAMMA, TAU, LAMBDA, STEPS, TOP_K = 0.6, 1.0, 1.0, 1.0, 0.01, 100, 2


def memory_map(path, name):
    """Returns an array of a stored (not compressed) .npz file, which is only read when it is used."""
    with zipfile.ZipFile(path) as z:
        info = z.getinfo(name + ".npy")
        with open(path, "rb") as f:
            f.seek(info.header_offset + 26)
            lengths = np.frombuffer(f.read(4), "<u2")
            f.seek(info.header_offset + 30 + int(lengths.sum()))
            if np.lib.format.read_magic(f) != (1, 0):
                sys.exit(f"{path}: {name} is not of version 1.0")
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(f)
            assert not fortran
            return np.memmap(path, dtype, "r", f.tell(), shape)


def gradient_angles(updates):
    u = updates / np.linalg.norm(updates, axis=1, keepdims=True)
    g = np.empty((len(u), len(u)))
    for i in range(0, len(u), BLOCK):  # the upper triangle
        b = u[i:i + BLOCK] @ u[i:].T
        np.clip(b, -1, 1, out=b)
        np.degrees(np.arccos(b, out=b), out=b)
        g[i:i + BLOCK, i:] = b
        g[i:, i:i + BLOCK] = b.T
    np.fill_diagonal(g, 0)
    return g


def class_angles(stack, start):
    """Returns V'_c between the clients that hold the class, H x H, in degrees. start: each client's first row."""
    h = len(start)
    angles = np.empty((h, h), np.float32 if h > 4096 else np.float64)
    p = len(stack) // h
    even = len(stack) == p * h and (start == np.arange(h) * p).all()
    size = max(1, BLOCK * h // len(stack))
    for i in range(0, h, size):  # the upper triangle
        j = min(h, i + size)
        last = start[j] if j < h else len(stack)
        b = stack[start[i]:last] @ stack[start[i]:].T
        np.abs(b, out=b)
        if even:  # all clients have the same number of vectors: much faster than reduceat
            b = b.reshape(j - i, p, h - i, p).max(axis=1).max(axis=2)
        else:
            b = np.maximum.reduceat(b, start[i:j] - start[i], axis=0)
            b = np.maximum.reduceat(b, start[i:] - start[i], axis=1)
        np.clip(b, 0, 1, out=b)
        np.degrees(np.arccos(b, out=b), out=b)
        angles[i:j, i:] = b
        angles[i:, i:j] = b.T
    np.fill_diagonal(angles, 0)
    return angles


def min_max(m):
    off = ~np.eye(len(m), dtype=bool)
    low, high = m.min(where=off, initial=np.inf), m.max(where=off, initial=-np.inf)
    m -= low
    m /= high - low
    np.fill_diagonal(m, 0)
    return m


def entropy(g, v, w, slope):
    """Returns the mean entropy of the rows of softmax(A), in blocks of rows of the upper triangle (eq. 7, 8)."""
    n = len(w)
    total, mean = np.ones(n), np.zeros(n)
    size = 512
    for i in range(0, n, size):
        j = min(n, i + size)
        upper = np.triu(np.ones((j - i, n - i), bool), 1)
        a = w[i:j, None] * g[i:j, i:] + (1 - w[i:j, None]) * v[i:j, i:]
        e = np.where(upper, np.exp(a), 0)
        total[i:j] += e.sum(1)
        total[i:] += e.sum(0)
        e *= a
        mean[i:j] += e.sum(1)
        mean[i:] += e.sum(0)
    mean /= total
    if slope:
        d = np.zeros(n)
        for i in range(0, n, size):
            j = min(n, i + size)
            upper = np.triu(np.ones((j - i, n - i), bool), 1)
            gi, vi = g[i:j, i:], v[i:j, i:]
            a = w[i:j, None] * gi + (1 - w[i:j, None]) * vi
            s = (a - mean[i:j, None]) / total[i:j, None] + (a - mean[None, i:]) / total[None, i:]
            d[i:j] = -np.where(upper, np.exp(a) * s * (gi - vi), 0).sum(1) / n
        return (np.log(total) - mean).mean(), d
    return (np.log(total) - mean).mean(), None


def learn_gates(g, v):
    w = np.full(len(g), 0.5)
    current, slope = entropy(g, v, w, True)
    eta = 0.25 / max(np.abs(slope).max(), 1e-300)
    for _ in range(STEPS):
        following = np.clip(w - eta * slope, 0, 1)
        if np.abs(following - w).max() < 1e-9:
            break
        e, s = entropy(g, v, following, True)
        if e <= current:
            w, current, slope, eta = following, e, s, 2 * eta
        else:
            eta /= 2
    return w


def scores(a, labels, z):
    n = len(a)
    one = np.zeros((n, z))
    one[np.arange(n), labels] = 1
    sums, sizes = a @ one, one.sum(0)
    own = sums[np.arange(n), labels]
    inner = own / np.maximum(sizes[labels] - 1, 1)
    means = sums / sizes
    means[np.arange(n), labels] = np.inf
    outer = means.min(1) if z > 1 else inner
    s = np.where((sizes[labels] > 1) & (np.maximum(inner, outer) > 0), (outer - inner) / np.maximum(np.maximum(inner, outer), 1e-300), 0)
    l1 = (own / sizes[labels] ** 2).sum()
    l2 = np.exp(np.maximum(0, n / z - GAMMA * sizes.std() - sizes) / TAU).mean()
    return (s.mean(), np.mean([s[labels == k].mean() for k in range(z)]), l1 + LAMBDA * l2) if z > 1 else (0, 0, l1 + LAMBDA * l2)


def ranks(counts):
    """Returns r_i,c + 1 for the classes that client i holds, where the rarest class has 1; 0 elsewhere."""
    held = counts > 0
    order = np.argsort(np.where(held, counts, np.iinfo(np.int64).max), axis=1, kind="stable")
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.broadcast_to(np.arange(counts.shape[1]), counts.shape), axis=1)
    return np.where(held, rank + 1, 0), held.sum(1)


def main(path):
    began = time.perf_counter()
    seconds = {}

    def done(step, since):
        seconds[step] = time.perf_counter() - since
        return time.perf_counter()

    with np.load(path) as z:
        counts, updates, owner = z["class_counts"].astype(np.int64), z["sparse_updates"].astype(np.float64), z["principal_vectors_owner"]
        truth = z["true_groups"] if "true_groups" in z else None
    vectors = memory_map(path, "principal_vectors")
    n, classes = counts.shape
    at = done("read", began)

    g = gradient_angles(updates)
    at = done("gradient angles", at)

    logs = np.where(counts > 0, np.log(counts + EPSILON, where=counts > 0, out=np.zeros(counts.shape)), 0)
    least, most = np.inf, -np.inf
    for c in range(classes):
        held = np.sort(logs[logs[:, c] > 0, c])
        if len(held) > 1:
            least, most = min(least, (held[1:] / held[:-1]).min()), max(most, held[-1] / held[0])
    v, kept = np.zeros((n, n)), []
    for c in range(classes):
        rows = np.flatnonzero(owner[:, 1] == c)
        rows = rows[np.lexsort((owner[rows, 2], owner[rows, 0]))]
        contiguous = len(rows) > 0 and rows[-1] - rows[0] == len(rows) - 1
        stack = np.asarray(vectors[rows[0]:rows[-1] + 1] if contiguous else vectors[rows], dtype=np.float64)
        clients, start = np.unique(owner[rows, 0], return_index=True)
        angles = class_angles(stack, start)
        kept.append((clients, angles))
        size = logs[clients, c]
        for i in range(0, len(clients), BLOCK):
            j = min(len(clients), i + BLOCK)
            ratio = np.maximum(size[i:j, None], size) / np.minimum(size[i:j, None], size)
            weight = 1 - DELTA + 2 * DELTA * (ratio - least) / (most - least) if most > least else 1
            if len(clients) == n:
                v[i:j] += angles[i:j] * weight / classes
            else:
                v[np.ix_(clients[i:j], clients)] += angles[i:j] * weight / classes
        if len(clients) < n:
            lacking = np.setdiff1d(np.arange(n), clients)
            v[np.ix_(clients, lacking)] += 90 / classes
            v[np.ix_(lacking, clients)] += 90 / classes
        del stack
    np.fill_diagonal(v, 0)
    at = done("class angles", at)

    g, v = min_max(g), min_max(v)
    w = learn_gates(g, v)
    at = done("gates", at)
    a = g  # A overwrites G^
    a *= w[:, None]
    for i in range(0, n, BLOCK):
        a[i:i + BLOCK] += (1 - w[i:i + BLOCK, None]) * v[i:i + BLOCK]
    del v
    for i in range(0, n, BLOCK):  # the gate of the client with the smaller index applies to a pair (eq. 7)
        j = min(n, i + BLOCK)
        a[j:, i:j] = a[i:j, j:].T
        b = a[i:j, i:j]
        b[:] = np.triu(b, 1) + np.triu(b, 1).T
    at = done("fusion", at)

    tree = linkage(squareform(a, checks=False), "ward")
    at = done("linkage", at)
    best, chosen = MIN_SILHOUETTE, None
    for z in range(1, min(MAX_CLUSTERS, n) + 1):
        labels = fcluster(tree, z, "maxclust") - 1
        if labels.max() + 1 != z:
            continue
        mean, even, loss = scores(a, labels, z)
        if chosen is None or mean > best and even >= MIN_EVEN * mean and (mean >= WEAK_SILHOUETTE or z * z <= n):
            chosen = (labels, mean, loss)
            best = max(best, mean)
    labels = chosen[0]
    z = labels.max() + 1
    at = done("candidates", at)

    rank, m = ranks(counts)
    one = np.zeros((n, z))
    one[np.arange(n), labels] = 1
    demand = one.T @ np.where(rank > 0, m[:, None] - rank + 1, 0)
    supply = (one.T @ rank) / one.sum(0)[:, None]
    h = np.zeros((z, z))
    for c, (clients, angles) in enumerate(kept):
        mine = one[clients]
        total = np.zeros((z, z))
        for i in range(0, len(clients), BLOCK):
            total += mine[i:i + BLOCK].T @ (np.clip(1 - angles[i:i + BLOCK].astype(np.float64) / 90, 0, 1) @ mine)
        lacking = one.sum(0) - mine.sum(0)
        total += np.outer(lacking, lacking)
        h += np.outer(demand[:, c], supply[:, c]) * total / np.outer(one.sum(0), one.sum(0))
    np.fill_diagonal(h, -np.inf)
    graph = np.argsort(-h, axis=1, kind="stable")[:, :min(TOP_K, z - 1)]
    done("CC-graph", at)
    seconds["total"] = time.perf_counter() - began

    first = {}
    for i, k in enumerate(labels):
        first.setdefault(k, i)
    order = sorted(first, key=first.get)
    place = {k: p for p, k in enumerate(order)}
    out = {
        "clusters": int(z), "sizes": [int((labels == k).sum()) for k in order], "silhouette": float(chosen[1]), "loss": float(chosen[2]),
        "graph": [[place[int(q)] for q in graph[k]] for k in order], "gates_mean": float(w.mean()), "seconds": seconds,
    }
    if truth is not None:
        out["exact"] = bool(len(set(zip(labels.tolist(), truth.tolist()))) == z == len(set(truth.tolist())))
    try:
        from threadpoolctl import threadpool_info
        out["blas"] = [{k: i.get(k) for k in ("internal_api", "version", "architecture", "num_threads")} for i in threadpool_info()]
    except ImportError:
        out["blas"] = np.__config__.CONFIG["Build Dependencies"]["blas"]["name"]
    out["numpy"] = np.__version__
    with open("/proc/self/status") as status:
        out["peak_rss_bytes"] = next(1024 * int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    print(json.dumps(out))


if __name__ == "__main__":
    main(sys.argv[1])
