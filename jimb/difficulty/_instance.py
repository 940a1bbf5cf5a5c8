"""Instance difficulty: how much of each example is unlearned again and again, from its predictions.

Yu et al., Re-weighting with instance difficulty for long-tailed data, CVPR 2022. After each epoch
one deterministic pass over the training set gives the predictions p; against those of the pass
before, `Δ_j = p_j - p'_j` and `r_j = log p_j - log p'_j`.
"""

from types import ModuleType
from typing import NamedTuple

import jax.numpy as jnp
from jax.typing import DTypeLike

from jimb import _checks
from jimb._exports import exported
from jimb._layout import classes_divided, laid_out_like
from jimb._numerics import compute_dtype
from jimb._typing import Array, ArrayLike, Bool, Float
from jimb.difficulty import _deltas, _ordered, _quick, _rows


@exported
class DifficultyState(NamedTuple):
    """Sums over the passes so far, and the last predictions.

    Attributes:
      unlearned: `Σ_t du`, float32 `[N]`, in nats.
      learned: `Σ_t dl`, float32 `[N]`, in nats. Both sums 0: the example has not been seen.
      log_probs: `log p` of the last pass, `[N, K]`, or None in snapshot mode.
    """

    unlearned: Float[Array, " N"]
    learned: Float[Array, " N"]
    log_probs: Float[Array, "N K"] | None


def init(
    num_examples: int, num_classes: int, *, dtype: DTypeLike | None = jnp.float16
) -> DifficultyState:
    """A state in which no example has been seen; its previous predictions are uniform.

    Args:
      num_examples: N.
      num_classes: K.
      dtype: of the stored log-probabilities `[N, K]`. With float32 the sampling weights are right
        to a few of its roundings; float16 moves them by less than a thousandth. None stores
        nothing: `update` then takes the previous logits (snapshot mode).

    Returns:
      A `DifficultyState`.

    Raises:
      TypeError: `dtype` is no float of 16 bits or more.
      ValueError: N or K is below 1.

    Example:
      >>> import jimb
      >>> state = jimb.difficulty.init(1000, 10)
      >>> state.log_probs.shape, state.log_probs.dtype
      ((1000, 10), dtype('float16'))
    """
    if num_examples < 1 or num_classes < 1:
        raise ValueError(
            f"num_examples and num_classes must be at least 1, got {num_examples}, {num_classes}."
        )
    log_probs = None
    if dtype is not None:
        if not jnp.issubdtype(dtype, jnp.floating) or jnp.dtype(dtype).itemsize < 2:
            raise TypeError(f"dtype must be a float of 16 bits or more, or None, got {dtype}.")
        # Never read: an example that has not been seen takes the exact uniform prediction.
        log_probs = jnp.zeros((num_examples, num_classes), dtype)
    # Two arrays, not one twice: a donated state must not hold a buffer twice.
    return DifficultyState(
        jnp.zeros(num_examples, jnp.float32), jnp.zeros(num_examples, jnp.float32), log_probs
    )


def update(
    state: DifficultyState,
    logits: ArrayLike,
    labels: ArrayLike,
    *,
    index: ArrayLike | None = None,
    where: ArrayLike | None = None,
    previous_logits: ArrayLike | None = None,
) -> DifficultyState:
    r"""Adds one pass's prediction deltas to the state.

    The predictions should come from one deterministic pass over the training set at the end of an
    epoch: test transform, evaluation mode. An example that has not been seen (both sums 0) moves
    from the uniform prediction, exactly.

    Args:
      state: from `init` or `update`.
      logits: `[N, K]` for the whole data set in order, or `[B, K]` with `index`.
      labels: integers `[N]` or `[B]`.
      index: unique positions in the data set, `[B]`; None means all of it, in order.
      where: booleans `[N]` or `[B]`; False leaves an example as it was (padding of a last chunk).
      previous_logits: logits of the pass before, required in snapshot mode (zeros at the first
        pass: uniform) and refused otherwise.

    Returns:
      A state of the same types, shapes and dtypes, without gradient. A label outside [0, K) makes
      its example's sums and stored row NaN.

    Raises:
      TypeError: logits are not floating point, labels or index not integers, `where` not boolean.
      ValueError: shapes do not fit the state, `previous_logits` is missing or superfluous, or a
        Python or NumPy index lies outside [0, N) or repeats a position, unmasked. Traced, a row
        outside is dropped and one of the repeated rows is kept, with a checkify message.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> state = jimb.difficulty.init(3, 2)
      >>> logits, labels = jnp.array([[2.0, 0.0], [0.0, 1.0]]), jnp.array([0, 0])
      >>> state = jimb.difficulty.update(state, logits, labels, index=jnp.array([2, 0]))
      >>> print(state.unlearned.round(3), state.learned.round(3))
      [0.231 0.    0.   ] [0.    0.    0.762]

    Reference:
      Yu et al., CVPR 2022.
    """
    now, stored = _checks.class_logits(logits), state.log_probs
    before = _previous(state, now, previous_logits)
    return _rows.updated(
        _moved_quickly if _bits_do_not_matter(stored, now) else _moved,
        state,
        now,
        labels,
        before,
        index=index,
        where=where,
        num_classes=None if stored is None else stored.shape[-1],
    )


def _previous(state: DifficultyState, logits: Array, previous: ArrayLike | None) -> Array | None:
    """The logits of the pass before, in snapshot mode."""
    if state.log_probs is not None:
        if previous is not None:
            raise ValueError("the state stores its predictions: leave previous_logits out.")
        return None
    if previous is None:
        raise ValueError(
            "a state without a store (dtype=None) needs previous_logits, the logits of the pass "
            "before: zeros at the first pass, then those of the parameters kept from it."
        )
    before = _checks.floating("previous_logits", previous)
    _checks.same_shape("previous_logits", before, logits.shape, "logits")
    return laid_out_like(before, logits)


_LARGE = 2**24  # predictions


def _bits_do_not_matter(stored: Array | None, logits: Array) -> bool:
    """In float64, and for a large store of three digits: there it is the time that counts.

    Nor with divided classes: a sum in one order would move them, one in any order one number a row.
    """
    if compute_dtype(logits) != jnp.float32 or classes_divided(logits):
        return True
    return stored is not None and stored.dtype.itemsize < 4 and stored.size >= _LARGE


def _moved(
    state: DifficultyState, logits: Array, labels: Array, previous: Array | None
) -> DifficultyState:
    """The state after one pass, row by row: these may be all of its rows or some."""
    return _moved_by(_ordered, state, logits, labels, previous)


def _moved_quickly(
    state: DifficultyState, logits: Array, labels: Array, previous: Array | None
) -> DifficultyState:
    """`_moved` where bits do not matter."""
    return _moved_by(_quick, state, logits, labels, previous)


def _moved_by(
    by: ModuleType,
    state: DifficultyState,
    logits: Array,
    labels: Array,
    previous: Array | None,
) -> DifficultyState:
    dtype = compute_dtype(logits)
    now = _deltas.predict(logits, dtype, by)
    known = state.log_probs if previous is None else _deltas.predict(previous, dtype, by).log_p
    assert known is not None  # `_previous` has checked that there is one of the two
    new = _deltas.uniform(logits.shape[-1], dtype, by)
    before = _deltas.stored(jnp.where(_seen(state), known.astype(dtype), new), by)
    return _added(state, *_deltas.deltas(now, before, labels, by), now.log_p)


def _seen(state: DifficultyState) -> Bool[Array, "B 1"]:
    return jnp.expand_dims((state.unlearned != 0) | (state.learned != 0), -1)


def _added(
    state: DifficultyState, unlearned: Array, learned: Array, log_p: Array
) -> DifficultyState:
    """The state with these deltas and predictions."""
    # 0, or NaN for a bad label. It makes XLA read the old row before it writes the new one in its
    # place; else it would copy the whole store for each chunk.
    after = jnp.expand_dims(0 * (unlearned + learned), -1).astype(log_p.dtype)
    stored = None
    if state.log_probs is not None:
        stored = (log_p + after).astype(state.log_probs.dtype)
        stored = laid_out_like(stored, state.log_probs)
    return DifficultyState(
        state.unlearned + unlearned.astype(state.unlearned.dtype),
        state.learned + learned.astype(state.learned.dtype),
        stored,
    )
