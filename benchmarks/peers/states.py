"""States of networks as .safetensors files: names and float32 arrays. Needs numpy."""
import json
import struct

import numpy as np


def read_safetensors(path):
    with open(path, "rb") as f:
        raw = f.read()
    (n,) = struct.unpack("<Q", raw[:8])
    header, body = json.loads(raw[8:8 + n]), raw[8 + n:]
    tensors = {}
    for name, t in header.items():
        if name != "__metadata__":
            assert t["dtype"] == "F32", f"{path}: {name} is {t['dtype']}"
            begin, end = t["data_offsets"]
            tensors[name] = np.frombuffer(body[begin:end], "<f4").reshape(t["shape"]).copy()
    return tensors


def write_safetensors(path, state):
    header, body = {}, b""
    for name, t in state.items():
        raw = np.asarray(t, "<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(t.shape), "data_offsets": [len(body), len(body) + len(raw)]}
        body += raw
    text = json.dumps(header).encode()
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + body)
