"""Writes the .mat files beside this script: MATLAB files as SciPy writes them, SVHN's layout with few images.

    python3 make_mat.py        # needs numpy and scipy; made with numpy 2.4, scipy 1.17

Byte (r, c, channel) of image i of a file that starts with s is (s + 11 i + 3 r + 5 c + 70 channel) mod 251, its label
1 + (s + i) mod 10.
"""
import pathlib

import numpy as np
from scipy.io import savemat

out = pathlib.Path(__file__).parent


def svhn(n, s):
    r, c, k, i = np.ogrid[0:32, 0:32, 0:3, 0:n]
    x = ((s + 11 * i + 3 * r + 5 * c + 70 * k) % 251).astype(np.uint8)
    return x, (1 + (s + np.arange(n)) % 10).astype(np.uint8)[:, None]


for name, n, s in (("train_32x32", 12, 0), ("test_32x32", 3, 40), ("extra_32x32", 5, 80)):
    x, y = svhn(n, s)
    savemat(out / f"{name}.mat", {"X": x, "y": y}, do_compression=True)
x, y = svhn(2, 7)
savemat(out / "plain.mat", {"note": "a text before", "y": y.astype(float), "X": x[:4, :4], "cell": np.array([1, "a"], object)})
numbers = np.array([[1, -2, 3], [4, 5, 6]])
savemat(out / "types.mat", {
    **{t: numbers.astype(t) for t in ("int8", "int16", "int32", "int64", "float32", "float64")},
    **{t: abs(numbers).astype(t) for t in ("uint8", "uint16", "uint32", "uint64")},
    "half": numbers / 2, "imaginary": numbers * 1j, "structure": {"a": 1},
}, do_compression=True)
x, y = svhn(3, 0)
savemat(out / "label11.mat", {"X": x, "y": y + 9}, do_compression=True)
savemat(out / "fewer.mat", {"X": x, "y": y[:2]}, do_compression=True)
