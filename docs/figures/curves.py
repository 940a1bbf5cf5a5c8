"""Curves of the losses and weights."""

from pathlib import Path

import jax.numpy as jnp
import numpy as np

import jimb
from docs.figures.canvas import COLOURS, STYLES, canvas

SIZE = 5.4, 3.4


def focal(path: Path) -> None:
    """The focal loss over the probability of the true class, for four γ."""
    p = np.linspace(0.01, 0.99, 99)
    logits = jnp.asarray(np.log(p / (1 - p)), jnp.float32)
    with canvas(path, SIZE) as axes:
        axes.set(xlabel="probability of the true class", ylabel="loss, nats")
        for gamma, colour, style in zip((0.0, 0.5, 2.0, 5.0), COLOURS, STYLES, strict=True):
            losses = jimb.sigmoid_focal_loss(logits, jnp.ones(99), gamma=gamma)
            label = f"γ = {gamma:g}" + (", cross-entropy" if gamma == 0 else "")
            axes.plot(p, losses, style, color=colour, label=label)
        axes.grid(True)
        axes.legend()


def effective_number(path: Path) -> None:
    """The weight of a class of n examples beside one of 10 000, for four β."""
    n = np.geomspace(1, 10_000, 200)
    with canvas(path, SIZE) as axes:
        axes.set(xlabel="examples of the class", ylabel="weight, times that of 10 000 examples")
        for beta, colour, style in zip((0.9, 0.99, 0.999, 0.9999), COLOURS, STYLES, strict=True):
            numbers = jimb.effective_number(n, beta=beta)
            axes.loglog(n, numbers[-1] / numbers, style, color=colour, label=f"β = {beta}")
        axes.grid(True)
        axes.legend()
