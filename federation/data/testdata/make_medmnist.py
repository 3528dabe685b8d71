"""Writes testdata/medmnist/: small sets with the arrays, types and shapes of MedMNIST's files.

    python3 make_medmnist.py        # needs numpy; made with Python 3.11, numpy 2.4

Value (r, c, k) of image i of a split is (start + 11 i + 7 r + 3 c + 50 k) mod 251, where start is 0 for training, 100 for
validation and 200 for test images. The label of image i is (i + start / 100) mod 3.
"""
import pathlib

import numpy as np

to = pathlib.Path(__file__).parent / "medmnist"
to.mkdir(exist_ok=True)


def images(n, start, shape):
    at = np.indices((n, *shape))
    values = start + 11 * at[0] + 7 * at[1] + 3 * at[2] + (50 * at[3] if len(shape) > 2 else 0)
    return (values % 251).astype(np.uint8)


def split(name, n, start, shape):
    labels = (np.arange(n) + start // 100) % 3
    return {name + "_images": images(n, start, shape), name + "_labels": labels.astype(np.uint8)[:, None]}


def save(name, shape, change=lambda arrays: None):
    arrays = split("train", 9, 0, shape) | split("val", 4, 100, shape) | split("test", 5, 200, shape)
    change(arrays)
    np.savez_compressed(to / name, **arrays)


save("grey.npz", (28, 28))
save("colour.npz", (6, 5, 3))
save("wide.npz", (4, 4), lambda a: a.update({k: v.astype(np.int64) for k, v in a.items() if k.endswith("labels")}))
save("more.npz", (4, 4), lambda a: a.update(names=np.array([1, 2])))
save("volumes.npz", (4, 4, 4))
save("several.npz", (4, 4), lambda a: a.update(train_labels=np.ones((9, 14), np.uint8)))
save("fewer.npz", (4, 4), lambda a: a.update(train_labels=a["train_labels"][1:]))
save("untested.npz", (4, 4), lambda a: [a.pop("test_images"), a.pop("test_labels")])
save("floats.npz", (4, 4), lambda a: a.update(train_images=a["train_images"] / 255))
save("shapes.npz", (4, 4), lambda a: a.update(test_images=images(5, 200, (5, 4))))
