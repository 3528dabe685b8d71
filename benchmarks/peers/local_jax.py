#!/usr/bin/env python3
"""The work of `./feddag bench --write DIR` in JAX: a contender of benchmarks/engines.py, one turn for every line "turn".

    --how vmap   all clients at once: jit(vmap(scan over steps))
    --how map    one client after another: jit(lax.map(scan over steps))

Clients of one size only (no ragged ends). lenet and cnn. Needs jax and numpy.
"""
import sys

import numpy as np

try:
    import jax
except ImportError:
    sys.exit("JAX is not installed: python3 -m pip install jax, or jax[cuda13] for a GPU")
import jax.numpy as jnp
from jax import lax

from contender import PHASES, options, serve
from states import read_safetensors


def encode(p, part, model, x):
    def conv(x, name, padding):
        x = lax.conv_general_dilated(x, p[f"{part}.{name}.weight"], (1, 1), [(padding, padding)] * 2,
                                     dimension_numbers=("NCHW", "OIHW", "NCHW"))
        x = jax.nn.relu(x + p[f"{part}.{name}.bias"][:, None, None])
        return lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")

    for name, padding in ([("conv1", 2), ("conv2", 0)] if model == "lenet" else [("conv1", 0), ("conv2", 0), ("conv3", 0)]):
        x = conv(x, name, padding)
    x = x.reshape(x.shape[0], -1)
    for name in "fc1", "fc2":
        x = jax.nn.relu(x @ p[f"{part}.{name}.weight"].T + p[f"{part}.{name}.bias"])
    return x


def main():
    o = options(__doc__, ["vmap", "map"], ["lenet", "cnn"])
    jax.config.update("jax_default_matmul_precision", "highest" if o.precision == "fp32" else "tensorfloat32")
    load = lambda name: np.load(f"{o.work}/{name}.npy")
    sizes = load("sizes")
    k, n = len(sizes), int(sizes[0])
    if (sizes != n).any():
        sys.exit("clients of different sizes")
    images = jnp.asarray((load("images").astype(np.float32) / 255 - 0.3) / 0.3)
    labels = jnp.asarray(load("labels").astype(np.int32))
    steps = -(-n // o.batch)
    # An incomplete last batch is padded with samples of weight 0.
    order = load("order").reshape(k, o.epochs, n) + (np.arange(k) * n)[:, None, None]
    index = np.zeros((k, o.epochs, steps * o.batch), np.int32)
    index[:, :, :n] = order
    weight = np.zeros((o.epochs, steps * o.batch), np.float32)
    weight[:, :n] = 1
    index = jnp.asarray(index.reshape(k, o.epochs * steps, o.batch))
    weight = jnp.asarray(weight.reshape(o.epochs * steps, o.batch))
    start = {name: jnp.asarray(v) for name, v in read_safetensors(f"{o.work}/start.safetensors").items()}

    def phase(parts):
        moves = {name: v for name, v in start.items() if name.split(".")[0] in parts}
        rest = {name: v for name, v in start.items() if name not in moves}

        def step(carry, batch):
            p, momentum = carry
            rows, w = batch

            def loss_of(p):
                every = {**rest, **p}
                x = images[rows]
                features = jnp.concatenate([encode(every, e, o.model, x) for e in ("primary", "secondary")], 1)
                logp = jax.nn.log_softmax(features @ every["head.weight"].T + every["head.bias"])
                return -(w * jnp.take_along_axis(logp, labels[rows][:, None], 1)[:, 0]).sum() / w.sum()

            loss, g = jax.value_and_grad(loss_of)(p)
            momentum = {name: 0.5 * momentum[name] + g[name] + 1e-4 * p[name] for name in p}
            return ({name: p[name] - o.lr * momentum[name] for name in p}, momentum), loss * w.sum()

        def client(rows):
            carry = moves, {name: jnp.zeros_like(v) for name, v in moves.items()}
            (p, _), losses = lax.scan(step, carry, (rows, weight))
            return p, losses[-steps:].sum() / n

        every = jax.vmap(client) if o.how == "vmap" else lambda rows: lax.map(client, rows)

        @jax.jit
        def all_clients(rows):
            p, loss = every(rows)
            return {name: v.mean(0) for name, v in p.items()}, loss.mean()

        return all_clients

    phases = [phase(parts) for parts in PHASES]

    def turn():
        state = dict(start)
        for f in phases:
            moved, loss = f(index)
            state.update(moved)
        loss = float(loss)
        jax.block_until_ready(state)
        return state, loss

    about = {"engine": f"JAX {o.how}", "device": o.device, "device_name": str(jax.devices()[0]), "precision": o.precision,
             "libtorch": f"jax {jax.__version__}"}
    serve(about, 2 * k * o.epochs * steps, turn, np.asarray)


if __name__ == "__main__":
    main()
