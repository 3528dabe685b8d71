"""Writes testdata/leaf/: data in LEAF's format, as data_to_json.py, sample.py and split_data.py of FEMNIST write them.

    python3 make_leaf.py        # made with Python 3.11

Writers w0 to w4 have 3, 4, ... 7 images of 4 x 4. Pixel p of image i of writer w is (60 w + 13 i + p) mod 256, its label (w +
i) mod 5; LEAF has it as p / 255. Images of all writers are in all/, in two files whose writers are in no order; train/ and
test/ have all but the last two and the last two of each.
"""
import json
import pathlib

to = pathlib.Path(__file__).parent / "leaf"


def writer(w, part):
    n = w + 3
    chosen = {"all": range(n), "train": range(n - 2), "test": range(n - 2, n)}[part]
    return {"x": [[(60 * w + 13 * i + p) % 256 / 255 for p in range(16)] for i in chosen], "y": [(w + i) % 5 for i in chosen]}


def save(path, writers, part):
    data = {f"w{w}": writer(w, part) for w in writers}
    path.parent.mkdir(parents=True, exist_ok=True)
    users = list(data)
    path.write_text(json.dumps({"users": users, "num_samples": [len(data[u]["y"]) for u in users], "user_data": data}))


for part in "train", "test":
    save(to / "femnist" / "data" / part / f"all_data_0_niid_0_keep_0_{part}_9.json", [3, 1], part)
    save(to / "femnist" / "data" / part / f"all_data_1_niid_0_keep_0_{part}_9.json", [0, 4, 2], part)
save(to / "all" / "all_data_0.json", [4, 0, 3], "all")
save(to / "all" / "all_data_1.json", [2, 1], "all")
