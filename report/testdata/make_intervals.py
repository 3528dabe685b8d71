#!/usr/bin/env python3
"""Writes intervals.json, what report/compare_test.go expects: python3 make_intervals.py. Needs scipy.

Each case has two lists of values paired by seed, null where a seed is missing. Of the complete pairs a - b it has
scipy's answers: mean, and the confidence interval of scipy.stats.ttest_rel; of a alone the mean and sample standard
deviation.
"""
import json
import os

import numpy as np
import scipy
from scipy import stats

CASES = [
    ([93.1, 94.2, 95.0], [92.0, 92.9, 94.6], 0.95),
    ([93.1, 94.2, 95.0], [92.0, 92.9, 94.6], 0.99),
    ([61.8, 55.2, 70.25, 64.0, 58.875], [95.2, 95.3, 95.1, 95.0, 95.25], 0.95),
    ([80.0, 81.0, 79.5, 80.25, 82.0, 80.5, 79.0, 80.75], [80.1, 80.7, 79.9, 80.0, 81.6, 80.75, 79.4, 80.5], 0.9),
    ([90.0, 91.0], [89.0, 91.5], 0.95),
    ([90.0, None, 92.0, 93.5], [89.0, 88.0, None, 91.0], 0.95),
]


def case(a, b, confidence):
    pairs = [(x, y) for x, y in zip(a, b) if x is not None and y is not None]
    x, y = np.array(pairs).T
    interval = stats.ttest_rel(x, y).confidence_interval(confidence)
    own = np.array([v for v in a if v is not None])
    return {
        "a": a, "b": b, "confidence": confidence, "n": len(pairs), "mean": float(np.mean(x - y)),
        "low": float(interval.low), "high": float(interval.high), "a_mean": float(own.mean()), "a_std": float(own.std(ddof=1)),
    }


with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "intervals.json"), "w") as f:
    json.dump({"scipy": scipy.__version__, "cases": [case(*c) for c in CASES]}, f, indent=1)
    f.write("\n")
