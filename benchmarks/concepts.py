#!/usr/bin/env python3
"""Measures how much farther apart the images of a class are between two clusters than within each of them. Prints one
line for each merge of a run's candidates, starting with the finest: the numbers of clients of the clusters, the gap in
degrees that similarity/concepts.go uses, and whether both clusters are mostly from the same true group. Needs numpy.

    ./feddag cluster --feddag-clustering similarity --partition concept-shift --seed 3 --out RUN --save-sketches SKETCHES.npz
    python3 benchmarks/concepts.py SKETCHES.npz RUN
"""
import json
import os
import sys

import numpy as np


def class_angles(sketches):
    """Returns V'_c (C x N x N, degrees): the smallest angle between the principal vectors of two holders; NaN elsewhere."""
    vectors, owner = sketches["principal_vectors"].astype(float), sketches["principal_vectors_owner"]
    n, classes = sketches["class_counts"].shape
    angles = np.full((classes, n, n), np.nan)
    for c in range(classes):
        held = owner[:, 1] == c
        cosines, clients = np.abs(vectors[held] @ vectors[held].T), owner[held, 0]
        for i in np.unique(clients):
            for j in np.unique(clients):
                if i != j:
                    most = cosines[np.ix_(clients == i, clients == j)].max()
                    angles[c, i, j] = np.degrees(np.arccos(min(most, 1)))
    return angles


def gap(angles, a, b):
    total = pairs = 0
    for of in angles:
        across, within = of[np.ix_(a, b)], np.concatenate([of[np.ix_(x, x)].ravel() for x in (a, b)])
        across, within = across[~np.isnan(across)], within[~np.isnan(within)]
        if across.size and within.size:
            total += across.size * (across.mean() - within.mean())
            pairs += across.size
    return total / pairs if pairs else 0


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    angles = class_angles(np.load(sys.argv[1]))
    with open(os.path.join(sys.argv[2], "clusters.json")) as f:
        found = json.load(f)
    groups = found.get("true_groups")
    most = lambda members: np.bincount([groups[i] for i in members]).argmax()
    for coarse, fine in reversed(list(zip(found["candidates"], found["candidates"][1:]))):
        for whole in coarse["clusters"]:
            parts = [p for p in fine["clusters"] if p[0] in whole]
            for k in range(1, len(parts)):
                a, b = sum(parts[:k], []), parts[k]
                kind = "" if not groups else "one group" if most(a) == most(b) else "two groups"
                print(f"{fine['count']:3d} > {coarse['count']:2d}: {len(a):3d} and {len(b):3d} clients, gap {gap(angles, a, b):+5.1f}  {kind}")


if __name__ == "__main__":
    main()
