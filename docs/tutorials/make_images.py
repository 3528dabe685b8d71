"""Makes small images of crosses, disks and stripes in the formats that feddag reads, for docs/tutorials/own-images.md.

    python3 docs/tutorials/make_images.py FOLDER

It needs the standard library alone. With the package pyarrow it writes parquet files too.
"""
import csv
import os
import random
import struct
import sys
import zlib

SIDE, PER_CLASS, USERS = 28, 40, 4
SHAPES = {
    "cross": lambda x, y: abs(x) < 2 or abs(y) < 2,
    "disk": lambda x, y: x * x + y * y < 49,
    "stripes": lambda x, y: y % 6 < 3,
}


def png(rows):
    """The bytes of a grey PNG file."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def draw(shape):
    """A noisy picture of a shape at a random place."""
    dx, dy = random.randrange(8, 20), random.randrange(8, 20)
    return png([[random.randrange(60) + 180 * SHAPES[shape](x - dx, y - dy) for x in range(SIDE)] for y in range(SIDE)])


def write(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)


def main(out):
    random.seed(1)
    rows, table = [], {"train": [], "test": []}
    for label, shape in enumerate(SHAPES):
        for i in range(PER_CLASS):
            image, split = draw(shape), "train" if i < 3 * PER_CLASS // 4 else "test"
            write(f"{out}/shapes/{split}/{shape}/{i:02}.png", image)  # a folder per split and class
            write(f"{out}/images/{shape}-{i:02}.png", image)  # all images in one folder, beside a list
            rows.append([f"user{i % USERS}", f"{shape}-{i:02}.png", shape, split])
            table[split].append({"image": {"bytes": image, "path": None}, "label": label})
    with open(f"{out}/list.csv", "w", newline="") as f:
        csv.writer(f).writerows([["user", "file", "label", "split"]] + rows)

    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        return
    os.makedirs(f"{out}/parquet", exist_ok=True)
    for split, images in table.items():
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(images), f"{out}/parquet/{split}.parquet", compression="snappy")


main(sys.argv[1])
