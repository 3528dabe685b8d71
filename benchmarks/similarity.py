#!/usr/bin/env python3
"""Compares the time of `feddag cluster --sketches` with the same steps in numpy and scipy, alternating in one run.

    make build
    python3 -m venv .venv-bench && .venv-bench/bin/pip install numpy scipy threadpoolctl pillow
    .venv-bench/bin/python benchmarks/similarity.py                      # N = 1,000, 5 vectors of 3,072
    .venv-bench/bin/python benchmarks/similarity.py --size large         # N = 10,000, 3 vectors of 784
    .venv-bench/bin/python benchmarks/similarity.py --vectors random     # without structure that feddag's bound could use

Every client holds all 10 classes, which is the largest case. Vectors are the first left singular vectors of 20 images
of the class (Fashion-MNIST for 784, CIFAR-10 for 3,072), or random orthonormal ones. Updates point in the direction of
one of five groups. Both programs read the same file, each in its own process. The time is measured from the start of
the process to its end, including reading the file and, for feddag, also tables, plots and files, which numpy does not
make. If others use the machine, CPU seconds are more meaningful than wall time; OpenBLAS's threads spin while they
wait, so compare CPU seconds with --threads 1. Sketches are made once, in --folder.
"""
import argparse
import gzip
import io
import json
import os
import pickle
import resource
import shutil
import statistics
import subprocess
import sys
import time
import zipfile

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
SIZES = {"tiny": (200, 5, 784), "small": (1000, 5, 3072), "middle": (3000, 3, 784), "large": (10000, 3, 784)}
CLASSES, GROUPS, IMAGES, KEPT = 10, 5, 20, 1000


def fashion_mnist():
    folder = "/usr/share/datasets/fashion-mnist"

    def read(name):
        path = os.path.join(folder, name)
        return gzip.open(path + ".gz").read() if os.path.exists(path + ".gz") else open(path, "rb").read()

    pixels = np.frombuffer(read("train-images-idx3-ubyte"), np.uint8, offset=16).reshape(-1, 784)
    return pixels, np.frombuffer(read("train-labels-idx1-ubyte"), np.uint8, offset=8)


def cifar10():
    """Reads the Python batches from torchvision's folder, or class folders of JPEGs in zip files."""
    folder = os.path.join(HERE, "..", "data", "cifar-10-batches-py")
    if os.path.isdir(folder):
        pixels, labels = [], []
        for k in range(1, 6):
            with open(os.path.join(folder, f"data_batch_{k}"), "rb") as f:
                batch = pickle.load(f, encoding="bytes")
            pixels.append(batch[b"data"])
            labels += batch[b"labels"]
        return np.concatenate(pixels), np.array(labels)
    from PIL import Image
    shared = os.environ.get("FEDDAG_SHARED", os.path.join(HERE, "..", "..", "shared"))
    pixels, labels, names = [], [], []
    for k in range(1, 6):
        with zipfile.ZipFile(os.path.join(shared, "data", "cifar10", f"train-{k}.zip")) as z:
            for name in sorted(n for n in z.namelist() if n.endswith(".jpg")):
                pixels.append(np.asarray(Image.open(io.BytesIO(z.read(name))).convert("RGB")).transpose(2, 0, 1).ravel())
                names.append(name.split("/")[1])
    classes = sorted(set(names))
    return np.stack(pixels), np.array([classes.index(n) for n in names])


def make(path, n, p, f, kind):
    """Writes the sketches of n clients: p vectors with f entries for each class."""
    rng = np.random.default_rng(0)
    groups = rng.integers(0, GROUPS, size=n)
    centres = rng.normal(size=(GROUPS, KEPT))
    owner = np.empty((n * CLASSES * p, 3), np.int32)
    counts = rng.integers(20, 200, size=(n, CLASSES))
    pixels, labels = (None, None) if kind == "random" else fashion_mnist() if f == 784 else cifar10()
    partial = path + ".tmp"
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED, allowZip64=True) as z:
        with z.open("principal_vectors.npy", "w", force_zip64=True) as out:
            np.lib.format.write_array_header_1_0(out, {"descr": "<f4", "fortran_order": False, "shape": (n * CLASSES * p, f)})
            for c in range(CLASSES):
                own = None if pixels is None else np.flatnonzero(labels == c)
                for i in range(0, n, 250):
                    m = min(250, n - i)
                    if own is None:
                        q = np.linalg.qr(rng.normal(size=(m, f, p)))[0]
                    else:
                        x = pixels[own[rng.integers(0, len(own), size=(m, IMAGES))]].astype(np.float64)  # m x 20 x f
                        values, left = np.linalg.eigh(x @ x.transpose(0, 2, 1))
                        q = x.transpose(0, 2, 1) @ left[:, :, :-p - 1:-1] / np.sqrt(values[:, None, :-p - 1:-1])
                    out.write(np.ascontiguousarray(q.transpose(0, 2, 1).astype("<f4")).tobytes())
                at = c * n * p
                owner[at:at + n * p, 0] = np.repeat(np.arange(n), p)
                owner[at:at + n * p, 1] = c
                owner[at:at + n * p, 2] = np.tile(np.arange(p), n)
        for name, a in (("class_counts", counts), ("principal_vectors_owner", owner), ("true_groups", groups.astype(np.int64)),
                        ("sparse_updates", (centres[groups] + 0.8 * rng.normal(size=(n, KEPT))).astype(np.float32))):
            with z.open(name + ".npy", "w") as out:
                np.lib.format.write_array(out, a)
    os.replace(partial, path)


def timed(command, env):
    """Runs a process; returns its last line as JSON, wall and CPU seconds, peak resident bytes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, text=True)
    out, log = process.communicate()
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit code {process.returncode}\n{log[-2000:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return json.loads(out.strip().splitlines()[-1]), wall, cpu


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--size", choices=SIZES, default="small")
    p.add_argument("--vectors", choices=("images", "random"), default="images")
    p.add_argument("--runs", type=int, default=5)
    p.add_argument("--folder", default="build/bench")
    p.add_argument("--feddag", default="./feddag")
    p.add_argument("--threads", type=int, default=0, help="threads of both programs; 0 leaves them at one per core")
    p.add_argument("--ours-only", action="store_true")
    o = p.parse_args()
    n, vectors, f = SIZES[o.size]
    os.makedirs(o.folder, exist_ok=True)
    path = os.path.join(o.folder, f"{o.size}-{o.vectors}.npz")
    if not os.path.exists(path):
        print(f"making {path}", file=sys.stderr)
        make(path, n, vectors, f, o.vectors)
    env = {k: v for k, v in os.environ.items() if k not in ("OPENBLAS_CORETYPE", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "GOMAXPROCS")}
    if o.threads > 0:
        env |= {"OPENBLAS_NUM_THREADS": str(o.threads), "OMP_NUM_THREADS": str(o.threads), "GOMAXPROCS": str(o.threads)}
    peer = [sys.executable, os.path.join(HERE, "peers", "similarity_numpy.py"), path]
    wall, cpu, peaks, steps = {"feddag": [], "numpy": []}, {"feddag": [], "numpy": []}, [], None
    for run in range(o.runs):
        out = os.path.join(o.folder, f"out-{os.getpid()}-{run}")
        ours, w, c = timed([o.feddag, "cluster", "--sketches", path, "--quiet", "--out", out], env)
        wall["feddag"].append(w), cpu["feddag"].append(c)
        peaks.append(ours["peak_rss_bytes"])
        shutil.rmtree(out)
        print(f"run {run}: feddag {w:.2f} s (CPU {c:.2f}), clustering alone {ours['seconds']['clustering']:.2f} s, {ours['clusters']} clusters, peak {ours['peak_rss_bytes'] / 1e9:.2f} GB", flush=True)
        if o.ours_only:
            continue
        theirs, w, c = timed(peer, env)
        wall["numpy"].append(w), cpu["numpy"].append(c)
        steps = theirs
        print(f"run {run}: numpy  {w:.2f} s (CPU {c:.2f}), {theirs['clusters']} clusters, its steps { {k: round(v, 2) for k, v in theirs['seconds'].items()} }", flush=True)
        if ours["sizes"] != theirs["sizes"]:
            print(f"  the clusters differ: {ours['sizes']} and {theirs['sizes']}", flush=True)
    if o.ours_only:
        return
    for name, t in (("wall", wall), ("CPU", cpu)):
        ratios = [a / b for a, b in zip(t["numpy"], t["feddag"])]
        print(f"{name}: feddag {statistics.median(t['feddag']):.2f} s, numpy {statistics.median(t['numpy']):.2f} s; numpy / feddag, median of {o.runs} pairs {statistics.median(ratios):.2f} ({min(ratios):.2f}..{max(ratios):.2f})")
    print(f"peak memory: feddag {max(peaks) / 1e9:.2f} GB, numpy {steps['peak_rss_bytes'] / 1e9:.2f} GB")
    print(f"numpy {steps['numpy']}, its BLAS {steps['blas']}; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
