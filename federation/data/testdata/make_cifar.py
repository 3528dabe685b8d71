"""Writes testdata/cifar-10-python.tar.gz and cifar-100-python.tar.gz, small, as Python 2 wrote the published ones, and
internal/pickle/testdata/: one dictionary in every protocol of Python 3.

    python3 make_cifar.py        # needs numpy; made with Python 3.11, numpy 2.4

Byte p of image i of batch b is (37 b + 11 i + p) mod 251, its label (3 b + i) mod 10. The images of CIFAR-100 count on
through both files; image i has label i mod 100.
"""
import io
import pathlib
import pickle
import struct
import tarfile

import numpy as np

here = pathlib.Path(__file__).parent
SUPER = """4 1 14 8 0 6 7 7 18 3 3 14 9 18 7 11 3 9 7 11 6 11 5 10 7 6 13 15 3 15 0 11 1 10 12 14 16 9 11 5 5 19 8 8 15 13 14
17 18 10 16 4 17 4 2 0 17 4 18 17 10 3 2 12 12 16 12 1 9 19 2 10 0 1 16 12 9 13 15 13 16 19 2 4 6 19 5 5 8 19 18 1 2 15 6
0 17 8 14 13"""
SUPER = list(map(int, SUPER.split()))


class Python2Pickler(pickle._Pickler):
    """Protocol 2 as Python 2's cPickle has it: str and bytes are one type, and NumPy's module has its old name."""

    dispatch = dict(pickle._Pickler.dispatch)

    def save_bytes(self, obj):
        if len(obj) < 256:
            self.write(b"U" + bytes([len(obj)]) + obj)
        else:
            self.write(b"T" + struct.pack("<i", len(obj)) + obj)
        self.memoize(obj)

    def save_str(self, obj):
        self.save_bytes(obj.encode("latin1"))

    dispatch[bytes] = save_bytes
    dispatch[str] = save_str


def python2(obj):
    f = io.BytesIO()
    Python2Pickler(f, 2).dump(obj)
    return f.getvalue().replace(b"cnumpy._core.", b"cnumpy.core.")


def images(n, start):
    i, p = np.arange(n)[:, None], np.arange(3072)[None]
    return ((start + 11 * i + p) % 251).astype(np.uint8)


def archive(name, files):
    with tarfile.open(here / name, "w:gz", compresslevel=9) as tar:
        for path, content in files.items():
            info = tarfile.TarInfo(path)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


ten = {}
for b, file in enumerate(["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"]):
    n = 4
    ten[f"cifar-10-batches-py/{file}"] = python2({
        "batch_label": f"training batch {b + 1} of 5",
        "labels": [(3 * b + i) % 10 for i in range(n)],
        "data": images(n, 37 * b),
        "filenames": [f"thing_s_{i:06}.png" for i in range(n)],
    })
ten["cifar-10-batches-py/batches.meta"] = python2({"num_cases_per_batch": 10000, "label_names": ["airplane"], "num_vis": 3072})
ten["cifar-10-batches-py/readme.html"] = b"<html></html>"
archive("cifar-10-python.tar.gz", ten)

hundred, at = {}, 0
for file, n in (("train", 100), ("test", 20)):
    fine = [(at + i) % 100 for i in range(n)]
    hundred[f"cifar-100-python/{file}"] = python2({
        "filenames": [f"thing_s_{i:06}.png" for i in range(n)],
        "batch_label": f"{file}ing batch 1 of 1",
        "fine_labels": fine,
        "coarse_labels": [SUPER[l] for l in fine],
        "data": images(n, 11 * at),
    })
    at += n
archive("cifar-100-python.tar.gz", hundred)

pickles = here.parents[2] / "internal" / "pickle" / "testdata"
thing = {
    "data": images(2, 5)[:, :40], "labels": [0, 1, 255, 256, 65536, -1, -70000, 1 << 40, -(1 << 40), 2.5, None, True, False],
    "tuple": (1, "två", b"\x00\xff'\n"), "nested": {"empty": [], "none": ()},
    "big-endian": np.array([1, -2, 3], ">i4"), "ints": np.arange(6).reshape(2, 3), "escaped": "a\\u00e4\nЖ",
}
for protocol in range(6):
    (pickles / f"protocol{protocol}.pkl").write_bytes(pickle.dumps(thing, protocol))
(pickles / "python2.pkl").write_bytes(python2({**thing, "tuple": (1, "two", b"\x00\xff'\n"), "escaped": "-"}))
