"""The head that LDAM needs: logits that are cosines."""

import jax
import jax.numpy as jnp

from jimb import _checks
from jimb._norms import unit
from jimb._numerics import compute_dtype
from jimb._typing import Array, ArrayLike, Float


def cosine_logits(features: ArrayLike, kernel: ArrayLike) -> Float[Array, "*batch K"]:
    r"""Cosines of the features with each class's kernel column, `f·w_c / (‖f‖ ‖w_c‖)`.

    Right at every scale: norms whose squares overflow or underflow cost no digit, in value or
    gradient.

    Args:
      features: `[..., D]`, floating point.
      kernel: `[D, K]`, floating point.

    Returns:
      `[..., K]` in [-1, 1], in the dtype of features; half precision is computed in float32. A zero
      vector has cosine 0 and gradient 0; one with an entry that is not finite has cosine NaN.

    Raises:
      TypeError: features or kernel are not floating point.
      ValueError: shapes do not fit.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> print(jimb.cosine_logits(jnp.array([[3.0, 4.0]]), jnp.eye(2)))
      [[0.6 0.8]]

    Reference:
      Cao et al., NeurIPS 2019.
    """
    f, w = _checks.floating("features", features), _checks.floating("kernel", kernel)
    if f.ndim == 0 or w.ndim != 2 or f.shape[-1] != w.shape[0]:
        raise ValueError(
            f"features must be [..., D] and kernel [D, K], got {_checks.describe(f)} and "
            f"{_checks.describe(w)}."
        )
    dtype = compute_dtype(f, w)
    # The default precision of accelerators rounds to TF32 or bfloat16, which `scale` multiplies.
    cosines = jnp.matmul(
        unit(f.astype(dtype), -1), unit(w.astype(dtype), 0), precision=jax.lax.Precision.HIGHEST
    )
    # What rounding put beyond 1 is taken off, from the value and not from the derivatives.
    beyond = jax.lax.stop_gradient(cosines - jnp.clip(cosines, -1, 1))
    return (cosines - beyond).astype(f.dtype)
