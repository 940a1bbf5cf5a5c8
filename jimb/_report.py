"""Messages about traced numbers, heard by `checkify` and free for everyone else.

`checkify.debug_check` has a side effect, and a compiled function with one leaves JAX's fast path
for calls: 0.2 ms and more at each step. Here the predicate passes through an operation without any
effect, which `checkify` treats as it would treat its own.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental import checkify
from jax.extend.core import Primitive
from jax.interpreters import batching, mlir

from jimb._typing import Array, Bool

try:  # the one private place of JAX that is used: without it, the public function and its cost
    from jax._src.checkify import check_p, error_checks
except ImportError:
    error_checks = None  # type: ignore[assignment]


def report(
    ok: Bool[Array, "*any"],
    message: str,
    *,
    check: Callable[..., Array] | None = None,
    **values: Array,
) -> Bool[Array, "*any"]:
    """`ok` itself; use the result, or the message is lost.

    Under `checkify`, an error with this message where not all of `ok` is true, or `check(**values)`
    is not, which is computed under `checkify` alone; `{name}` in the message stands for a value.
    """
    if error_checks is None:
        checkify.debug_check(_fine(ok, check, values), message, **values)
        return ok
    operands = map(jax.lax.stop_gradient, values.values())
    same: Array = _report_p.bind(ok, *operands, message=message, names=tuple(values), check=check)
    return same


def _fine(ok: Array, check: Callable[..., Array] | None, values: dict[str, Array]) -> Array:
    return jnp.all(ok) if check is None else jnp.all(ok) & jnp.all(check(**values))


_report_p = Primitive("jimb_report")
_report_p.def_impl(lambda ok, *values, **_: ok)
_report_p.def_abstract_eval(lambda ok, *values, **_: ok)
mlir.register_lowering(_report_p, lambda ctx, ok, *values, **_: [ok])


def _batched(operands: Any, axes: Any, **params: Any) -> tuple[Array, Any]:
    # In front, where a check over a last axis need not know of it.
    moved = [
        x if axis is None else jnp.moveaxis(x, axis, 0)
        for x, axis in zip(operands, axes, strict=True)
    ]
    return _report_p.bind(*moved, **params), None if axes[0] is None else 0


batching.primitive_batchers[_report_p] = _batched


def _heard(
    *args: Any, message: str, names: tuple[str, ...], check: Callable[..., Array] | None
) -> tuple[Any, Array]:
    """What `checkify` does with it: the same as with a `debug_check`."""
    size = 1 + len(names)
    context, (ok, *values) = args[:-size], args[-size:]

    def said(ok: Array, values: list[Array]) -> None:
        named = dict(zip(names, values, strict=True))
        checkify.debug_check(_fine(ok, check, named), message, **named)

    jaxpr = jax.make_jaxpr(said)(ok, values)
    *before, last = jaxpr.eqns
    operands = jax.core.eval_jaxpr(
        jaxpr.jaxpr.replace(eqns=before, outvars=last.invars), jaxpr.consts, ok, *values
    )
    error, _ = error_checks[check_p](*context, *operands, **last.params)
    return error, ok


if error_checks is not None:
    error_checks[_report_p] = _heard
