"""A test for each row of the table of losses: `@all_losses`, and parts of it."""

import pytest

from tests.helpers.losses_table import LOSSES

# Rows that compile long and differ from another by one term, or that stand by tests of their own.
SLOW = {
    "seesaw_mitigation",
    "sigmoid_equalization",
    "sigmoid_equalization_soft",
    "sigmoid_equalized_focal",
    "sigmoid_equalized_focal_soft",
    "sigmoid_focal_smoothing",
    "softmax_focal_smoothing",
    "softmax_focal_soft_smoothing",
}
# One of each way through the code, for what costs a compilation and is the same for all.
FEW = {
    "softmax_ce_smoothing_weights",
    "softmax_focal_soft",
    "sigmoid_focal_soft_alpha",
    "class_balanced_focal",
    "softmax_vs",
}


def over(losses, *, few=False):
    """A test for each; those that are not run by default are slow ones."""
    slow = {x.name for x in losses} - FEW if few else SLOW
    rows = [pytest.param(x, marks=[pytest.mark.slow] * (x.name in slow), id=x.name) for x in losses]
    return pytest.mark.parametrize("loss", rows)


SOFTMAX = [loss for loss in LOSSES if "softmax" in loss.name]
SWEPT = [loss for loss in LOSSES if loss.hyper]

all_losses, few_losses = over(LOSSES), over(LOSSES, few=True)
few_softmax_losses = over(SOFTMAX, few=True)
swept_losses, few_swept_losses = over(SWEPT), over(SWEPT, few=True)
