"""Prints mean, deviation and SHA-256 of Fashion-MNIST as numpy has them, for idxset_test.go.

    python3 fashion_mnist.py FOLDER      # with the four .gz files, such as Debian's /usr/share/datasets/fashion-mnist
"""
import gzip
import hashlib
import sys

import numpy as np

for split, name in (("train", "train"), ("test", "t10k")):
    with gzip.open(f"{sys.argv[1]}/{name}-images-idx3-ubyte.gz") as f:
        pixels = np.frombuffer(f.read()[16:], np.uint8)
    with gzip.open(f"{sys.argv[1]}/{name}-labels-idx1-ubyte.gz") as f:
        labels = np.frombuffer(f.read()[8:], np.uint8)
    sha = hashlib.sha256(pixels.tobytes() + labels.tobytes()).hexdigest()
    x = pixels.astype(np.float64)
    print(split, np.bincount(labels), f"mean {x.mean():.6f}, std {x.std():.6f}, pixels and labels {sha}")
