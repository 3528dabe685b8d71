"""Writes testdata/more/: NumPy's numbers, an array of objects and keys that are numbers, in protocols 2 to 5.

    python3 make_more.py        # needs numpy; made with Python 3.11, numpy 2.4

The files whose names begin with old have the modules of NumPy 1.
"""
import pathlib
import pickle

import numpy as np

to = pathlib.Path(__file__).parent / "more"
to.mkdir(exist_ok=True)
image = {"x": np.arange(6, dtype=np.float32).reshape(1, 2, 3), "y": np.array([3])}
objects = np.empty((2, 1), dtype=object)
objects[:, 0] = [image, "two"]
value = {
    "scalars": [np.int64(-5), np.uint8(200), np.float32(0.5), np.bool_(True), np.array([7], dtype=">i4")[0]],
    "keys": {0: [1, 2], 10: np.array([3, 4], dtype=np.int32)},
    "single": np.array(image, dtype=object),
    "objects": objects,
}
for protocol in 2, 3, 4, 5:
    b = pickle.dumps(value, protocol)
    (to / f"protocol{protocol}.pkl").write_bytes(b)
    if protocol < 4:  # the names of modules have no length before them
        (to / f"old{protocol}.pkl").write_bytes(b.replace(b"cnumpy._core.", b"cnumpy.core."))
