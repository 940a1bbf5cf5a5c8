"""The last layer of a trained model, balanced again without its data."""

import jax.numpy as jnp

from jimb import _checks
from jimb._norms import over_power_of_norm
from jimb._numerics import compute_dtype
from jimb._typing import Array, ArrayLike, Float


def tau_normalize(kernel: ArrayLike, *, tau: ArrayLike = 1.0) -> Float[Array, "F K"]:
    r"""Each class's column of the last kernel over a power of its norm, `w_c / ‖w_c‖^τ`.

    Classes with many examples have larger norms, and so larger logits. Leave the bias out:
    `features @ tau_normalize(kernel, tau=τ)`.

    Args:
      kernel: `[features, K]`, as in Flax.
      tau: τ ≥ 0, a scalar, in practice in [0, 1]; may be traced. 0 leaves the kernel as it is, to
        the bit. Choose it on validation data, by `choose`.

    Returns:
      A kernel of the same shape and dtype; half precision is computed in float32. A column of zeros
      stays, and has the gradient of τ = 0, the identity.

    Raises:
      TypeError: the kernel is not floating point.
      ValueError: the kernel is not `[features, K]`, or τ < 0 (traced: NaN and a checkify message).

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> kernel = jnp.array([[3.0, 0.0], [4.0, 0.5]])
      >>> print(jimb.posthoc.tau_normalize(kernel))
      [[0.6 0. ]
       [0.8 1. ]]

    Reference:
      Kang et al., Decoupling Representation and Classifier for Long-Tailed Recognition, ICLR 2020.
    """
    w = _checks.floating("kernel", kernel)
    if w.ndim != 2:
        raise ValueError(
            f"kernel must be [features, K], got {_checks.describe(w)}; use jax.vmap over several."
        )
    wide = w.astype(compute_dtype(w))
    power = _checks.scalar("tau", tau, 0.0, dtype=wide.dtype)
    return over_power_of_norm(wide, power, axis=0).astype(w.dtype)


def scale_logits(
    logits: ArrayLike, scales: ArrayLike, *, biases: ArrayLike | None = None
) -> Float[Array, "*batch K"]:
    r"""Logits times one learnable scale per class, `s_c · z_c`, or `s_c · z_c + b_c`.

    Learnable weight scaling: start from ones, and train the scales alone, with classes drawn evenly
    (`sampling.class_power(..., power=0.0)`) and the rest of the model fixed. With biases it is
    vector scaling, which `fit_vector_scaling` fits for calibration.

    Args:
      logits: `w·x + b`, `[..., K]`, floating point. A logit that is not finite (a masked class of
        -inf) stays as it is.
      scales: s, `[K]`, floating point.
      biases: b, `[K]`, floating point; None means none.

    Returns:
      Logits `[..., K]`, in the dtype of logits; half precision is computed in float32.
      Differentiable by all.

    Raises:
      TypeError: logits, scales or biases are not floating point.
      ValueError: scales or biases are not one number per class.

    Example:
      >>> import jax, jax.numpy as jnp, jimb
      >>> logits, labels = jnp.array([[2.0, 1.0]]), jnp.array([1])
      >>> print(jimb.posthoc.scale_logits(logits, jnp.array([0.5, 3.0])))
      [[1. 3.]]
      >>> def loss(scales):
      ...     scaled = jimb.posthoc.scale_logits(logits, scales)
      ...     return jimb.softmax_cross_entropy_loss(scaled, labels).mean()
      >>> print(jax.grad(loss)(jnp.ones(2)).round(3))
      [ 1.462 -0.731]

    Reference:
      Kang et al., ICLR 2020; Guo et al., ICML 2017.
    """
    z, s = _checks.class_logits(logits), _checks.floating("scales", scales)
    _checks.same_shape("scales", s, z.shape[-1:], "one number per class")
    dtype = compute_dtype(z, s)
    wide = z.astype(dtype)
    finite = jnp.isfinite(wide)
    scaled = jnp.where(finite, wide, 0) * jnp.broadcast_to(s.astype(dtype), z.shape)
    if biases is not None:
        b = _checks.floating("biases", biases)
        _checks.same_shape("biases", b, z.shape[-1:], "one number per class")
        scaled = scaled + jnp.broadcast_to(b.astype(dtype), z.shape)
    return jnp.where(finite, scaled, wide).astype(z.dtype)
