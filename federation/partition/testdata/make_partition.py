"""Writes partition.npz, a partition as a NumPy user would: for 6 training and 4 test images of 2 classes.

    pip install numpy
    python make_partition.py
"""
from pathlib import Path

import numpy as np

clients = [[4, 0, 5], [1], [3, 2]]
np.savez_compressed(
    Path(__file__).with_name("partition.npz"),
    train=np.concatenate(clients),                        # int64, in any order
    train_offsets=np.cumsum([0] + [len(c) for c in clients]).astype(np.uint16),
    group=np.array([0, 1, 0], dtype=">i4"),
    held_out=np.array([False, False, True]),
    label_map=np.array([[0, 1], [1, 0], [0, 1]], dtype=np.int8),
)
