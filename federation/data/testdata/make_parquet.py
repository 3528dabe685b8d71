"""Writes testdata/parquet/: image sets as the library datasets of Hugging Face writes them (to_parquet, push_to_hub).

    python3 make_parquet.py        # needs numpy, Pillow and pyarrow; made with Python 3.11, pyarrow 26, Pillow 13

Images are PNGs of 4 x 5. Value (r, c, k) of image i is (20 i + 7 r + 3 c + 50 k) mod 251; its label is i mod 3, of the classes
cat, ant and bee. digits/ has images 0 to 6 and 7 to 9 for training, in two files, and 10 to 13 for testing; coloured.parquet
has images 0 to 11 with three channels and a writer i mod 2 each, in no split; clients/ has images 0 to 3, 4 to 7 and 8 to 11 of
clients 2, 10 and 3. The names of the other files say what is wrong.
"""
import io
import json
import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

to = pathlib.Path(__file__).parent / "parquet"
NAMES = ["cat", "ant", "bee"]
IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def png(i, channels=1, **how):
    r, c, k = np.indices((4, 5, channels))
    values = ((20 * i + 7 * r + 3 * c + 50 * k) % 251).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(values if channels > 1 else values[..., 0]).save(out, "PNG", **how)
    return out.getvalue()


def save(name, columns, classes=("label",), image="image"):
    features = {image: {"_type": "Image"}}
    for key, column in columns.items():
        if key != image:
            features[key] = {"names": NAMES, "_type": "ClassLabel"} if key in (classes or ()) else {"dtype": "int64", "_type": "Value"}
    features["extra"] = [{"dtype": "int64", "_type": "Value"}]
    meta = {"huggingface": json.dumps({"info": {"features": features}})} if classes is not None else {}
    (to / name).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns).replace_schema_metadata(meta), to / name)


def images(of, channels=1):
    return pa.array([{"bytes": png(i, channels), "path": f"{i}.png"} for i in of], IMAGE)


def labels(of):
    return pa.array([i % 3 for i in of], pa.int64())


for name, of in (("train-00000-of-00002", range(7)), ("train-00001-of-00002", range(7, 10)), ("test-00000-of-00001", range(10, 14))):
    save(f"digits/{name}.parquet", {"image": images(of), "label": labels(of)})
twelve = range(12)
save("coloured.parquet", {"img": images(twelve, 3), "hsf_id": labels(twelve), "writer_id": pa.array([f"w{i % 2}" for i in twelve]),
                          "character": labels(twelve)}, ("character",), "img")
for client, of in ((2, range(4)), (10, range(4, 8)), (3, range(8, 12))):
    save(f"clients/{client}.parquet", {"image": images(of), "label": labels(of)})
save("names.parquet", {"image": images(twelve), "labels": pa.array([NAMES[i % 3] for i in twelve])}, None)
turned = Image.Exif()
turned[0x0112] = 6
save("turned.parquet", {"image": pa.array([{"bytes": png(i, exif=turned), "path": None} for i in range(6)], IMAGE), "label": labels(range(6))})
save("two-images.parquet", {"image": images([0]), "mask": images([0]), "label": labels([0])})
save("two-labels.parquet", {"image": images([0]), "fine": labels([0]), "coarse": labels([0])}, ("fine", "coarse"))
save("no-label.parquet", {"image": images([0]), "digit": labels([0])}, None)
save("unlabelled.parquet", {"image": images(range(2)), "label": pa.array([0, -1], pa.int64())})
save("beyond.parquet", {"image": images(range(2)), "label": pa.array([0, 3], pa.int64())})
save("null-label.parquet", {"image": images(range(2)), "label": pa.array([0, None], pa.int64())})
save("path-alone.parquet", {"image": pa.array([{"bytes": None, "path": "/images/1.png"}], IMAGE), "label": labels([0])})
save("no-image.parquet", {"image": pa.array([{"bytes": b"hello", "path": "1.png"}] * 6, IMAGE), "label": labels(range(6))})
