"""What is on the host and can be looked at without a sync, and what is no array of numbers."""

import contextlib
import numbers as kinds
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jimb._typing import Array, HostArray

_PLAIN = {bool, int, float, complex, str, np.float64, np.float32, np.int64, np.int32, np.bool_}


def on_host(*values: Any) -> bool:
    """Whether all values are numbers on the host: Python's, NumPy's, or a table's column."""
    return all(map(_on_host, values))


def _on_host(value: Any) -> bool:
    if isinstance(value, bool | int | float | complex | np.ndarray | np.generic):
        return True
    return isinstance(value, list | tuple | HostArray) and not _on_device(value)


def _on_device(value: Any) -> bool:
    if not isinstance(value, list | tuple):
        return isinstance(value, jax.Array) or hasattr(value, "__jax_array__")
    if set(map(type, value)) <= _PLAIN:
        return False
    return any(map(_on_device, value))


def is_key(value: Any) -> bool:
    """Whether this is one of JAX's keys, or several."""
    return isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jax.dtypes.prng_key)


def shown(value: Any) -> str:
    """A value on one short line."""
    return f"{' '.join(repr(value).split()):.80}"


@contextlib.contextmanager
def numbers(name: str, value: Any) -> Iterator[None]:
    """Turns what NumPy and JAX raise where `value` is no array of numbers into a sentence."""
    try:
        yield
    except (TypeError, ValueError, OverflowError):
        raise _no_numbers(name, value) from None


def host_numbers(name: str, value: Any) -> np.ndarray:
    """A value on the host as NumPy numbers or booleans; TypeError for anything else."""
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise TypeError(f"{name} is a masked array, whose mask would be lost; pass {name}.data.")
    with numbers(name, value):
        host = np.asarray(value)
        if host.dtype == object:
            host = _of_objects(host)
    if not _numeric(host.dtype):
        raise _no_numbers(name, value)
    return host


def host_labels(name: str, value: Any) -> np.ndarray:
    """`host_numbers`; no labels are integers, for an empty list does not know of what it is."""
    host = host_numbers(name, value)
    empty_list = host.size == 0 and not hasattr(value, "dtype")
    return host.astype(np.int32) if empty_list else host


def array_of(name: str, value: Any) -> Array:
    """`value` as a JAX array of numbers or booleans; TypeError for anything else."""
    if on_host(value):
        return jnp.asarray(host_numbers(name, value))
    with numbers(name, value):
        array = jnp.asarray(value)
    if is_key(array):
        raise _no_numbers(name, value)
    return array


def _numeric(dtype: np.dtype[Any]) -> bool:
    return dtype == np.bool_ or bool(jnp.issubdtype(dtype, np.number))


def _of_objects(host: np.ndarray) -> np.ndarray:
    """Numbers out of an array of Python objects, if that is what they are."""
    plain = np.array(host.tolist())
    if plain.dtype == object and all(isinstance(x, kinds.Rational) for x in plain.flat):
        return plain.astype(np.float64)
    return plain


def _no_numbers(name: str, value: Any) -> TypeError:
    if is_key(value):
        return TypeError(f"{name} must be numbers, got a key; the key is the first argument.")
    got = f"{name} must be an array of numbers, got {shown(value)}"
    if isinstance(value, str):
        return TypeError(f"{name} must be a number, got the string {value!r:.80}.")
    if isinstance(value, Mapping):
        ordered = f"[{name}.get(c, 0) for c in range(num_classes)]"
        return TypeError(f"{got}; pass its values in the order of the classes, {ordered}.")
    if isinstance(value, set | frozenset) or hasattr(value, "__next__"):
        return TypeError(f"{got}; pass a list.")
    if hasattr(value, "argmax") and not hasattr(value, "__array__"):  # in the place of logits
        return TypeError(
            f"{name} must be an array of numbers, got {type(value).__name__}; take its .argmax() "
            "for predicted classes, or, of LinearLogits, .to_array()."
        )
    strings = _strings(value)
    if not strings:
        return TypeError(f"{got}.")
    kind = next((t for t in ("int", "float") if all(_reads_as(t, x) for x in strings)), None)
    if kind:
        return TypeError(f"{got}, strings; convert them with np.asarray({name}, dtype={kind}).")
    numbered = f"np.unique({name}, return_inverse=True)[1]"
    return TypeError(f"{got}, strings; classes by name become numbers by {numbered}.")


def _strings(value: Any) -> list[str]:
    """The first few entries, if all of them are strings."""
    try:
        entries = np.asarray(value, object).ravel()[:100].tolist()
    except (TypeError, ValueError):
        return []
    return entries if entries and all(isinstance(x, str | bytes) for x in entries) else []


def _reads_as(kind: str, text: str) -> bool:
    try:
        return bool(np.isfinite({"int": int, "float": float}[kind](text)))
    except (ValueError, OverflowError):
        return False
