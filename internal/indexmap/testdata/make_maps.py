"""Writes who has which images as FL-bench's generate_data.py and flwr-datasets' partitioners keep it.

    python3 make_maps.py        # needs numpy; made with Python 3.11, numpy 2.4

Client c of 4 has the indices i with i mod 4 = c of 30 training and 20 test images, 50 in all. Every fifth of a client's
indices, from its first, is a test index; in the files whose names begin with val every fifth from its second is a
validation index.
"""
import json
import pathlib
import pickle

import numpy as np

to = pathlib.Path(__file__).parent


def lists(make, val):
    out = []
    for c in range(4):
        indices = np.arange(c, 50, 4)
        k = np.arange(len(indices))
        out.append({
            "train": make(indices[(k % 5 != 0) & ~(val & (k % 5 == 1))]),
            "val": make(indices[(k % 5 == 1) & val]),
            "test": make(indices[k % 5 == 0]),
        })
    return out


def partition(make, val=False):
    clients = list(range(4))
    separation = {"train": clients, "val": clients, "test": clients, "total": 4}
    return {"separation": separation, "data_indices": lists(make, val)}


def save(name, value, protocol=pickle.DEFAULT_PROTOCOL):
    (to / name).write_bytes(pickle.dumps(value, protocol))


save("partition.pkl", partition(lambda a: a.astype(np.int32)))  # dirichlet
save("iid.pkl", partition(lambda a: a.tolist()))  # iid_partition, whose indices are a list
save("older.pkl", partition(lambda a: list(a), True), 2)  # NumPy's numbers in a list
save("val.pkl", partition(lambda a: a.astype(np.int64) if len(a) else np.array([]), True))
save("map.pkl", {c: np.arange(c, 30, 12) for c in range(12)})  # _partition_id_to_indices
(to / "map.json").write_text(json.dumps({c: np.arange(c, 30, 12).tolist() for c in range(12)}))
(to / "partition.json").write_text(json.dumps(partition(lambda a: a.tolist())))
# all_stats.json, for labels i mod 10 of the training and of the test images
labels = np.concatenate([np.arange(30) % 10, np.arange(20) % 10])
stats = {}
for c in range(4):
    y = labels[c::4]
    stats[c] = {"x": len(y), "y": {int(l): int(n) for l, n in zip(*np.unique(y, return_counts=True))}}
stats["samples_per_client"] = {"mean": 12.5, "stddev": 0.5}
(to / "all_stats.json").write_text(json.dumps(stats))
