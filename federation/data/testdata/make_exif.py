"""Writes testdata/exif/: one picture with every EXIF orientation, and what Pillow makes of it with and without it.

    python3 make_exif.py        # needs numpy and Pillow; made with Pillow 13.0.0 (libjpeg-turbo 3)

N.png and N.jpg have orientation N; N.TYPE.rgb is ImageOps.exif_transpose of it and N.TYPE.stored.rgb is
Image.convert("RGB"), which is what torchvision's ImageFolder sees: height x width x 3 bytes.
"""
import pathlib

import numpy as np
from PIL import Image, ImageOps

to = pathlib.Path(__file__).parent / "exif"
to.mkdir(exist_ok=True)
y, x = np.mgrid[0:8, 0:16]
a = np.stack([16 * x, 32 * y, 8 * (x + y)], -1).astype(np.uint8)[:8, :16]
a[:3, :5] = (250, 10, 10)
for n in range(1, 9):
    exif = Image.Exif()
    exif[0x0110] = "a camera"
    exif[0x0112] = n
    for kind, how in (("png", {}), ("jpg", {"quality": 95, "subsampling": 0})):
        name = to / f"{n}.{kind}"
        Image.fromarray(a).save(name, exif=exif, **how)
        with Image.open(name) as image:
            (to / f"{n}.{kind}.stored.rgb").write_bytes(np.asarray(image.convert("RGB")).tobytes())
            turned = ImageOps.exif_transpose(image).convert("RGB")
            (to / f"{n}.{kind}.rgb").write_bytes(np.asarray(turned).tobytes())
