"""Writes fixtures.json, what scipy and scikit-learn answer on small random inputs.

    python3 -m venv venv && venv/bin/pip install numpy scipy scikit-learn && venv/bin/python make_fixtures.py
"""
import json
import os

import numpy as np
import scipy
import sklearn
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from sklearn import metrics
from sklearn.cluster import SpectralClustering

rng = np.random.default_rng(0)


def distances(n):
    a = rng.uniform(size=(n, n))
    return squareform(a[np.triu_indices(n, 1)])


def linkages():
    for n in (2, 3, 10, 40):
        d = distances(n)
        upper = squareform(d)
        for method in ("single", "complete", "average", "weighted", "ward"):
            z = linkage(upper, method)
            cuts = [float(c) for c in np.quantile(z[:, 2], [0.25, 0.5, 0.9])]
            yield {
                "n": n, "upper": upper.tolist(), "method": method, "z": z.tolist(), "cuts": cuts,
                "labels": [fcluster(z, c, "distance").tolist() for c in cuts],
            }


def principal():
    for f, n, p in ((12, 5, 3), (5, 12, 3), (30, 8, 8), (6, 6, 1)):
        x = rng.integers(0, 256, size=(f, n))
        u = np.linalg.svd(x.astype(float))[0][:, :p]
        yield {"images": x.T.tolist(), "p": p, "u": u.tolist()}


def validity():
    for n, k in ((10, 3), (30, 5), (50, 2)):
        a, b = rng.integers(0, k, size=n), rng.integers(0, k + 1, size=n)
        d = distances(n)
        yield {
            "a": a.tolist(), "b": b.tolist(), "upper": squareform(d).tolist(),
            "ari": metrics.adjusted_rand_score(a, b),
            "nmi": metrics.normalized_mutual_info_score(a, b),
            "purity": float(metrics.cluster.contingency_matrix(b, a).max(axis=0).sum() / n),
            "silhouette": metrics.silhouette_score(d, a, metric="precomputed"),
        }


def spectral():
    for k in (2, 4):
        points = np.concatenate([rng.normal(size=(12, 2)) * 0.3 + 6 * np.array([z % 2, z // 2]) for z in range(k)])
        points = points[rng.permutation(len(points))]
        d = np.linalg.norm(points[:, None] - points[None], axis=2)
        d /= d.max()
        s = np.sort(d + np.diag([np.inf] * len(d)), axis=1)[:, 6]
        labels = SpectralClustering(k, affinity="precomputed", random_state=0).fit_predict(np.exp(-d**2 / (2 * np.outer(s, s))))
        yield {"upper": squareform(d, checks=False).tolist(), "k": k, "labels": labels.tolist()}


out = {
    "made_with": {"numpy": np.__version__, "scipy": scipy.__version__, "scikit-learn": sklearn.__version__},
    "linkages": list(linkages()), "principal": list(principal()), "validity": list(validity()), "spectral": list(spectral()),
}
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures.json"), "w") as file:
    json.dump(out, file)
    file.write("\n")
