"""Scores a client of a run with PyTorch: loads its model with safetensors, and prints its balanced and plain accuracy in percent.

    feddag evaluate --run RUN --images test.npz
    python3 docs/load_model.py RUN test.npz CLIENT
"""
import json
import sys

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file


def forward(layers, tensors, prefix, x):
    for layer in layers:
        if layer["function"] == "residual":
            x = forward(layer["body"], tensors, prefix, x) + forward(layer.get("shortcut", []), tensors, prefix, x)
        else:
            function = getattr(F, layer["function"], None) or getattr(torch, layer["function"])
            x = function(x, **{k: tensors[prefix + t] for k, t in layer.get("tensors", {}).items()}, **layer.get("options", {}))
    return x


def probabilities(run, models, file, x):
    tensors = load_file(f"{run}/{file}")
    features = [forward(models["layers"], tensors, encoder, x) for encoder in models["encoders"]]
    return forward([models["head"]], tensors, "", torch.cat(features, 1)).softmax(1)


if __name__ == "__main__":
    run, images, client = sys.argv[1], np.load(sys.argv[2]), int(sys.argv[3])
    models = json.load(open(f"{run}/models.json"))
    client = models["clients"][client]
    test = models["test_sets"][client["test_set"]]
    mean, std = (torch.tensor(models["input"][k]).view(-1, 1, 1) for k in ("mean", "std"))
    x = (torch.tensor(images["images"][test]) / 255 - mean) / std
    labels = torch.tensor(np.array(client.get("label_map", range(len(models["classes"]))))[images["labels"][test]])
    with torch.no_grad():
        p = sum(w * probabilities(run, models, file, x) for file, w in zip(client["files"], client["weights"]))
    hits = (p.argmax(1) == labels).double()
    recalls = [hits[labels == label].mean() for label in labels.unique()]
    print(f"{100 * sum(recalls) / len(recalls):.4f} {100 * hits.mean():.4f}")
