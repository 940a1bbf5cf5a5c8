"""A head of many classes with its product, in bfloat16: logits stored, and never stored."""

import functools

import jax
import jax.numpy as jnp
import optax

import jimb
from tests.accelerator.race import race
from tests.helpers.figures import Figure


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def inputs(rows, width, classes):
    """Features, kernel and labels, made on the device."""
    x_key, w_key, y_key = jax.random.split(jax.random.key(0), 3)
    x = jax.random.normal(x_key, (rows, width), jnp.bfloat16)
    w = width**-0.5 * jax.random.normal(w_key, (width, classes), jnp.bfloat16)
    return x, w, jax.random.randint(y_key, (rows,), 0, classes)


def unstored(x, w, y):
    losses = jimb.softmax_focal_loss(jimb.LinearLogits(x, w), y, gamma=2.0)
    return jimb.weighted_mean(losses)


def stored(x, w, y):
    return jimb.weighted_mean(jimb.softmax_focal_loss(x @ w, y, gamma=2.0))


def stored_optax(x, w, y):
    logits = (x @ w).astype(jnp.float32)
    return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()


def products(x, w, y):
    """The three products of a stored head, and a sum of squares for a loss."""
    return jnp.mean(jnp.square((x @ w).astype(jnp.float32)))


def heads(rows, width, classes, rounds):
    """Value and gradient by features and kernel."""
    args = inputs(rows, width, classes)
    losses = {
        "jimb, not stored": unstored,
        "jimb, stored": stored,
        "Optax's cross-entropy, stored": stored_optax,
        "products alone": products,
    }
    programs = {
        name: jax.jit(jax.value_and_grad(loss, (0, 1))).lower(*args).compile()
        for name, loss in losses.items()
    }
    figures = race(
        {name: functools.partial(program, *args) for name, program in programs.items()},
        rounds=rounds,
    )
    for name, program in programs.items():
        size = program.memory_analysis().temp_size_in_bytes / 1e6
        figures.append(Figure(f"{name}, MB of temporaries", size, None))
    return figures
