"""What losses of regions share: pixels of each class, their probabilities, and the named axes."""

import operator
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jimb import _checks, _labels
from jimb._numerics import compute_dtype
from jimb._report import report
from jimb._typing import Array, ArrayLike
from jimb.losses._elements import BAD_LABEL, nan_unless, visible
from jimb.losses._given_labels import softmax_labels, stored_logits, unit_labels


class Pixels(NamedTuple):
    """Logits and labels of each pixel and class, finite, and what is to be said of them."""

    logits: Array  # in compute precision, 0 where masked or not sound
    true: Array  # y, 0 where masked
    false: Array  # 1 - y, 0 where masked
    valid: Array  # whether the label is
    sound: Array  # whether the logits give probabilities
    axes: tuple[int, ...]
    sigmoid: bool
    dtype: jnp.dtype  # of the logits as given

    def sums(self, x: Array) -> Array:
        """Over the pixels of each region."""
        return jnp.sum(x, axis=self.axes)

    def probabilities(self) -> tuple[Array, Array]:
        """`(p, 1 - p)`, each with all its digits."""
        return _sigmoid(self.logits) if self.sigmoid else _softmax(self.logits)

    def finish(self, losses: Array) -> Array:
        """NaN where a label is not valid or a logit not sound, in the logits' own dtype."""
        valid = report(self._whole(self.valid), BAD_LABEL)
        return visible(nan_unless(valid & self._whole(self.sound), losses), self.dtype)

    def present(self) -> Array:
        """Which regions have a true pixel, or a label that is not valid."""
        valid = report(self._whole(self.valid), BAD_LABEL)
        return jnp.any(self.true > 0, axis=self.axes) | ~valid

    def _whole(self, flags: Array) -> Array:
        whole = jnp.all(flags, axis=self.axes)
        return whole if self.sigmoid else jnp.expand_dims(whole, -1)


def pixels(
    logits: ArrayLike,
    labels: ArrayLike,
    axis: int | tuple[int, ...],
    sigmoid: bool,
    where: ArrayLike | None,
) -> Pixels:
    """Checked, and made safe."""
    given = stored_logits(logits, labels)
    if not sigmoid:
        _checks.class_logits(given)
    axes = _axes_of(axis, given, sigmoid)
    batch = given.shape if sigmoid else given.shape[:-1]
    of = "logits" if sigmoid else "the pixels, logits.shape[:-1]"
    mask = _checks.mask(where, batch, of)
    kept = jnp.ones(batch, bool) if mask is None else mask
    z = given.astype(compute_dtype(given))
    if sigmoid:
        y = unit_labels(labels, given, where).astype(z.dtype)
        valid, sound, wide = _labels.soft_valid(y), ~jnp.isnan(z), kept
    else:
        y, valid = _of_classes(softmax_labels(labels, given, where), z)
        sound, wide = jnp.isfinite(jnp.max(z, axis=-1)), jnp.expand_dims(kept, -1)
    safe = sound & kept if sigmoid else jnp.expand_dims(sound & kept, -1)
    true, false = _unit(y, valid if sigmoid else jnp.expand_dims(valid, -1), wide)
    z = jnp.where(safe, z, 0)
    return Pixels(z, true, false, valid | ~kept, sound | ~kept, axes, sigmoid, given.dtype)


def _of_classes(labels: Array, z: Array) -> tuple[Array, Array]:
    """`y` of each class, and which labels are valid."""
    if jnp.issubdtype(labels.dtype, jnp.integer):
        safe, valid = _labels.in_range(labels, z.shape[-1])
        return _labels.one_hot(safe, z).astype(z.dtype), valid
    y = labels.astype(z.dtype)
    return y, jnp.all(_labels.soft_valid(y), axis=-1)


def _unit(y: Array, valid: Array, kept: Array) -> tuple[Array, Array]:
    """`y` and `1 - y` in [0, 1], 0 where masked."""
    y = jnp.where(valid & kept, y, 0)
    # Not clip: at exactly 0 and 1 the derivative with respect to y must pass.
    y = jnp.where(y < 0, 0, jnp.where(y > 1, 1, y))
    return y, jnp.where(kept, 1 - y, 0)


def _axes_of(axis: int | tuple[int, ...], logits: Array, sigmoid: bool) -> tuple[int, ...]:
    """The axes to sum over, counted from the front; ValueError if they are not such axes."""
    ndim = logits.ndim
    named = tuple(map(operator.index, axis if isinstance(axis, tuple | list) else (axis,)))
    axes = tuple(sorted(i + ndim if i < 0 else i for i in named))
    last = ndim if sigmoid else ndim - 1
    if not axes or len(set(axes)) < len(axes) or axes[0] < 0 or axes[-1] >= last:
        without = "" if sigmoid else ", but for the last, which has the classes,"
        raise ValueError(
            f"axis must name one or several axes of logits {list(logits.shape)}{without} to sum "
            f"over, got {axis}; (1, 2) sums over each image of [B, H, W, K]."
        )
    return axes


def _sigmoid(z: Array) -> tuple[Array, Array]:
    odds = jnp.exp(jnp.where(z > 0, -z, z))
    return jnp.where(z > 0, 1, odds) / (1 + odds), jnp.where(z > 0, odds, 1) / (1 + odds)


def _softmax(z: Array) -> tuple[Array, Array]:
    largest = jax.lax.stop_gradient(jnp.max(z, axis=-1, keepdims=True))
    odds = jnp.exp(z - largest)
    total = jnp.sum(odds, axis=-1, keepdims=True)
    others = jnp.sum(jnp.where(z == largest, 0, odds), axis=-1, keepdims=True)
    right = odds / total
    # Above one half the class is the only largest, and 1 - p would lose its digits.
    return right, jnp.where(right > 0.5, others / total, 1 - right)
