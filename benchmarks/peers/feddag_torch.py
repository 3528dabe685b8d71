#!/usr/bin/env python3
"""FedDAG, FedDAG* and FedAvg as a plain PyTorch script: an independent check of ./feddag train.

It reads a run directory of feddag (config.yaml, partition.json, clusters.json, model/initial.safetensors) and repeats
everything after the clustering with autograd and torch.optim.SGD: warm-up, the initial models of eq. 22, both phases,
evaluation. It has its own shuffles and, without --cohorts-from-run, its own cohorts, so the curves agree statistically,
not bitwise.

    python benchmarks/peers/feddag_torch.py --run RUN --out PEER --cohorts-from-run
    python benchmarks/peers/compare.py RUN PEER
    python benchmarks/peers/feddag_torch.py --run RUN --check-models    # scores our model files, trains nothing

Needs torch and numpy. Forks, so Linux only.
"""
import argparse
import gzip
import json
import os
import struct
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy as np
import torch
import torch.multiprocessing as mp
import torch.nn.functional as F
from torch import nn

from encoders import LeNet
from states import read_safetensors

WARM_UP, PRIMARY, SECONDARY, COHORT = range(4)  # random streams


# ---- files ----------------------------------------------------------------------------------------------------------

def read_config(path):
    """config.yaml: lines of `key: value  # comment`."""
    config = {}
    with open(path) as f:
        for line in f:
            key, _, value = line.split("  #")[0].strip().partition(": ")
            config[key] = value.strip('"')
    return config


def read_idx(path):
    with gzip.open(path, "rb") as f:
        raw = f.read()
    dims = raw[3]
    shape = struct.unpack(f">{dims}I", raw[4:4 + 4 * dims])
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * dims).reshape(shape)


def read_split(folder, name):
    """Images scaled as (x/255 - mean)/std, and labels."""
    x = torch.from_numpy(read_idx(f"{folder}/{name}-images-idx3-ubyte.gz").astype(np.float32))
    y = torch.from_numpy(read_idx(f"{folder}/{name}-labels-idx1-ubyte.gz").astype(np.int64))
    return ((x / 255 - 0.1307) / 0.3081).unsqueeze(1), y


def read_lines(path):
    """The complete lines of a metrics.jsonl, which may still be growing."""
    rounds = []
    if os.path.exists(path):
        with open(path) as f:
            rounds = [json.loads(line) for line in f if line.endswith("\n")]
    return rounds


# ---- model ----------------------------------------------------------------------------------------------------------

class Model(nn.Module):
    """A head on the features of one encoder, or on the concatenated features of two."""

    def __init__(self, state):
        super().__init__()
        self.primary = LeNet()
        self.secondary = LeNet() if "secondary.conv1.weight" in state else None
        self.head = nn.Linear(*reversed(state["head.weight"].shape))
        self.load_state_dict({k: torch.from_numpy(v) for k, v in state.items()})

    def forward(self, x):
        features = self.primary(x)
        if self.secondary is not None:
            features = torch.cat([features, self.secondary(x)], 1)
        return self.head(features)


# ---- what a client does ---------------------------------------------------------------------------------------------

DATA = {}  # set before the processes are forked: train, test (images, labels), clients, hyperparameters


def score(model, client):
    """(balanced accuracy, accuracy) in percent on a client's test set."""
    images, labels = DATA["test"]
    samples, mapped = client["test"], client["label_map"]
    with torch.no_grad():
        predicted = torch.cat([model(images[s]).argmax(1) for s in samples.split(1000)])
    y = labels[samples]
    if mapped is not None:
        y = mapped[y]
    hit = (predicted == y).double()
    recalls = [hit[y == c].mean().item() for c in y.unique()]
    return 100 * float(np.mean(recalls)), 100 * hit.mean().item()


def local_sgd(task):
    """Trains one client from a state, only the blocks named in parts; returns these, the last epoch's loss, and the
    trained model's score if it is wanted."""
    i, state, parts, stream, scored = task
    h, client = DATA["h"], DATA["clients"][i]
    images, labels = DATA["train"]
    y_of = labels if client["label_map"] is None else client["label_map"][labels]
    shuffle = torch.Generator().manual_seed(int(np.random.SeedSequence(stream).generate_state(1, np.uint64)[0] >> 1))
    model = Model(state)
    for name, p in model.named_parameters():
        p.requires_grad_(name.split(".")[0] in parts)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad],
                                lr=h["lr"], momentum=h["momentum"], weight_decay=h["weight-decay"])
    samples = client["train"]
    for _ in range(h["epochs"]):
        total = 0.0
        for batch in samples[torch.randperm(len(samples), generator=shuffle)].split(h["batch"]):
            loss = F.cross_entropy(model(images[batch]), y_of[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(batch)
    trained = {k: v.numpy().copy() for k, v in model.state_dict().items() if k.split(".")[0] in parts}
    return trained, total / len(samples), score(model, client) if scored else None


def score_cluster(task):
    state, members = task
    model = Model(state)
    by_test_set = {}  # clients with the same test set and labels have the same score
    scores = []
    for i in members:
        c = DATA["clients"][i]
        key = c["test_set"], None if c["label_map"] is None else tuple(c["label_map"].tolist())
        if key not in by_test_set:
            by_test_set[key] = score(model, c)
        scores.append((i, by_test_set[key]))
    return scores


# ---- what the server does -------------------------------------------------------------------------------------------

def mean(states, weights, names=None):
    """Returns Σ w x / Σ w for each named array."""
    w = np.asarray(weights, np.float64)
    w = w / w.sum()
    return {k: sum(a * s[k].astype(np.float64) for a, s in zip(w, states)).astype(np.float32)
            for k in (names or states[0])}


def stats(scores):
    s = np.array(scores)
    return {name: {"mean": s[:, k].mean(), "std": s[:, k].std()}
            for k, name in enumerate(("balanced_accuracy", "accuracy"))}


def block(state, *parts):
    return {k: v for k, v in state.items() if k.split(".")[0] in parts}


def renamed(state, old, new):
    return {k.replace(old, new, 1): v for k, v in state.items()}


class Federation:
    def __init__(self, pool, algorithm, config, clients, clusters, graph, seed):
        self.pool, self.algorithm, self.config, self.clients, self.seed = pool, algorithm, config, clients, seed
        self.dual = algorithm == "feddag" and config["feddag-encoders"] == "2"
        if self.dual and config["feddag-own-source"] == "true":
            graph = [sources + [j] for j, sources in enumerate(graph)]
        self.clusters, self.graph = clusters, graph
        self.of = {i: z for z, members in enumerate(clusters) for i in members}
        self.learners = [[j for j, sources in enumerate(graph) if z in sources] for z in range(len(clusters))]
        self.states, self.classifiers = [], []  # classifiers: ψ of each source, with --feddag-secondary-head own

    def size(self, i):
        return len(self.clients[i]["train"])

    def train(self, tasks):
        return self.pool.map(local_sgd, tasks, chunksize=1)

    def warm_up(self, theta0):
        """Phase 1: trains every client alone, in tg rounds of E epochs, each with a new momentum. Largest clients first."""
        order = sorted(range(len(self.clients)), key=self.size, reverse=True)
        states = {i: theta0 for i in order}
        for r in range(int(self.config["feddag-warmup-rounds"])):
            t = time.time()
            ended = self.train([(i, states[i], ("primary", "head"), (self.seed, WARM_UP, r, i), False) for i in order])
            states = {i: trained for i, (trained, _, _) in zip(order, ended)}
            print(f"warm-up round {r + 1}: {time.time() - t:.0f} s", file=sys.stderr, flush=True)
        return [states[i] for i in range(len(self.clients))]

    def start(self, theta0, fresh, warm):
        """The models before the rounds: eq. 22, or θ^0 for FedAvg."""
        if self.algorithm == "fedavg":
            self.states = [theta0]
            return
        shared = fresh  # Θ2 of all clusters
        if self.dual and self.config["feddag-secondary-init"] == "global":
            everyone = mean([block(w, "primary") for w in warm], [self.size(i) for i in range(len(warm))])
            shared = renamed(everyone, "primary", "secondary")
        for members in self.clusters:
            theta = mean([warm[i] for i in members], [self.size(i) for i in members])
            self.states.append(self.join(theta, shared) if self.dual else theta)
            psi = theta0 if self.config["feddag-secondary-init"] == "random" else theta
            self.classifiers.append(block(psi, "head"))

    def join(self, theta, shared):
        state = block(theta, "primary")
        secondary = shared
        if self.config["feddag-secondary-init"] == "primary":
            secondary = renamed(state, "primary", "secondary")
        state.update(secondary)
        w, b = theta["head.weight"], theta["head.bias"]
        if self.config["feddag-head-init"] == "warm":
            state["head.weight"] = np.concatenate([w, np.zeros_like(w)], 1)
            state["head.bias"] = b
        else:
            torch.manual_seed(self.seed)
            head = nn.Linear(2 * w.shape[1], w.shape[0])
            state["head.weight"], state["head.bias"] = head.weight.detach().numpy(), head.bias.detach().numpy()
        return state

    def round(self, t, cohort):
        """Both phases; returns the mean loss and the cohort's scores after training."""
        old = self.states
        sampled = [[i for i in cohort if self.of[i] == z] for z in range(len(old))]
        new = [dict(s) for s in old]
        begin = old
        if self.dual:
            self.secondary(t, sampled, old, new)
            if self.config["feddag-order"] == "secondary-first":
                begin = new
        # Primary, eq. 16-18: Θ1_z and Θc_z, with Θ2_z frozen. Without a second encoder this is FedAvg in each cluster.
        ended = self.train([(i, begin[self.of[i]], ("primary", "head"), (self.seed, PRIMARY, t, i), True) for i in cohort])
        firsts = dict(zip(cohort, ended))
        for z, members in enumerate(sampled):
            if members:
                new[z].update(mean([firsts[i][0] for i in members], [self.size(i) for i in members]))
        self.states = new
        return float(np.mean([firsts[i][1] for i in cohort])), [firsts[i][2] for i in cohort]

    def secondary(self, t, sampled, old, new):
        """Secondary, eq. 19-21: z as a source starts at the mean of its learners' Θ2 and trains only that, under its own
        Θ1_z and Θc_z of the round's start; or Θ2 and a classifier ψ_z on it, which z keeps."""
        own = self.config["feddag-secondary-head"] == "own"
        starts = {}
        for z, members in enumerate(sampled):
            if members and self.learners[z]:
                theta2 = mean([block(old[j], "secondary") for j in self.learners[z]], [1] * len(self.learners[z]))
                starts[z] = {**renamed(theta2, "secondary", "primary"), **self.classifiers[z]} if own else {**old[z], **theta2}
        helpers = [i for z in starts for i in sampled[z]]
        parts = ("primary", "head") if own else ("secondary",)
        ended = self.train([(i, starts[self.of[i]], parts, (self.seed, SECONDARY, t, i), False) for i in helpers])
        trained = {i: result for i, (result, _, _) in zip(helpers, ended)}
        delta = {}  # change of each source
        for z, start in starts.items():
            theta2 = mean([trained[i] for i in sampled[z]], [self.size(i) for i in sampled[z]])
            delta[z] = {k: theta2[k] - start[k] for k in theta2}
            if own:
                self.classifiers[z] = block(theta2, "head")
                delta[z] = renamed(block(delta[z], "primary"), "primary", "secondary")
        for j, sources in enumerate(self.graph):
            found = [z for z in sources if z in delta]
            for z in found:
                rate = float(self.config["feddag-server-rate"])
                if self.config["feddag-sources"] == "mean":
                    rate /= len(found)
                for k in delta[z]:
                    new[j][k] = new[j][k] + np.float32(rate) * delta[z][k]

    def evaluate(self, states=None):
        """Every client's score with its cluster's model, by client."""
        scored = self.pool.map(score_cluster, list(zip(states or self.states, self.clusters)), chunksize=1)
        return [s for _, s in sorted(pair for part in scored for pair in part)]


# ---- the program ----------------------------------------------------------------------------------------------------

def cached_warm_up(federation, theta0, path, key):
    names = sorted(theta0)
    if path and os.path.exists(path):
        with np.load(path) as f:
            if str(f["key"]) != key:
                sys.exit(f"{path} is the warm-up of another run: it has {f['key']}, this one is {key}")
            return [{k: f[k][i] for k in names} for i in range(len(federation.clients))]
    warm = federation.warm_up(theta0)
    if path:
        partial = path + ".partial.npz"
        np.savez(partial, key=key, **{k: np.stack([w[k] for w in warm]) for k in names})
        os.replace(partial, path)
    return warm


def check(config, algorithm):
    """Refuses a run that this script cannot repeat."""
    want = {"dataset": "fashion-mnist", "model": "lenet", "dropout": "0"}
    if algorithm != "fedavg":
        want["feddag-primary-init"] = "warm"
        config.setdefault("feddag-encoders", "2")  # what older runs had
        config.setdefault("feddag-body", "own")
        want["feddag-body"] = "own"
    if algorithm == "feddag" and config["feddag-encoders"] == "2":
        want.update({"feddag-schedule": "both", "feddag-head-epochs": "0", "feddag-rate-decay": "1"})
    for key, value in want.items():
        if config.get(key) != value:
            sys.exit(f"the run has {key} {config.get(key)}; this script knows {value} only")
    for key, unknown in {"feddag-order": "primary-first", "feddag-head-init": "both", "feddag-sources": "weighted"}.items():
        if config.get(key) == unknown:
            sys.exit(f"the run has {key} {unknown}, which this script does not know")
    defaults = {"feddag-secondary-init": "global", "feddag-head-init": "warm", "feddag-secondary-head": "own",
                "feddag-own-source": "true", "feddag-order": "secondary-first", "feddag-sources": "mean",
                "feddag-server-rate": "1", "feddag-warmup-rounds": "2"}
    for key, value in defaults.items():  # a run with a single encoder does not have these flags
        config.setdefault(key, value)


def model_files(run, prefix, count):
    names = ["global"] if count == 1 and os.path.exists(f"{run}/model/{prefix}global.safetensors") else \
        [f"cluster-{z}" for z in range(count)]
    if prefix:  # start-cluster-0, or start-0
        names = [prefix + n for n in names] if os.path.exists(f"{run}/model/{prefix}{names[0]}.safetensors") else \
            [prefix + n.removeprefix("cluster-") for n in names]
    paths = [f"{run}/model/{n}.safetensors" for n in names]
    return [read_safetensors(p) for p in paths] if all(map(os.path.exists, paths)) else None


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--run", required=True, help="a run directory of ./feddag train")
    p.add_argument("--out", help="directory for metrics.jsonl")
    p.add_argument("--algorithm", choices=["feddag", "feddag-star", "fedavg"], help="default: the run's")
    p.add_argument("--rounds", type=int, help="default: the run's")
    p.add_argument("--seed", type=int, help="seed of the shuffles and cohorts of this script (default: the run's)")
    p.add_argument("--cohorts-from-run", action="store_true", help="take each round's clients from its metrics.jsonl")
    p.add_argument("--warmup-cache", metavar="FILE.npz", help="keep the warm-up here, or take it from here")
    p.add_argument("--start-from-run", action="store_true", help="no warm-up: begin at the run's own models from before the rounds")
    p.add_argument("--data", default="/usr/share/datasets/fashion-mnist", help="folder of the .gz files (%(default)s)")
    p.add_argument("--processes", type=int, default=2, help="clients trained at the same time (%(default)s)")
    p.add_argument("--check-models", action="store_true", help="score the run's start and end models, train nothing")
    o = p.parse_args()
    if not o.out and not o.check_models:
        p.error("--out is required")
    torch.set_num_threads(1)

    config = read_config(f"{o.run}/config.yaml")
    algorithm = o.algorithm or config["algorithm"]
    check(config, algorithm)
    with open(f"{o.run}/partition.json") as f:
        partition = json.load(f)
    clients = [{"train": torch.tensor(c["train"]), "test": torch.tensor(partition["test_sets"][c["test_set"]]),
                "test_set": c["test_set"], "label_map": torch.tensor(c["label_map"]) if "label_map" in c else None}
               for c in partition["clients"]]
    clusters, graph = [list(range(len(clients)))], [[]]
    if algorithm != "fedavg":
        with open(f"{o.run}/clusters.json") as f:
            found = json.load(f)
        clusters, graph = found["clusters"], found["graph"]
    initial = read_safetensors(f"{o.run}/model/initial.safetensors")
    rounds = o.rounds if o.rounds is not None else int(config["rounds"])
    seed = o.seed if o.seed is not None else int(config["seed"])
    ours = read_lines(f"{o.run}/metrics.jsonl")
    DATA.update(clients=clients, train=read_split(o.data, "train"), test=read_split(o.data, "t10k"),
                h={"epochs": int(config["epochs"]), "batch": int(config["batch"]), "lr": float(config["lr"]),
                   "momentum": float(config["momentum"]), "weight-decay": float(config["weight-decay"])})

    # Processes are forked, so that the images are in memory once; they exchange numpy arrays, so that no shared memory is needed.
    with mp.get_context("fork").Pool(o.processes, torch.set_num_threads, (1,)) as pool:
        f = Federation(pool, algorithm, config, clients, clusters, graph, seed)
        starts = model_files(o.run, "start-", len(clusters)) if algorithm == config["algorithm"] else None
        start = starts and stats(f.evaluate(starts))["balanced_accuracy"]["mean"]
        if o.check_models:
            print(f"the run's models at the start, scored here: {start if start is None else round(start, 4)}")
            end = model_files(o.run, "", len(clusters))
            if end:
                print(f"its models at the end, scored here: {stats(f.evaluate(end))['balanced_accuracy']['mean']:.4f};"
                      f" its metrics.jsonl has {ours[-1]['pre']['balanced_accuracy']['mean']:.4f}")
            return
        if o.start_from_run:
            if not starts:
                sys.exit(f"{o.run} has no models of {algorithm} from before the rounds")
            f.states = starts
            if f.dual and config["feddag-secondary-head"] == "own":
                if config["feddag-head-init"] != "warm" or config["feddag-secondary-init"] == "random":
                    sys.exit("the run's models from before the rounds do not say how the secondary encoder's classifiers begin: leave out "
                             "--start-from-run")
                width = f.states[0]["head.weight"].shape[1] // 2
                f.classifiers = [{"head.weight": s["head.weight"][:, :width], "head.bias": s["head.bias"]} for s in starts]
        train(f, o, config, algorithm, initial, start, ours, rounds, seed, partition)


def train(f, o, config, algorithm, initial, start, ours, rounds, seed, partition):
    if not f.states:
        begin(f, o, config, algorithm, initial, seed, partition)
    os.makedirs(o.out, exist_ok=True)
    scores = f.evaluate()
    told = f"after round 0, the start: balanced accuracy {stats(scores)['balanced_accuracy']['mean']:.2f} here"
    print(told + ("" if start is None else f", {start:.2f} with the run's own models"), file=sys.stderr, flush=True)
    with open(f"{o.out}/start.json", "w") as out:
        json.dump({"pre": stats(scores), "run": start}, out)
    with open(f"{o.out}/metrics.jsonl", "w") as out:
        for t in range(rounds):
            began = time.time()
            n = len(f.clients)
            if o.cohorts_from_run and t < len(ours):
                cohort = ours[t]["clients"]
            else:
                if o.cohorts_from_run:
                    print(f"round {t + 1} is not in the run: own cohort", file=sys.stderr)
                rng = np.random.default_rng([seed, COHORT, t])
                m = min(n, max(1, int(float(config["rate"]) * n + 0.5)))
                cohort = sorted(int(i) for i in rng.choice(n, m, replace=False))
            before = [scores[i] for i in cohort]
            loss, after = f.round(t, cohort)
            scores = f.evaluate()
            line = {"version": 2, "round": t + 1, "train_loss": loss, "pre": stats(scores), "cohort_pre": stats(before),
                    "cohort_post": stats(after), "seconds": time.time() - began, "clients": cohort}
            out.write(json.dumps(line) + "\n")
            out.flush()
            mine, text = line["pre"]["balanced_accuracy"]["mean"], ""
            if t < len(ours):
                text = f" (the run: {ours[t]['pre']['balanced_accuracy']['mean']:.2f})"
            print(f"round {t + 1}: balanced accuracy {mine:.2f}{text}, loss {loss:.4f}, {line['seconds']:.1f} s",
                  file=sys.stderr, flush=True)


def begin(f, o, config, algorithm, initial, seed, partition):
    """Warm-up and eq. 22."""
    theta0, fresh = block(initial, "primary", "head"), block(initial, "secondary")
    if f.dual and not fresh:
        sys.exit("the run has no fresh secondary encoder in model/initial.safetensors: take a run of feddag")
    warm = None
    if algorithm != "fedavg":
        key = json.dumps([partition.get("data_hash"), partition["params"], partition["seed"], len(f.clients),
                          config["seed"], seed, DATA["h"], config["feddag-warmup-rounds"]])
        warm = cached_warm_up(f, theta0, o.warmup_cache, key)
    f.start(theta0, fresh, warm)


if __name__ == "__main__":
    main()
