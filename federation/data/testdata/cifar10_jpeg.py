"""Prints mean and deviation of CIFAR-10 (JPEG) as Pillow and numpy have them, for cifar10_jpeg_test.go.

    python3 cifar10_jpeg.py FOLDER      # with train-1.zip, ..., test.zip
"""
import glob
import io
import sys
import zipfile

import numpy as np
import PIL
from PIL import Image, features

print("Pillow", PIL.__version__, "libjpeg", features.version("jpg"))
for split in ("train", "test"):
    n, total, squares = 0, np.zeros(3, np.int64), np.zeros(3, np.int64)
    counts = {}
    for path in sorted(glob.glob(f"{sys.argv[1]}/{split}*.zip")):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                a = np.asarray(Image.open(io.BytesIO(archive.read(name))).convert("RGB")).astype(np.int64)
                n += a.shape[0] * a.shape[1]
                total += a.sum((0, 1))
                squares += (a * a).sum((0, 1))
                label = name.split("/")[1]
                counts[label] = counts.get(label, 0) + 1
    mean = total / n
    std = np.sqrt(squares / n - mean**2)
    print(split, counts)
    fmt = lambda a: "{" + ", ".join(f"{x:.5f}" for x in a) + "}"
    print(f'\t"{split}": {{[3]float64{fmt(mean)}, [3]float64{fmt(std)}}},')
