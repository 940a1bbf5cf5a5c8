"""Logits and labels of a pass, as they are given."""

from jimb import _checks
from jimb._layout import laid_out_like
from jimb._typing import Array, ArrayLike, Integer
from jimb.heads._head import Logits, LogitsLike
from jimb.heads._read import class_logits, in_batch


def logits_and_labels(
    logits: LogitsLike, labels: ArrayLike
) -> tuple[Logits, Integer[Array, "*batch"]]:
    """Both, checked, that fit each other."""
    given = class_logits(logits)
    array = _checks.integer("labels", labels)
    _checks.same_shape("labels", array, given.shape[:-1], "the batch, logits.shape[:-1]")
    return given, laid_out_like(array, in_batch(given))
