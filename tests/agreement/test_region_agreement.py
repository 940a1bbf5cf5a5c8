"""Region losses of MONAI and segmentation-models-pytorch, and the jimb call that equals each.

The other side is stored in region_tables.json; make_region_tables.py made it.
"""

import functools
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jimb

TABLES = json.loads(Path(__file__).with_name("region_tables.json").read_text())
LOGITS = np.moveaxis(np.array(TABLES["logits"], np.float32), 1, -1)


def monai(logits, target, batch=False, sigmoid=False, **settings):
    """ε is added to 2 TP there, to TP here; MONAI's Tversky adds it as jimb does."""
    target = np.moveaxis(np.float32(target), 1, -1)
    axis = (0, 1, 2) if batch else (1, 2)
    call = functools.partial(
        jimb.tversky_loss, logits, jnp.asarray(target), axis=axis, sigmoid=sigmoid
    )
    smooth = settings["smooth_nr"]
    if "alpha" in settings:
        return call(alpha=settings["alpha"], beta=settings["beta"], smooth=smooth)
    if settings.get("jaccard"):
        return call(alpha=1.0, beta=1.0, smooth=smooth / 2)
    return jimb.dice_loss(
        logits, jnp.asarray(target), axis=axis, sigmoid=sigmoid, smooth=smooth / 2
    )


def smp_tversky(logits, target, **settings):
    """Binary: one region in all."""
    labels = jnp.asarray(np.moveaxis(np.float32(target), 1, -1))
    return jimb.tversky_loss(logits, labels, axis=(0, 1, 2, 3), sigmoid=True, **settings)


def smp_lovasz(logits, target, per_image):
    """The mean over the classes that are present, of the batch or of each image."""
    labels = jnp.array(target, jnp.int32)
    axis = (1, 2) if per_image else (0, 1, 2)
    where = labels != 255
    losses = jimb.lovasz_softmax_loss(logits, labels, axis=axis, where=where)
    present = jimb.present_regions(logits, labels, axis=axis, where=where)
    if not per_image:
        return jimb.weighted_mean(losses, where=present)
    return jax.vmap(lambda x, m: jimb.weighted_mean(x, where=m))(losses, present).mean()


UNSAID = "softmax", "soft_label"  # softmax is what jimb does by itself
TRANSLATION = {
    "monai.TverskyLoss": monai,
    "monai.DiceLoss": monai,
    "smp.TverskyLoss": smp_tversky,
    "smp.LovaszLoss": smp_lovasz,
}
ROWS = {call: [row for row in TABLES["rows"] if row["call"] == call] for call in TRANSLATION}
FIRST, *OTHERS = TRANSLATION


def translated(row, logits):
    options = {name: v for name, v in row["settings"].items() if name not in UNSAID}
    return TRANSLATION[row["call"]](logits, row["target"], **options)


def value_and_gradient(row, logits):
    value, pullback = jax.vjp(functools.partial(translated, row), logits)
    return value, jnp.moveaxis(pullback(jnp.ones_like(value))[0], -1, 1)


@pytest.mark.parametrize(
    "call", [FIRST, *(pytest.param(call, marks=pytest.mark.slow) for call in OTHERS)]
)
def test_the_translation_gives_the_stored_values_and_gradients(call):
    """Measured 1.2e-7, and 2.6e-8 of gradients, between two float32 computations."""
    run = jax.jit(lambda logits: [value_and_gradient(row, logits) for row in ROWS[call]])
    for row, (value, gradient) in zip(ROWS[call], run(LOGITS), strict=True):
        np.testing.assert_allclose(value, row["value"], rtol=0, atol=2.5e-7)
        np.testing.assert_allclose(gradient, row["gradient"], rtol=0, atol=6e-8)
