"""Elementwise functions that bring their own fast value and slope."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jimb._typing import Array


def elementwise(
    formula: Callable[..., Array],
    value: Callable[..., Array],
    slope: Callable[..., tuple[Array, Array]],
) -> Callable[..., Array]:
    """`formula(x, *parameters)`, computed by `value`, its derivative by x by `slope`.

    `slope(x, losses, *parameters)` gives a numerator and a denominator, and may use what `value`
    gave. Where x is not finite every derivative is 0; all but the first by x are those that JAX
    finds for the formula. A parameter may be None.
    """

    @jax.custom_jvp
    def function(x: Array, *parameters: Array | None) -> Array:
        return value(x, *parameters)

    @jax.custom_jvp
    def derivative(x: Array, losses: Array, *parameters: Array | None) -> Array:
        finite = jnp.isfinite(x)
        numerator, denominator = slope(x, losses, *parameters)
        # Divided last: XLA stores quotients of rows, and would compute a product once per class.
        return jnp.where(finite, numerator, 0) / jnp.where(finite, denominator, 1)

    def function_rule(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Array, Array]:
        x, *parameters = primals
        x_dot, *parameters_dot = tangents
        losses = function(*primals)
        tangent = jnp.zeros_like(losses)
        if not is_zero(x_dot):
            tangent += derivative(x, losses, *parameters) * x_dot
        varied = [i for i, dot in enumerate(parameters_dot) if not is_zero(dot)]
        if varied:

            def by_parameters(*some: Array) -> Array:
                every = list(parameters)
                for i, parameter in zip(varied, some, strict=True):
                    every[i] = parameter
                return _where_finite(formula, x, *every)

            point = [parameters[i] for i in varied], [parameters_dot[i] for i in varied]
            tangent += jax.jvp(by_parameters, *point)[1]
        return losses, tangent

    def derivative_rule(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Array, Array]:
        def by_x(x: Array, *parameters: Array | None) -> Array:
            unit = (x,), (jnp.ones_like(x),)
            tangent: Array = jax.jvp(lambda x: _where_finite(formula, x, *parameters), *unit)[1]
            return tangent

        x, _, *parameters = primals  # the losses are a function of the others
        x_dot, _, *parameters_dot = tangents
        return derivative(*primals), jax.jvp(by_x, (x, *parameters), (x_dot, *parameters_dot))[1]

    function.defjvp(function_rule, symbolic_zeros=True)
    derivative.defjvp(derivative_rule)
    result: Callable[..., Array] = function
    return result


def _where_finite(formula: Callable[..., Array], x: Array, *parameters: Array | None) -> Array:
    finite = jnp.isfinite(x)
    return jnp.where(finite, formula(jnp.where(finite, x, 0), *parameters), 0)


def is_zero(tangent: Any) -> bool:
    """Whether a rule has nothing to add for this tangent."""
    return tangent is None or isinstance(tangent, jax.custom_derivatives.SymbolicZero)
