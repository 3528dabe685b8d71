"""Writes testdata/pfllib/ as PFLlib's save_file does: train/I.npz and test/I.npz with a dictionary of x and y, and config.json.

    python3 make_pfllib.py        # needs numpy; made with Python 3.11, numpy 2.4

There are 11 clients. Pixel p of image i of client c is (90 c + 17 i + p) mod 256, its label (c + i) mod 4. Client c has
images 0 to c mod 3 + 1 for training and two more for testing. grey/ has images of 1 x 3 x 4 on the scale of Normalize(0.5,
0.5), unit/ of 3 x 2 x 2 on that of ToTensor.
"""
import json
import pathlib

import numpy as np

here = pathlib.Path(__file__).parent / "pfllib"


def images(c, first, n, shape, scale):
    size = int(np.prod(shape))
    p = (90 * c + 17 * np.arange(first, first + n)[:, None] + np.arange(size)[None]) % 256
    unit = (p.astype(np.uint8).reshape(n, *shape) / np.float32(255)).astype(np.float32)
    return unit if scale == "unit" else (unit - np.float32(0.5)) / np.float32(0.5)


def save(name, shape, scale):
    statistic = []
    for split in "train", "test":
        (here / name / split).mkdir(parents=True, exist_ok=True)
    for c in range(11):
        trained = c % 3 + 2
        labels = (c + np.arange(trained + 2)) % 4
        for split, first, n in ("train", 0, trained), ("test", trained, 2):
            data = {"x": images(c, first, n, shape, scale), "y": labels[first:first + n]}
            with open(here / name / split / f"{c}.npz", "wb") as f:
                np.savez_compressed(f, data=data)
        statistic.append([(int(i), int(sum(labels == i))) for i in np.unique(labels)])
    config = {"num_clients": 11, "num_classes": 4, "non_iid": True, "balance": False, "partition": "dir",
              "Size of samples for labels in clients": statistic, "alpha": 0.1, "batch_size": 10}
    (here / name / "config.json").write_text(json.dumps(config))


save("grey", (1, 3, 4), "half")
save("unit", (3, 2, 2), "unit")
