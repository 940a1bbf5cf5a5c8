"""Heads of many classes, with the product: logits stored, and computed block by block."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jimb

RNG = np.random.default_rng(0)
# Rows, features, classes.
SHAPES = [(2048, 256, 50_000), (8192, 128, 10_000)]
ROUNDS = 5


def inputs(rows, width, num_classes):
    x = RNG.normal(0, 1, (rows, width)).astype(np.float32)
    w = RNG.normal(0, width**-0.5, (width, num_classes)).astype(np.float32)
    return x, w, RNG.integers(0, num_classes, rows).astype(np.int32)


def compiled(loss, x, w, y):
    """Value and gradient by features and kernel."""
    return jax.jit(jax.value_and_grad(loss, (0, 1))).lower(x, w, y).compile()


def stored_optax(x, w, y):
    return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(x @ w, y))


def stored_jimb(x, w, y):
    return jimb.weighted_mean(jimb.softmax_cross_entropy_loss(x @ w, y))


def unstored_jimb(x, w, y):
    return jimb.weighted_mean(jimb.softmax_cross_entropy_loss(jimb.LinearLogits(x, w), y))


def unstored_focal(x, w, y):
    return jimb.weighted_mean(jimb.softmax_focal_loss(jimb.LinearLogits(x, w), y))


def hessian_products(x, w, y):
    """By the kernel, compiled alone."""

    def gradient(w):
        return jax.grad(lambda w: unstored_focal(x, w, y))(w)

    products = {
        "forward over reverse": lambda w, v: jax.jvp(gradient, (w,), (v,))[1],
        "reverse over reverse": lambda w, v: jax.vjp(gradient, w)[1](v)[0],
    }
    return {f"jimb, {name}": jax.jit(f).lower(w, w).compile() for name, f in products.items()}


def jax_cce():
    """The package of that name, where it is installed."""
    try:
        import jax_cce
    except ModuleNotFoundError:
        return {}
    return {"jax-cce": lambda x, w, y: jax_cce.linear_cross_entropy(x, w.T, y)}


def torch_step(torch, options, x, w, y):
    kernel = torch.tensor(np.ascontiguousarray(w.T), requires_grad=True)
    features, labels = torch.tensor(x, requires_grad=True), torch.tensor(np.int64(y))

    def step():
        features.grad = kernel.grad = None
        loss = torch.nn.functional.linear_cross_entropy(features, kernel, labels, options=options)
        loss.backward()
        return kernel.grad.numpy()

    return step


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def bench_head(race, torch, benchmark, shape):
    x, w, y = inputs(*shape)
    arrays = tuple(map(jnp.asarray, (x, w, y)))
    losses = {"stored, Optax": stored_optax, "stored, jimb": stored_jimb, **jax_cce()}
    ours = compiled(unstored_jimb, *arrays)
    programs = {name: compiled(loss, *arrays) for name, loss in losses.items()}
    programs["jimb, focal"] = compiled(unstored_focal, *arrays)
    benchmark.extra_info["temporaries"] = {
        name: program.memory_analysis().temp_size_in_bytes
        for name, program in {"jimb": ours, **programs, **hessian_products(*arrays)}.items()
    }
    others = {name: lambda program=program: program(*arrays) for name, program in programs.items()}
    if torch and hasattr(torch.nn.functional, "linear_cross_entropy"):
        chunked = torch.nn.LinearCrossEntropyOptions
        others["torch, chunked"] = torch_step(torch, chunked(), x, w, y)
        others["torch, stored"] = torch_step(torch, None, x, w, y)
    exact = kernel_gradient(*map(np.float64, (x, w)), y)
    errors = {"jimb": np.abs(ours(*arrays)[1][1] - exact).max() / np.abs(exact).max()}
    race(lambda: ours(*arrays), others, errors=errors, compiled=ours, rounds=ROUNDS)


def kernel_gradient(x, w, y):
    z = x @ w
    z -= z.max(1, keepdims=True)
    np.exp(z, out=z)
    z /= z.sum(1, keepdims=True)
    z[np.arange(len(y)), y] -= 1
    return x.T @ z / len(y)
