"""Writes testdata/images: small pictures in every kind a folder may hold, and beside each what Pillow makes of it.

    python3 make_images.py        # needs numpy and Pillow; made with Pillow 13.0.0 (libjpeg-turbo 3)

NAME.rgb is height x width x 3 bytes of Image.convert("RGB") (of 16-bit files: of the upper eight bits), NAME.WxH.FILTER.rgb
the same after Image.resize((W, H), FILTER). area is not Pillow's (its BOX takes whole pixels only): it is computed here,
by the definition.
"""
import pathlib

import numpy as np
from PIL import Image

out = pathlib.Path(__file__).parent / "images"
out.mkdir(exist_ok=True)
rng = np.random.default_rng(7)


def scene(w, h):
    """Smooth colours with an edge and some noise: what chroma interpolation shows in."""
    y, x = np.mgrid[0:h, 0:w]
    a = np.stack([127 + 120 * np.sin(x / 3.1 + k) * np.cos(y / (2.3 + k)) for k in range(3)], -1)
    a[:, w // 2 :, 0] = 255 - a[:, w // 2 :, 0]
    return np.clip(a + rng.normal(0, 12, a.shape), 0, 255).astype(np.uint8)


def expect(name, rgb):
    (out / f"{name}.rgb").write_bytes(np.ascontiguousarray(rgb).tobytes())


def save(image, name, **how):
    image.save(out / name, **how)
    with Image.open(out / name) as again:
        expect(name, np.asarray(again.convert("RGB")))


def area(a, w, h):
    """The mean of the covered source pixels, each by as much as it is covered; rows first, rounded in between."""

    def weights(n, m):
        edges = np.arange(m + 1) * n / m
        lo, hi = np.arange(n), np.arange(n) + 1
        cover = np.clip(np.minimum(hi, edges[1:, None]) - np.maximum(lo, edges[:-1, None]), 0, None)
        return cover / cover.sum(1, keepdims=True)

    a = np.floor(np.einsum("xX,yXc->yxc", weights(a.shape[1], w), a) + 0.5)
    return np.floor(np.einsum("yY,Yxc->yxc", weights(a.shape[0], h), a) + 0.5).astype(np.uint8)


rgb = Image.fromarray(scene(23, 17))
for name, sampling in (("444", "4:4:4"), ("422", "4:2:2"), ("420", "4:2:0")):
    save(rgb, f"{name}.jpg", quality=90, subsampling=sampling)
save(rgb, "progressive.jpg", quality=75, progressive=True)
save(Image.fromarray(scene(32, 32)), "even.jpg", quality=75)
save(Image.fromarray(scene(3, 5)), "narrow.jpg", quality=90)
save(rgb.convert("L"), "grey.jpg", quality=90)
save(rgb, "rgb.png")
save(rgb.convert("L"), "grey.png")
save(rgb.quantize(16), "palette.png")
alpha = rgb.convert("RGBA")
alpha.putalpha(Image.fromarray(np.tile(np.arange(23, dtype=np.uint8) * 11, (17, 1))))
save(alpha, "alpha.png")
save(rgb.convert("1"), "bits.png")
rgb.convert("CMYK").save(out / "cmyk.jpg")
deep = rng.integers(0, 65536, (17, 23), dtype=np.uint16)
Image.fromarray(deep).save(out / "grey16.png")
expect("grey16.png", np.repeat((deep >> 8).astype(np.uint8)[..., None], 3, 2))

source = np.asarray(rgb)
for w, h in ((32, 32), (8, 5), (23, 40), (11, 17), (1, 1)):
    expect(f"rgb.png.{w}x{h}.bilinear", np.asarray(rgb.resize((w, h), Image.Resampling.BILINEAR)))
    expect(f"rgb.png.{w}x{h}.area", area(source, w, h))
