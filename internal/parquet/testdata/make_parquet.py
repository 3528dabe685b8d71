"""Writes small parquet files in the encodings and compressions that are read, and some that are not.

    python3 make_parquet.py        # needs pyarrow; made with Python 3.11, pyarrow 26

Row i of 1000 has n = 3 i - 1 (null where i mod 7 = 3), small = i mod 4 as int32, and in a group named image bytes = "row i "
repeated i mod 5 times (null where i mod 11 = 5; the group is null where i mod 13 = 6) and path = "i.png".
"""
import pathlib

import pyarrow as pa
import pyarrow.parquet as pq

to = pathlib.Path(__file__).parent
rows = range(1000)
image = [None if i % 13 == 6 else {"bytes": None if i % 11 == 5 else (f"row {i} " * (i % 5)).encode(), "path": f"{i}.png"} for i in rows]
table = pa.table({
    "image": pa.array(image, pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
    "n": pa.array([None if i % 7 == 3 else 3 * i - 1 for i in rows], pa.int64()),
    "small": pa.array([i % 4 for i in rows], pa.int32()),
}, metadata={"about": "a test"})
required = pa.schema([table.schema.field("image"), table.schema.field("n"), pa.field("small", pa.int32(), nullable=False)], {"about": "a test"})
table = table.cast(required)
for name, how in {
    "snappy": {}, "none": {"compression": "none"}, "gzip": {"compression": "gzip"},
    "plain": {"use_dictionary": False}, "version2": {"data_page_version": "2.0"},
    "version2-none": {"data_page_version": "2.0", "compression": "none", "use_dictionary": False},
    "groups": {"row_group_size": 300}, "pages": {"data_page_size": 512, "write_batch_size": 50, "dictionary_pagesize_limit": 2000},
}.items():
    pq.write_table(table, to / f"{name}.parquet", **how)
few = table.slice(0, 20)
pq.write_table(few, to / "zstd.unread", compression="zstd")
pq.write_table(few, to / "delta.unread", use_dictionary=False, column_encoding={"n": "DELTA_BINARY_PACKED"})
pq.write_table(pa.table({"list": [[1, 2], [3]], "real": [0.5, 1.5]}), to / "types.unread")
