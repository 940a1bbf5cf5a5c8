"""A test for each row of the table of losses: `@all_losses`, and two parts of it."""

import pytest

from tests.helpers.losses_table import LOSSES

SLOW = {"softmax_focal_smoothing", "softmax_focal_soft_smoothing", "sigmoid_focal_smoothing"}


def over(losses):
    rows = [pytest.param(x, marks=[pytest.mark.slow] * (x.name in SLOW), id=x.name) for x in losses]
    return pytest.mark.parametrize("loss", rows)


all_losses = over(LOSSES)
softmax_losses = over([loss for loss in LOSSES if "softmax" in loss.name])
swept_losses = over([loss for loss in LOSSES if loss.hyper])
