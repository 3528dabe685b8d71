"""Says what the model of a client sees in an image, with PyTorch. It needs torch, numpy, safetensors and pillow.

    python3 docs/tutorials/predict.py RUN CLIENT IMAGE
"""
import json
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent.parent))
from load_model import probabilities

run, number, image = sys.argv[1], int(sys.argv[2]), Image.open(sys.argv[3])
models = json.load(open(f"{run}/models.json"))
client = models["clients"][number]
channels, height, width = models["input"]["shape"]
mean, std = (torch.tensor(models["input"][k]).view(-1, 1, 1) for k in ("mean", "std"))

pixels = np.asarray(image.convert("L" if channels == 1 else "RGB").resize((width, height), Image.Resampling.BILINEAR)).reshape(height, width, channels)
x = (torch.tensor(pixels.transpose(2, 0, 1) / 255, dtype=torch.float32) - mean) / std
with torch.no_grad():
    p = sum(w * probabilities(run, models, file, x[None])[0] for file, w in zip(client["files"], client["weights"]))
label = int(p.argmax())
names = client.get("label_map", range(len(p)))  # the client's label of each class
print(f"client {number}: class {label}, {models['classes'][list(names).index(label)]}, probability {p[label]:.4f}")
