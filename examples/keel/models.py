"""The two models, as functions of a dictionary of arrays."""

from typing import Literal

import jax
import jax.numpy as jnp
from jax import Array

import jimb

Model = Literal["linear", "MLP"]
Params = dict[str, Array]


def init(key: Array, model: Model, features: int, hidden: int, fan_in: Array) -> Params:
    """Initial weights of deviation `fan_in^-½`, the features that are no padding.

    JAX draws the weights of the first features alike, however many there are.
    """
    first, second = jax.random.split(key)
    width = 2 if model == "linear" else hidden
    params = {
        "kernel": jax.random.normal(first, (features, width)) * fan_in**-0.5,
        "bias": jnp.zeros(width),
    }
    if model == "MLP":
        params["output"] = jax.random.normal(second, (hidden, 2)) * hidden**-0.5
        params["output_bias"] = jnp.zeros(2)
    return params


def logits_of(params: Params, inputs: Array, *, cosine: bool) -> Array:
    """Logits `[..., 2]`, or cosines."""
    kernel, bias = params["kernel"], params["bias"]
    if "output" in params:
        inputs = jax.nn.relu(inputs @ kernel + bias)
        kernel, bias = params["output"], params["output_bias"]
    if cosine:
        return jimb.cosine_logits(inputs, kernel)
    return inputs @ kernel + bias
