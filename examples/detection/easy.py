"""How the focal loss adds up over objects and negatives, from the easiest to the hardest.

It is the figure of the paper (Lin et al., ICCV 2017), of one trained detector for all γ.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from flax import nnx

import jimb
from examples.detection.epochs import logits_of
from examples.detection.network import Recipe
from examples.detection.task import Batch

TRAINED = "focal γ=2 (α=0.25)"
GAMMAS = (0.0, 0.5, 1.0, 2.0, 5.0)
POINTS = 1000
CANVASES = 100


class Curves(NamedTuple):
    """Of each γ, the share of the loss that the easiest have, at `POINTS + 1` shares of them."""

    objects: dict[float, np.ndarray]
    negatives: dict[float, np.ndarray]


def curves_of(params: nnx.State, test: Batch, recipe: Recipe) -> Curves:
    """From every logit of some canvases."""
    some = Batch(*(x[:CANVASES] for x in test))
    outputs = logits_of(params, some, recipe=recipe)
    logits, targets, asked = map(np.asarray, outputs)
    objects, negatives = (logits[(targets == label) & asked] for label in (1, 0))
    return Curves(
        {gamma: cumulative(objects, 1, gamma) for gamma in GAMMAS},
        {gamma: cumulative(negatives, 0, gamma) for gamma in GAMMAS},
    )


def cumulative(logits: np.ndarray, label: int, gamma: float) -> np.ndarray:
    """Shares of the loss of logits that all have this label."""
    labels = jnp.full(len(logits), label)
    losses = np.asarray(jimb.sigmoid_focal_loss(jnp.asarray(logits), labels, gamma=gamma))
    total = np.cumsum(np.sort(losses.astype(np.float64)))
    total = np.concatenate([np.zeros(1), total]) / total[-1]
    places = np.linspace(0, len(logits), POINTS + 1).round().astype(int)
    share: np.ndarray = total[places]
    return share
