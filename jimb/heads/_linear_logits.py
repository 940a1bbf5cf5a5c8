"""The logits of a linear layer, in place of an array of them."""

import dataclasses
import functools
from collections.abc import Hashable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jimb import _checks
from jimb._norms import unit
from jimb._numerics import compute_dtype
from jimb._typing import Array, ArrayLike, Float, Integer
from jimb.heads import _largest, _placed
from jimb.heads._blocks import Layer
from jimb.heads._largest import Largest
from jimb.heads._placed import Options


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=["features", "kernel", "bias"],
    meta_fields=["axis_name", "block_size", "precision"],
)
@dataclasses.dataclass(frozen=True)
class LinearLogits:
    r"""`x·W + b` of a last layer, for losses that never store it.

    Every softmax loss with class ids takes it in the place of logits: values and gradients come
    from one block of classes after another, in float32 (float64 for float64), and the largest array
    is a block. Features and kernel enter in the features' precision; the kernel's gradient is
    summed in float32 over the batch. It is a pytree, so that a gradient by it is another.

    Gradients of any order by reverse mode exist, and forward mode over reverse (a Hessian-vector
    product, `jax.jvp(jax.grad(loss), …)`); `jax.jvp` of the loss itself raises JAX's TypeError.

    Attributes:
      features: `[..., D]`, floating point.
      kernel: `[D, K]`, floating point.
      bias: `[K]`, or None. -inf removes a class.
      axis_name: the mesh axis, or axes, that divide the classes: kernel `P(None, "model")`, bias
        `P("model")`. Name it inside `jax.shard_map`, where kernel and bias are this device's part
        and class tables are whole, and for a mesh of type Auto, where XLA would otherwise gather
        the kernel; on an Explicit mesh the types tell it.
      block_size: classes computed together; None leaves it to the size of the batch and the
        platform. Smaller needs less memory.
      precision: of the products, as in `jax.numpy.matmul`; None is JAX's default.

    Raises (where it is used):
      TypeError: features, kernel or bias are not floating point.
      ValueError: shapes do not fit, `axis_name` is no axis, or its devices do not divide K evenly.

    Example:
      >>> import jax, jax.numpy as jnp, jimb
      >>> features = jnp.array([[1.0, 0.0], [0.0, 2.0]])
      >>> kernel = jnp.array([[2.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
      >>> def loss(kernel):
      ...     logits = jimb.LinearLogits(features, kernel)
      ...     return jimb.softmax_cross_entropy_loss(logits, jnp.array([0, 2])).mean()
      >>> value, gradient = jax.value_and_grad(loss)(kernel)
      >>> print(f"{value:.4f}", gradient.shape)
      1.2395 (2, 3)
      >>> print(jimb.LinearLogits(features, kernel).argmax())
      [0 1]

    Reference:
      Wijmans et al., Cut Your Losses in Large-Vocabulary Language Models, ICLR 2025, whose
      gradient is here that of each example's loss.
    """

    features: ArrayLike
    kernel: ArrayLike
    bias: ArrayLike | None = None
    _: dataclasses.KW_ONLY
    axis_name: Hashable | tuple[Hashable, ...] | None = None
    block_size: int | None = None
    precision: Any = None

    @classmethod
    def cosines(cls, features: ArrayLike, kernel: ArrayLike, **options: Any) -> "LinearLogits":
        r"""The cosines of `cosine_logits`, `f·w_c / (‖f‖ ‖w_c‖)`, for `ldam_loss`.

        Args:
          features: `[..., D]`, floating point.
          kernel: `[D, K]`, floating point.
          **options: `axis_name`, `block_size`; the precision is the highest unless it is given.

        Returns:
          `LinearLogits` of both at unit length, in float32 for half precision: rounding a cosine
          near 1 to bfloat16 moves it by up to 2⁻⁹, and its logit at the scale of 30 by 0.06.

        Example:
          >>> import jax.numpy as jnp, jimb
          >>> cosines = jimb.LinearLogits.cosines(jnp.array([[3.0, 4.0]]), jnp.eye(2))
          >>> print(jimb.ldam_loss(cosines, jnp.array([1]), [160, 10], scale=2.0).round(4))
          [1.0375]
        """
        given = cls(features, kernel, **{"precision": jax.lax.Precision.HIGHEST, **options})
        x, w, *_ = layer_of(given)
        x, w = _of_unit_length(x, w)
        return dataclasses.replace(given, features=x, kernel=w)

    @property
    def shape(self) -> tuple[int, ...]:
        """`[..., K]`, that of the logits, with the classes of all devices."""
        parts = _placed.parts(self.axis_name)
        return (*np.shape(self.features)[:-1], np.shape(self.kernel)[-1] * parts)

    @property
    def ndim(self) -> int:
        """Of the logits."""
        return np.ndim(self.features)

    @property
    def dtype(self) -> np.dtype[Any]:
        """That of the features, and of losses."""
        return jnp.result_type(self.features)

    def checked(self) -> "LinearLogits":
        """The same of arrays; an error where they do not fit."""
        options_of(self)
        features, kernel, bias, *_ = layer_of(self)
        return dataclasses.replace(self, features=features, kernel=kernel, bias=bias)

    def to_array(self) -> Float[Array, "*batch K"]:
        """The logits, stored, in the features' dtype; those of one device inside `shard_map`."""
        layer = layer_of(self)
        return _placed.stored(layer, options_of(self)).astype(layer.features.dtype)

    def argmax(self, axis: int = -1) -> Integer[Array, "*batch"]:
        """The predicted classes `[...]`, int32; of equal logits the first counts, as in NumPy."""
        _checks.last_axis(axis, self.ndim)
        found: Largest = _placed.run(_largest.largest, layer_of(self), None, options_of(self))
        return found.place


@jax.jit
def _of_unit_length(x: Array, w: Array) -> tuple[Array, Array]:
    dtype = compute_dtype(x, w)
    return unit(x.astype(dtype), -1), unit(w.astype(dtype), 0)


def layer_of(logits: LinearLogits) -> Layer:
    """The arrays, checked."""
    features = _checks.floating("features", logits.features)
    kernel = _checks.floating("kernel", logits.kernel)
    if features.ndim == 0 or kernel.ndim != 2 or features.shape[-1] != kernel.shape[0]:
        raise ValueError(
            f"features must be [..., D] and kernel [D, K], got {_checks.describe(features)} and "
            f"{_checks.describe(kernel)}."
        )
    if kernel.shape[1] == 0:
        raise ValueError("kernel must have at least one class, [D, K], got none.")
    if logits.bias is None:
        return Layer(features, kernel)
    bias = _checks.floating("bias", logits.bias)
    _checks.same_shape("bias", bias, kernel.shape[1:], "one number per class of the kernel")
    return Layer(features, kernel, bias)


def options_of(logits: LinearLogits) -> Options:
    """What is compiled in, checked."""
    size = logits.block_size
    if size is not None:
        size = _checks.size("block_size", size)
    name = logits.axis_name
    name = tuple(name) if isinstance(name, list) else name
    return Options(name, size, _precision(logits.precision))


def _precision(given: Any) -> jax.lax.Precision | None:
    if given is None:
        return None
    try:
        return jax.lax.Precision(given)
    except ValueError:
        names = ", ".join(repr(each.name.lower()) for each in jax.lax.Precision)
        raise ValueError(
            f"precision must be None, a jax.lax.Precision or one of {names}, got {given!r:.80}."
        ) from None
