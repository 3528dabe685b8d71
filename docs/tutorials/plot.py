"""Draws the curves of runs with pandas and matplotlib: balanced accuracy against rounds, and the clients by cluster.

    python3 docs/tutorials/plot.py OUT.png RUN...
"""
import json
import sys

import matplotlib

matplotlib.use("Agg")  # without a screen
import matplotlib.pyplot as plt
import pandas as pd

out, runs = sys.argv[1], sys.argv[2:]
figure, (curves, clients) = plt.subplots(1, 2, figsize=(9, 3.5))
for run in runs:
    rounds = pd.json_normalize([json.loads(line) for line in open(f"{run}/metrics.jsonl")])
    rounds.plot(x="round", y="pre.balanced_accuracy.mean", label=run, ax=curves)
curves.set_ylabel("balanced accuracy, before local training, %")

table = pd.read_csv(f"{runs[0]}/clients.csv")
table.boxplot("pre_balanced_accuracy", by="cluster", ax=clients)
clients.set_title(runs[0])
figure.suptitle("")
figure.tight_layout()
figure.savefig(out)
print(table.groupby("cluster")["pre_balanced_accuracy"].agg(["size", "mean", "min"]).round(2).to_string())
