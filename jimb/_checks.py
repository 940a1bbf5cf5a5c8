"""Checks of what a caller passes, in sentences that say what to do.

Shapes and dtypes are checked at trace time, always. Numbers are checked where they are Python or
NumPy; a device array is never synced: there, a wrong number becomes NaN and a checkify message.
"""

import contextlib
import math
from collections.abc import Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from jimb._numerics import compute_dtype
from jimb._report import report
from jimb._typing import Array, ArrayLike, Bool


def on_host(*values: Any) -> bool:
    """Whether all values are Python or NumPy numbers, which can be looked at without a sync."""
    return all(
        isinstance(v, bool | int | float | list | tuple | np.ndarray | np.generic) for v in values
    )


def describe(x: Array | np.ndarray) -> str:
    """`float32[8, 10]`, for error sentences."""
    return f"{x.dtype}{list(x.shape)}"


@contextlib.contextmanager
def numbers(name: str, value: Any) -> Iterator[None]:
    """Turns what NumPy and JAX raise where `value` is no array of numbers into a sentence."""
    try:
        yield
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be an array of numbers, got {value!r:.80}.") from None


def given(name: str, value: ArrayLike | None) -> ArrayLike:
    """`value`; TypeError for None, which inside the package may mean something."""
    if value is None:
        raise TypeError(f"{name} must be a number, got None; leave it out for its default.")
    return value


def floating(name: str, value: ArrayLike) -> Array:
    """`value` as an array; TypeError unless it is floating point."""
    with numbers(name, value):
        array = jnp.asarray(value)
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise TypeError(
            f"{name} must be floating point, got {describe(array)}; cast with .astype(jnp.float32)."
        )
    return array


def per_example(name: str, value: ArrayLike) -> Array:
    """One floating-point number per example, [N]."""
    array = floating(name, value)
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"{name} must be one number per example, [N], got {describe(array)}.")
    return array


def example_weights(weights: ArrayLike) -> Array:
    """Weights `[N]`, finite and non-negative, float32 or float64; NaN where traced ones are not."""
    dtype = compute_dtype(per_example("weights", weights))
    return bounded("weights", weights, 0.0, float(np.finfo(np.float32).max), dtype=dtype)


def class_logits(logits: ArrayLike) -> Array:
    """Logits `[..., K]` with K >= 1."""
    array = floating("logits", logits)
    if array.ndim == 0 or array.shape[-1] == 0:
        raise ValueError(
            f"logits need a last axis of at least one class, [..., K], got {describe(array)}."
        )
    return array


def class_table(name: str, values: ArrayLike, logits: Array) -> Array:
    """Non-negative numbers `[K]`, one per class of the logits; NaN where traced ones are not."""
    table = bounded(name, values, 0.0, dtype=compute_dtype(logits))
    same_shape(name, table, logits.shape[-1:], "one number per class")
    return table


def distribution(name: str, prior: ArrayLike, logits: Array) -> Array:
    """A `class_table` that sums to 1 but for rounding; all NaN if it is traced and does not."""
    table = class_table(name, prior, logits)
    sentence = f"{name} must sum to 1, the frequencies of the classes"
    if on_host(prior):
        if not abs(np.sum(np.asarray(prior, np.float64)) - 1) < 1e-3:
            raise ValueError(f"{sentence}, got {prior}; divide counts by their sum.")
        return table
    total = jnp.sum(table)
    is_one = jnp.abs(total - 1) < 1e-3
    is_one = report(is_one, sentence + ", got a sum of {total}.", total=total)
    return jnp.where(is_one, table, jnp.nan)


def probabilities(value: ArrayLike, *, where: ArrayLike | None = None) -> Array:
    """Numbers in [0, 1] but for rounding, float32 or float64; NaN where traced ones are not.

    What is masked is 0, unchecked.
    """
    array = floating("probabilities", value)
    kept = mask(where, array.shape, "probabilities")
    sentence = "probabilities must lie in [0, 1]; apply jax.nn.softmax or jax.nn.sigmoid to logits"
    if on_host(value) and (where is None or on_host(where)):
        numbers_kept = np.asarray(value) if where is None else np.asarray(value)[np.asarray(where)]
        wrong = numbers_kept[~_inside(numbers_kept, 0.0, 1.01, False, True)]
        if wrong.size:
            raise ValueError(f"{sentence}, got {wrong.flat[0]}.")
    wide = array.astype(compute_dtype(array))
    if kept is not None:
        wide = jnp.where(kept, wide, 0)
    inside = report(_inside(wide, 0.0, 1.01, False, True), sentence + ".")
    return jnp.where(inside, wide, jnp.nan)


def label_array(name: str, value: ArrayLike) -> Array:
    """`value` as an array. Host integers beyond 32 bits saturate, where JAX would wrap them."""
    with numbers(name, value):
        if on_host(value):
            host = np.asarray(value)
            if np.issubdtype(host.dtype, np.integer) and host.dtype.itemsize > 4:
                limits = np.iinfo(np.int32)
                value = np.clip(host, limits.min, limits.max).astype(np.int32)
        return jnp.asarray(value)


def integer(name: str, value: ArrayLike) -> Array:
    """`value` as an array; TypeError unless it holds integers (booleans do not count)."""
    array = label_array(name, value)
    if not jnp.issubdtype(array.dtype, jnp.integer):
        raise TypeError(
            f"{name} must be integers, got {describe(array)}; cast with .astype(jnp.int32)."
        )
    return array


def same_shape(name: str, array: Array | np.ndarray, shape: tuple[int, ...], of: str) -> None:
    """ValueError unless `array` has exactly this shape."""
    if array.shape != shape:
        raise ValueError(
            f"{name} must have the shape {list(shape)} of {of}, got {describe(array)}; "
            "reshape or index it to fit."
        )


def boolean(name: str, value: ArrayLike) -> Bool[Array, "..."]:
    """`value` as an array; TypeError unless it is boolean."""
    with numbers(name, value):
        array = jnp.asarray(value)
    if array.dtype != jnp.bool_:
        raise TypeError(f"{name} must be boolean, got {describe(array)}; write {name} != 0.")
    return array


def size(name: str, value: Any) -> int:
    """`value` as an int in [1, 2³¹), which fixes a shape and thus cannot be traced."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool):
        raise TypeError(
            f"{name} must be a Python int, because it fixes a shape, got {value!r:.80}."
        )
    if not 1 <= value < 2**31:
        raise ValueError(f"{name} must lie in [1, 2**31), got {value}.")
    return int(value)


def mask(where: ArrayLike | None, shape: tuple[int, ...], of: str) -> Bool[Array, "..."] | None:
    """`where` as a boolean array of this shape, or None."""
    if where is None:
        return None
    array = boolean("where", where)
    same_shape("where", array, shape, of)
    return array


def bounded(
    name: str,
    value: ArrayLike,
    low: float,
    high: float = math.inf,
    *,
    dtype: DTypeLike,
    exclusive: bool = False,
    finite: bool = True,
) -> Array:
    """`value` as an array of `dtype`, NaN where it is traced and outside [low, high].

    `exclusive` leaves out `low` itself, `finite` leaves out inf. Python and NumPy values outside
    raise ValueError.
    """
    opening, closing = "(" if exclusive else "[", "]" if high < math.inf or not finite else ")"
    sentence = f"{name} must lie in {opening}{low:g}, {high:g}{closing}"
    if on_host(value):
        with numbers(name, value):
            host = np.asarray(value, np.float64)
        if not np.all(_inside(host, low, high, exclusive, finite)):
            raise ValueError(f"{sentence}, got {value}.")
        return jnp.asarray(host, dtype)
    with numbers(name, value):
        array = jnp.asarray(value, dtype)
    inside = _inside(array, low, high, exclusive, finite)
    inside = report(inside, sentence + ", got {value}.", value=array)
    return jnp.where(inside, array, jnp.nan)


def _inside(values: Any, low: float, high: float, exclusive: bool, finite: bool) -> Any:
    above = values > low if exclusive else values >= low
    return above & (values <= high) & ((values < math.inf) | (not finite))


def scalar(
    name: str,
    value: ArrayLike,
    low: float,
    high: float = math.inf,
    *,
    dtype: DTypeLike,
    exclusive: bool = False,
) -> Array:
    """`bounded`, and ValueError unless it is a scalar."""
    checked = bounded(name, value, low, high, dtype=dtype, exclusive=exclusive)
    if checked.ndim != 0:
        raise ValueError(
            f"{name} must be a scalar, got {describe(checked)}; use jax.vmap to try several values."
        )
    return checked


def named(x: Any) -> str:
    """What `x` is, for error sentences: `int32[2, 2]` of an array, else the type's name."""
    return describe(x) if hasattr(x, "dtype") and hasattr(x, "shape") else type(x).__name__
