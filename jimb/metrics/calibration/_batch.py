"""A batch of probabilities as sums by bins of confidence."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from jimb import _checks, _labels, _pairs
from jimb._layout import laid_out_like
from jimb._pairs import Pair
from jimb._typing import Array, Bool, Float, Integer
from jimb.metrics._compiled import compiled
from jimb.metrics._example_weights import checked, included
from jimb.metrics._fixed_point import of_weights, value


def batch_sums(
    bins: int, probabilities: Any, labels: Any, binary: bool, weights: Any, where: Any
) -> Pair:
    """Sums `[4, B]` of weights, and of weights times confidence, right or not, Brier score."""
    shape = _checks.floating("probabilities", probabilities).shape
    if not binary and (len(shape) == 0 or shape[-1] == 0):
        raise ValueError(
            f"probabilities need a last axis of at least one class, [..., K], got {list(shape)}; "
            "of those of a positive class alone say binary=True."
        )
    batch, classes = (shape, 2) if binary else (shape[:-1], shape[-1])
    if getattr(labels, "dtype", None) == np.bool_:
        labels = labels.astype(np.int32)
    ids = _checks.integer("labels", labels)
    _checks.same_shape("labels", ids, batch, "probabilities" if binary else "the batch")
    kept = included(weights, where, batch, "labels")
    p = _checks.probabilities(probabilities, where=_of_all_classes(kept, probabilities, binary))
    p = p.astype(jnp.float32)
    cells = _labels.positions("labels", labels, classes, kept, "classes")
    cells = laid_out_like(cells, p)
    w = None if weights is None else laid_out_like(checked(weights, kept), p)
    return _sums(bins, jnp.minimum(p, 1), cells, w, binary)


def _of_all_classes(kept: Any, probabilities: Any, binary: bool) -> Any:
    """Which probabilities count."""
    if kept is None:
        return None
    if _checks.on_host(kept) and _checks.on_host(probabilities):
        host = np.asarray(kept)
        return host if binary else np.broadcast_to(host[..., None], np.shape(probabilities))
    p = jnp.asarray(probabilities)
    rows = laid_out_like(jnp.asarray(kept), p)
    if binary:
        return rows
    return laid_out_like(jnp.broadcast_to(jnp.expand_dims(rows, -1), p.shape), p)


def _sums(
    bins: int,
    p: Float[Array, "*any"],
    labels: Integer[Array, "*batch"],
    weights: Float[Array, "*batch"] | None,
    binary: bool,
) -> Pair:
    read = _of_one if binary else _of_classes
    found: Pair = compiled(lambda p, labels, weights: _summed(bins, *read(p, labels), weights))(
        p, labels, weights
    )
    return found


Read = tuple[Array, Array, Array, Bool[Array, "*batch"]]


def _of_one(p: Array, labels: Array) -> Read:
    """Confidence, whether it is right, the Brier score, and which examples count."""
    right = (labels == 1).astype(p.dtype)
    counts = (labels < 2) & ~jnp.isnan(p)
    return p, right, (p - right) ** 2, counts


def _of_classes(p: Array, labels: Array) -> Read:
    counts = (labels < p.shape[-1]) & ~jnp.any(jnp.isnan(p), axis=-1)
    own = _labels.one_hot(labels, p)
    right = (jnp.argmax(p, axis=-1) == labels).astype(p.dtype)
    return jnp.max(p, axis=-1), right, jnp.sum((p - own.astype(p.dtype)) ** 2, axis=-1), counts


def _summed(
    bins: int, confidence: Array, right: Array, brier: Array, counts: Array, weights: Array | None
) -> Pair:
    ones = jnp.ones_like(confidence) if weights is None else weights
    values = jnp.stack([ones, ones * confidence, ones * right, ones * brier], axis=-1)
    of = of_weights(jnp.where(jnp.expand_dims(counts, -1), values, 0))
    place = jnp.where(counts, _bin(jnp.where(counts, confidence, 0), bins), bins)
    high, low = value(_labels.class_sums(place, of.digits, bins), of)
    return high.T, low.T


def _bin(confidence: Float[Array, "*batch"], bins: int) -> Integer[Array, "*batch"]:
    """`⌊B · confidence⌋`, also where the product would round up to a whole number."""
    high, low = _pairs.product(confidence, jnp.full_like(confidence, bins))
    whole = jnp.floor(high)
    whole = jnp.where((whole == high) & (low < 0), whole - 1, whole)
    return jnp.clip(whole, 0, bins - 1).astype(jnp.int32)
