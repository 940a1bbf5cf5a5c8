"""Checks of what a caller passes, in sentences that say what to do.

Shapes and dtypes are checked at trace time, always. Numbers are checked where they are on the host;
a device array is never synced: there, a wrong number becomes NaN and a checkify message.
"""

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from jimb._host import array_of, host_labels, host_numbers, is_key, numbers, on_host, shown
from jimb._numerics import compute_dtype
from jimb._report import report
from jimb._typing import Array, Bool, Typed

__all__ = ["array_of", "host_labels", "host_numbers", "is_key", "numbers", "on_host", "shown"]


def describe(x: Array | np.ndarray) -> str:
    """`float32[8, 10]`, for error sentences."""
    return f"{x.dtype}{list(x.shape)}"


def given(name: str, value: Any) -> Any:
    """`value`; TypeError for None, which inside the package may mean something."""
    if value is None:
        raise TypeError(f"{name} must be a number, got None; leave it out for its default.")
    return value


def floating(name: str, value: Any) -> Array:
    """`value` as an array; TypeError unless it is floating point."""
    array = array_of(name, value)
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise TypeError(
            f"{name} must be floating point, got {describe(array)}; {cast(name, value, 'float32')}."
        )
    return array


def cast(name: str, value: Any, dtype: str) -> str:
    """How to change the dtype of what the caller holds, which may be a list."""
    if isinstance(value, Array):
        return f"cast with .astype(jnp.{dtype})"
    if hasattr(value, "astype"):
        return f"cast with .astype(np.{dtype})"
    return f"write np.asarray({name.split()[-1]}, np.{dtype})"


def per_example(name: str, value: Any) -> Array:
    """One floating-point number per example, [N]."""
    array = floating(name, value)
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"{name} must be one number per example, [N], got {describe(array)}.")
    return array


def example_weights(weights: Any) -> Array:
    """Weights `[N]`, finite and non-negative, float32 or float64; NaN where traced ones are not."""
    dtype = compute_dtype(per_example("weights", weights))
    if on_host(weights):
        host, least = host_numbers("weights", weights), np.finfo(dtype).tiny
        if np.any((host > 0) & (host < least)):
            raise ValueError(
                f"weights must be 0 or at least {least:.2g}, below which {dtype} holds nothing; "
                "multiply all of them by the same number."
            )
    return bounded("weights", weights, 0.0, float(np.finfo(np.float32).max), dtype=dtype)


def class_logits(logits: Any) -> Array:
    """Logits `[..., K]` with K >= 1."""
    array = floating("logits", logits)
    if array.ndim == 0 or array.shape[-1] == 0:
        raise ValueError(
            f"logits need a last axis of at least one class, [..., K], got {describe(array)}."
        )
    return array


def last_axis(axis: int, ndim: int) -> None:
    """ValueError unless it is that of the classes."""
    if axis not in (-1, ndim - 1):
        raise ValueError(f"axis must be -1, that of the classes, got {axis}.")


def class_table(name: str, values: Any, logits: Typed) -> Array:
    """Non-negative numbers `[K]`, one per class of the logits; NaN where traced ones are not."""
    table = bounded(name, per_class(name, values), 0.0, dtype=compute_dtype(logits))
    one_per_class(name, table, logits)
    return table


def distribution(name: str, prior: Any, logits: Typed) -> Array:
    """A `class_table` that sums to 1 but for rounding; all NaN if it is traced and does not."""
    table = class_table(name, prior, logits)
    sentence = f"{name} must sum to 1, the frequencies of the classes"
    if on_host(prior):
        if not abs(np.sum(np.asarray(prior, np.float64)) - 1) < 1e-3:
            raise ValueError(f"{sentence}, got {shown(prior)}; divide counts by their sum.")
        return table
    total = jnp.sum(table)
    is_one = jnp.abs(total - 1) < 1e-3
    is_one = report(is_one, sentence + ", got a sum of {total}.", total=total)
    return jnp.where(is_one, table, jnp.nan)


def probabilities(value: Any, *, where: Any = None) -> Array:
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


def label_array(name: str, value: Any) -> Array:
    """`value` as an array. Host integers beyond 32 bits saturate, where JAX would wrap them."""
    if on_host(value):
        host = host_labels(name, value)
        if np.issubdtype(host.dtype, np.integer) and host.dtype.itemsize > 4:
            limits = np.iinfo(np.int32)
            host = np.clip(host, limits.min, limits.max).astype(np.int32)
        return jnp.asarray(host)
    return array_of(name, value)


def integer(name: str, value: Any) -> Array:
    """`value` as an array; TypeError unless it holds integers (booleans do not count)."""
    array = label_array(name, value)
    if not jnp.issubdtype(array.dtype, jnp.integer):
        raise not_integers(name, value, array)
    return array


def not_integers(name: str, value: Any, array: Array | np.ndarray) -> TypeError:
    """The error for numbers that are no integers."""
    advice = cast(name, value, "int32")
    if "labels" in name and array.ndim > 1 and jnp.issubdtype(array.dtype, jnp.floating):
        advice = f"of one-hot or soft labels take {name.split()[-1]}.argmax(-1), or {advice}"
    return TypeError(f"{name} must be integers, got {describe(array)}; {advice}.")


def instead_of_one_hot(name: str, shape: tuple[int, ...]) -> str:
    """What to pass in place of labels with one axis too many."""
    name = name.split()[-1]
    if shape[-1:] == (1,):
        return f"drop the last axis with {name}[..., 0]"
    return f"of one-hot labels take {name}.argmax(-1)"


def same_shape(name: str, array: Array | np.ndarray, shape: tuple[int, ...], of: str) -> None:
    """ValueError unless `array` has exactly this shape."""
    if array.shape != shape:
        advice = "reshape or index it to fit"
        if "labels" in name and array.ndim == len(shape) + 1 and array.shape[:-1] == shape:
            advice = instead_of_one_hot(name, array.shape)
        raise ValueError(
            f"{name} must have the shape {list(shape)} of {of}, got {describe(array)}; {advice}."
        )


def one_per_class(name: str, table: Array, logits: Typed) -> None:
    """ValueError unless there is a number for each class of the logits."""
    if logits.shape[-1] == 1 != table.shape[0]:
        raise ValueError(
            f"{name} are of {table.shape[0]} classes and logits {list(logits.shape)} of one; give "
            "a logit for each class, or take a sigmoid loss for one logit per example."
        )
    same_shape(name, table, logits.shape[-1:], "one number per class")


def boolean(name: str, value: Any) -> Bool[Array, "..."]:
    """`value` as an array; TypeError unless it is boolean."""
    array = array_of(name, value)
    if array.dtype != jnp.bool_:
        test = name if hasattr(value, "dtype") else f"np.asarray({name})"
        raise TypeError(f"{name} must be boolean, got {describe(array)}; write {test} != 0.")
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


def mask(where: Any, shape: tuple[int, ...], of: str) -> Bool[Array, "..."] | None:
    """`where` as a boolean array of this shape, or None."""
    if where is None:
        return None
    array = boolean("where", where)
    same_shape("where", array, shape, of)
    return array


def bounded(
    name: str,
    value: Any,
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
    if on_host(value):
        host = host_bounded(name, value, low, high, exclusive=exclusive, finite=finite)
        return jnp.asarray(host, dtype)
    array = real(name, array_of(name, value)).astype(dtype)
    inside = _inside(array, low, high, exclusive, finite)
    sentence = _must_lie(name, low, high, exclusive, finite)
    inside = report(inside, sentence + ", got {value}.", value=array)
    return jnp.where(inside, array, jnp.nan)


def host_bounded(
    name: str,
    value: Any,
    low: float,
    high: float = math.inf,
    *,
    exclusive: bool = False,
    finite: bool = True,
) -> np.ndarray:
    """A value on the host as float64; ValueError outside [low, high]."""
    given = real(name, host_numbers(name, value))
    host: np.ndarray = given.astype(np.float64)
    inside = _inside(host, low, high, exclusive, finite)
    if not np.all(inside):
        sentence = _must_lie(name, low, high, exclusive, finite)
        raise ValueError(f"{sentence}, got {_wrong(host, ~inside)}{_overflow(given)}.")
    return host


def _must_lie(name: str, low: float, high: float, exclusive: bool, finite: bool) -> str:
    opening, closing = "(" if exclusive else "[", "]" if high < math.inf or not finite else ")"
    return f"{name} must lie in {opening}{low:g}, {high:g}{closing}"


def real(name: str, array: Any) -> Any:
    """`array`; TypeError where it is complex."""
    if jnp.issubdtype(array.dtype, jnp.complexfloating):
        raise TypeError(f"{name} must be real, got {describe(array)}; take {name}.real.")
    return array


def _wrong(values: Any, wrong: Any) -> str:
    if values.ndim == 0:
        return str(values)
    first = values[wrong][0]
    return f"{first} ({int(wrong.sum())} of {wrong.size})"


def _overflow(given: np.ndarray) -> str:
    """What to do about the infinities of a dtype that ends soon."""
    if given.dtype != np.float16 or not np.any(np.isinf(given)):
        return ""
    return "; float16 ends at 65504: keep it in float32"


def _inside(values: Any, low: float, high: float, exclusive: bool, finite: bool) -> Any:
    above = values > low if exclusive else values >= low
    return above & (values <= high) & ((values < math.inf) | (not finite))


def scalar(
    name: str,
    value: Any,
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


def per_class(name: str, value: Any) -> Array | np.ndarray:
    """Numbers in the order of the classes, NumPy where they are on the host.

    ValueError for a table's column whose index is not 0, 1, 2, ...: `value_counts()` sorts by
    frequency. TypeError for counts that are booleans.
    """
    index = getattr(value, "index", None)
    if index is not None and not callable(index) and not _counts_up(np.asarray(index)):
        raise ValueError(
            f"{name} has an index that is not 0, 1, 2, ... in order, and entry c must be of class "
            f"c. value_counts() needs {name}.reindex(range(num_classes), fill_value=0). If it has "
            f"the order of the classes, pass {name}.to_numpy()."
        )
    array = host_numbers(name, value) if on_host(value) else array_of(name, value)
    if "counts" in name and array.dtype == np.bool_:
        raise TypeError(f"{name} must be numbers of examples, got {describe(array)}.")
    return array


def _counts_up(index: np.ndarray) -> bool:
    return index.dtype.kind in "biuf" and np.array_equal(index, np.arange(len(index)))


def one_per_example(name: str, array: Array | np.ndarray, axis: str) -> None:
    """ValueError unless labels are one-dimensional."""
    if array.ndim == 1:
        return
    advice = f"; {instead_of_one_hot(name, array.shape)}" if array.ndim == 2 else ""
    raise ValueError(
        f"{name} must be one number per example, [{axis}], got {describe(array)}{advice}."
    )


def named(x: Any) -> str:
    """What `x` is, for error sentences: `int32[2, 2]` of an array, else the type's name."""
    return describe(x) if hasattr(x, "dtype") and hasattr(x, "shape") else type(x).__name__
