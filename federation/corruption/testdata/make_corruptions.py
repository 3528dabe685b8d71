"""Writes corruptions.npz: what the published formulae of CIFAR-10-C make of two images, for corruption_test.go.

The formulae and constants are those of Hendrycks and Dietterich (ICLR 2019) for images of 32 x 32. Filters, edges,
distances, resizing and JPEG are the libraries' own (SciPy, scikit-image, OpenCV, Pillow), motion blur is ImageMagick's
(`convert -motion-blur`), so that the Go code is held to what the published images were made with. Random numbers are
drawn here and stored: the Go code is handed the same ones, in the order in which it asks.

    pip install numpy scipy scikit-image opencv-python-headless==4.10.0.84 pillow   (and ImageMagick 6)
    python make_corruptions.py
"""
import io
import subprocess
import tempfile
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from scipy import ndimage
from skimage import color as skcolor
from skimage import filters

rng = np.random.default_rng(20260101)


class Draws:
    """Random numbers in [0, 1), normal or whole ones, which repeat for every severity and are kept."""

    def __init__(self):
        self.values, self.at = [], 0

    def take(self, n, make):
        while len(self.values) < self.at + n:
            self.values.append(float(np.float32(make())))
        self.at += n
        return np.array(self.values[self.at - n:self.at])

    def normal(self, *shape):
        return self.take(int(np.prod(shape)), rng.normal).reshape(shape)

    def uniform(self, *shape):
        return self.take(int(np.prod(shape)), lambda: rng.integers(2**24) / 2**24).reshape(shape)

    def between(self, lo, hi, *shape):
        return lo + (hi - lo) * self.uniform(*shape)


# Images are channels x height x width in 0..1; results likewise, unclipped, unless they are uint8.

def gaussian(plane, sigma, **k):
    return filters.gaussian(plane, sigma=sigma, **k)


def each(x, f):
    return np.stack([f(plane) for plane in x])


def gaussian_noise(x, s, d):
    return x + d.normal(*x.shape) * [.04, .06, .08, .09, .10][s]


def shot_noise(x, s, d):
    c = [500, 250, 100, 75, 50][s]
    counts = rng.poisson(x * c)
    d.values, d.at = list(counts.ravel().astype(float)), counts.size
    return counts / c


def impulse_noise(x, s, d):
    out = x.ravel().copy()
    for i in range(out.size):
        if d.uniform(1)[0] <= [.01, .02, .03, .05, .07][s]:
            out[i] = 1 if d.uniform(1)[0] <= .5 else 0
    return out.reshape(x.shape)


def speckle_noise(x, s, d):
    return x + x * d.normal(*x.shape) * [.06, .1, .12, .16, .2][s]


def gaussian_blur(x, s, d):
    return each(x, lambda p: gaussian(p, [.4, .6, .7, .8, 1][s]))


def glass_blur(x, s, d):
    sigma, times = [.05, .25, .4, .25, .4][s], [1, 1, 1, 2, 2][s]
    b = (each(x, lambda p: gaussian(p, sigma)) * 255).astype(np.uint8)
    for _ in range(times):
        for row in range(x.shape[1] - 1, 1, -1):
            for column in range(x.shape[2] - 1, 1, -1):
                dx, dy = d.take(2, lambda: rng.integers(-1, 1)).astype(int)
                b[:, row, column] = b[:, row + dy, column + dx]
    d.values_are_offsets = 1  # Go draws 0 or 1
    return each(b / 255, lambda p: gaussian(p, sigma))


def defocus_blur(x, s, d):
    radius, alias = [(.3, .4), (.4, .5), (.5, .6), (1, .2), (1.5, .1)][s]
    axis = np.arange(-8, 9)
    disk = (axis[:, None]**2 + axis[None, :]**2 <= radius**2).astype(np.float32)
    kernel = cv2.GaussianBlur(disk / disk.sum(), ksize=(3, 3), sigmaX=alias)
    return each(x, lambda p: cv2.filter2D(np.ascontiguousarray(p), -1, kernel))


def imagemagick(x, radius, sigma, angle):
    """x: levels, uint8; returns levels."""
    picture = Image.fromarray(x[0] if len(x) == 1 else x.transpose(1, 2, 0))
    with tempfile.TemporaryDirectory() as folder:
        a, b = Path(folder) / "a.png", Path(folder) / "b.png"
        picture.save(a)
        subprocess.run(["convert", a, "-motion-blur", f"{radius}x{sigma}{angle:+.12f}", b], check=True)
        out = np.array(Image.open(b).convert("L" if len(x) == 1 else "RGB"))
    return out[None] if out.ndim == 2 else out.transpose(2, 0, 1)


def levels(x):
    return (np.clip(x, 0, 1) * 255).astype(np.uint8)


def motion_blur(x, s, d):
    radius, sigma = [(6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)][s]
    return imagemagick(np.round(x * 255).astype(np.uint8), radius, sigma, d.between(-45, 45, 1)[0])


def zoomed(plane, factor):
    h, w = plane.shape
    ch, cw = int(np.ceil(h / factor)), int(np.ceil(w / factor))
    top, left = (h - ch) // 2, (w - cw) // 2
    big = ndimage.zoom(plane[top:top + ch, left:left + cw], factor, order=1)
    top, left = (big.shape[0] - h) // 2, (big.shape[1] - w) // 2
    return big[top:top + h, left:left + w]


def zoom_blur(x, s, d):
    factors = np.arange(1, [1.06, 1.11, 1.16, 1.21, 1.26][s], .01)
    return (x + sum(each(x, lambda p: zoomed(p, f)) for f in factors)) / (len(factors) + 1)


def fog(x, s, d):
    c, decay = [(.2, 3), (.5, 3), (.75, 2.5), (1, 2), (1.5, 1.75)][s]
    side = 1 << (max(x.shape) - 1).bit_length()
    m = np.zeros((side, side))
    step, wibble = side, 100.
    while step >= 2:
        half = step // 2
        for y0, x0, near in [(half, half, [(-half, -half), (-half, half), (half, -half), (half, half)]),
                             (0, half, [(-half, 0), (half, 0), (0, -half), (0, half)]),
                             (half, 0, [(-half, 0), (half, 0), (0, -half), (0, half)])]:
            ys, xs = np.meshgrid(np.arange(y0, side, step), np.arange(x0, side, step), indexing="ij")
            mean = sum(m[(ys + dy) % side, (xs + dx) % side] for dy, dx in near) / 4
            m[ys, xs] = mean + wibble * d.between(-wibble, wibble, *ys.shape)
        step, wibble = half, wibble / decay
    m -= m.min()
    m /= m.max()
    return (x + c * m[:x.shape[1], :x.shape[2]]) * x.max() / (x.max() + c)


def grey(x):
    return x[0] if len(x) == 1 else .299 * x[0] + .587 * x[1] + .114 * x[2]


def snow(x, s, d):
    mean, deviation, zoom, threshold, radius, sigma, keep = [
        (.1, .2, 1, .6, 8, 3, .95), (.1, .2, 1, .5, 10, 4, .9), (.15, .3, 1.75, .55, 10, 4, .9),
        (.25, .3, 2.25, .6, 12, 6, .85), (.3, .3, 1.25, .65, 14, 12, .8)][s]
    layer = zoomed(mean + deviation * d.normal(*x.shape[1:]), zoom)
    layer[layer < threshold] = 0
    layer = imagemagick(levels(layer)[None], radius, sigma, d.between(-135, -45, 1)[0])[0] / 255
    return keep * x + (1 - keep) * np.maximum(x, grey(x) * 1.5 + .5) + layer + np.rot90(layer, 2)


def colour(x, rgb):
    rgb = np.array(rgb, float).reshape(3, 1, 1) / 255
    return grey(rgb)[None] if len(x) == 1 else rgb


def spatter(x, s, d):
    mean, deviation, blur, threshold, strength, mud = [
        (.62, .1, .7, .7, .5, 0), (.65, .1, .8, .7, .5, 0), (.65, .3, 1, .69, .5, 0),
        (.65, .1, .7, .69, .6, 1), (.65, .1, .5, .68, .6, 1)][s]
    liquid = gaussian(mean + deviation * d.normal(*x.shape[1:]), blur)
    liquid[liquid < threshold] = 0
    if mud:
        m = gaussian((liquid > threshold).astype(float), strength)
        m[m < .8] = 0
        return x * (1 - m) + colour(x, (63, 42, 20)) * m
    liquid = levels(liquid)
    far = cv2.distanceTransform(255 - cv2.Canny(liquid, 50, 150), cv2.DIST_L2, 5)
    far = cv2.equalizeHist(cv2.blur(np.minimum(far, 20), (3, 3)).astype(np.uint8))
    far = cv2.filter2D(far, cv2.CV_8U, np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]]))
    m = liquid * cv2.blur(far, (3, 3)).astype(float)
    return x + m / max(m.max(), 1e-9) * strength * colour(x, (175, 238, 238))


def contrast(x, s, d):
    mean = x.mean(axis=(1, 2), keepdims=True)
    return (x - mean) * [.75, .5, .4, .3, .15][s] + mean


def hsv(x, change):
    h = skcolor.rgb2hsv(np.broadcast_to(x, (3,) + x.shape[1:]).transpose(1, 2, 0))
    change(h)
    return skcolor.hsv2rgb(np.clip(h, 0, 1)).transpose(2, 0, 1)[:len(x)]


def brightness(x, s, d):
    def change(h):
        h[..., 2] += [.05, .1, .15, .2, .3][s]
    return hsv(x, change)


def saturate(x, s, d):
    def change(h):
        h[..., 1] = h[..., 1] * [.3, .1, 1.5, 2, 2.5][s] + [0, 0, 0, .1, .2][s]
    return hsv(x, change)


def pillow(x):
    b = np.round(x * 255).astype(np.uint8)
    return Image.fromarray(b[0] if len(b) == 1 else b.transpose(1, 2, 0))


def from_pillow(picture):
    b = np.array(picture)
    return b[None] if b.ndim == 2 else b.transpose(2, 0, 1)


def jpeg_compression(x, s, d):
    file = io.BytesIO()
    pillow(x).save(file, "JPEG", quality=[80, 65, 58, 50, 40][s])
    return from_pillow(Image.open(file))


def pixelate(x, s, d):
    h, w, c = x.shape[1], x.shape[2], [.95, .9, .85, .75, .65][s]
    return from_pillow(pillow(x).resize((int(w * c), int(h * c)), Image.BOX).resize((w, h), Image.BOX))


def elastic_transform(x, s, d):
    h, w = x.shape[1:]
    side = min(h, w)
    ripple, sigma, askew = [(0, 0, .08), (.05, .2, .07), (.08, .06, .06), (.1, .04, .05), (.1, .03, .03)][s]
    ripple, sigma, askew = side * ripple, side * sigma, side * askew
    cx, cy, r = w // 2, h // 2, side // 3
    a = np.float32([[cx + r, cy + r], [cx + r, cy - r], [cx - r, cy - r]])
    m = cv2.getAffineTransform(a, a + d.between(-askew, askew, 3, 2).astype(np.float32))
    back = cv2.invertAffineTransform(m)
    ys, xs = np.mgrid[:h, :w].astype(float)
    # warpAffine rounds coordinates to 1/32 of a pixel; the formula is followed without that.
    at = [back[1, 0] * xs + back[1, 1] * ys + back[1, 2], back[0, 0] * xs + back[0, 1] * ys + back[0, 2]]
    x = each(x, lambda p: ndimage.map_coordinates(p, at, order=1, mode="mirror"))
    dx = gaussian(d.between(-1, 1, h, w), sigma, mode="reflect", truncate=3) * ripple
    dy = gaussian(d.between(-1, 1, h, w), sigma, mode="reflect", truncate=3) * ripple
    return each(x, lambda p: ndimage.map_coordinates(p, [ys + dy, xs + dx], order=1, mode="reflect"))


def test_image(channels, side):
    """Blobs, stripes, a hard edge, texture, and a little of the darkest and the brightest."""
    y, x = np.mgrid[:side, :side] / side
    planes = []
    for c in range(channels):
        p = .5 + .35 * np.sin(5 * x + 2 * c) * np.cos(4 * y - c) + .04 * rng.normal(size=(side, side))
        p[(x - .6)**2 + (y - .4)**2 < .04] = [.9, .2, .4][c]
        p[side // 8:side // 4, side // 8:] = [0, .1, 1][c]
        p[-side // 4:, ::3] = [1, .8, 0][c]
        planes.append(p)
    return np.round(np.clip(planes, 0, 1) * 255).astype(np.uint8)


ALL = [gaussian_noise, shot_noise, impulse_noise, speckle_noise, gaussian_blur, glass_blur, defocus_blur, motion_blur,
       zoom_blur, fog, snow, spatter, contrast, brightness, saturate, jpeg_compression, pixelate, elastic_transform]

arrays = {}
for kind, channels, side in [("colour", 3, 32), ("grey", 1, 28)]:
    image = test_image(channels, side)
    arrays[f"{kind}/image"] = image
    for f in ALL:
        if kind == "grey" and f is saturate:
            continue
        d = Draws()
        for s in range(5):
            d.at = 0
            out = f(image / 255., s, d)
            assert out.shape == image.shape, f
            arrays[f"{kind}/{f.__name__}/{s + 1}"] = out if out.dtype == np.uint8 else levels(out)
            if f is shot_noise:
                arrays[f"{kind}/{f.__name__}/{s + 1}/draws"] = np.array(d.values, np.float32)
        values = np.array(d.values, np.float32) + getattr(d, "values_are_offsets", 0)
        if values.size and f is not shot_noise:
            arrays[f"{kind}/{f.__name__}/draws"] = values.astype(np.float32)
np.savez_compressed(Path(__file__).with_name("corruptions.npz"), **arrays)
