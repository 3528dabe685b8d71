"""Prints mean, deviation and SHA-256 of CIFAR-10 (JPEG) as Pillow and numpy have them, for cifar10_jpeg_test.go.

    python3 cifar10_jpeg.py FOLDER      # with train-1.zip, ..., test.zip
"""
import glob
import hashlib
import io
import sys
import zipfile

import numpy as np
import PIL
from PIL import Image, features

print("Pillow", PIL.__version__, "libjpeg", features.version("jpg"))
for split in ("train", "test"):
    images = {}
    for path in glob.glob(f"{sys.argv[1]}/{split}*.zip"):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                a = np.asarray(Image.open(io.BytesIO(archive.read(name))).convert("RGB"))
                images[tuple(name.split("/")[1:])] = a.transpose(2, 0, 1)
    names = sorted(images)  # by class and name, the order of a folder's images
    a = np.stack([images[n] for n in names]).astype(np.int64)
    counts = {c: sum(n[0] == c for n in names) for c in dict(names)}
    fmt = lambda x: "{" + ", ".join(f"{v:.5f}" for v in x) + "}"
    print(split, counts)
    sha = hashlib.sha256(a.astype(np.uint8).tobytes()).hexdigest()
    print(f'\t"{split}": {{[3]float64{fmt(a.mean((0, 2, 3)))}, [3]float64{fmt(a.std((0, 2, 3)))}, "{sha}"}},')
