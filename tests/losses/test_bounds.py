"""Bounds of their own: soft labels, prior-shift, class-balanced and asymmetric losses."""

import ml_dtypes
import numpy as np
import pytest

from tests.helpers import bounds, class_bounds
from tests.helpers.compilation import as_users
from tests.helpers.figures import hold


@pytest.mark.parametrize("focal", [False, True])
def test_softmax_with_soft_labels(focal):
    hold(bounds.softmax_soft(focal, jit=as_users))


@pytest.mark.parametrize("weighted", [pytest.param(False, marks=pytest.mark.slow), True])
def test_softmax_with_smoothing(weighted):
    hold(bounds.smoothed(weighted, jit=as_users))


@pytest.mark.parametrize("focal", [False, True])
def test_sigmoid_with_soft_labels(focal):
    hold(bounds.sigmoid_soft(focal, jit=as_users))


SHIFTED = [
    pytest.param(name, marks=[pytest.mark.slow] * (name == "seesaw"))
    for name in class_bounds.PRIOR_SHIFT
]


@pytest.mark.parametrize("name", SHIFTED)
def test_prior_shift(name):
    hold(class_bounds.prior_shift([name], jit=as_users))


def test_class_balanced():
    hold(class_bounds.class_balanced(jit=as_users))


@pytest.mark.slow
def test_equalized():
    hold(class_bounds.equalized(jit=as_users))


@pytest.mark.parametrize(
    "clip", [0.05, *(pytest.param(c, marks=pytest.mark.slow) for c in (0.0, 0.4))]
)
def test_asymmetric(clip):
    hold(bounds.asymmetric(clip, jit=as_users))


@pytest.mark.parametrize("dtype", [ml_dtypes.bfloat16, np.float16])
@pytest.mark.parametrize(
    "name",
    [n if n == "vs" else pytest.param(n, marks=pytest.mark.slow) for n in class_bounds.PRIOR_SHIFT],
)
def test_half_precision_of_prior_shift_is_correctly_rounded(name, dtype):
    hold(class_bounds.prior_shift_half([name], dtype))


@pytest.mark.parametrize("dtype", [ml_dtypes.bfloat16, np.float16])
def test_half_precision_of_asymmetric_is_correctly_rounded(dtype):
    hold(bounds.asymmetric_half(dtype))
