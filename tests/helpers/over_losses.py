"""A test for each row of the table of losses: `@all_losses`, and two parts of it."""

import pytest

from tests.helpers.losses_table import LOSSES


def over(losses):
    return pytest.mark.parametrize("loss", losses, ids=lambda loss: loss.name)


all_losses = over(LOSSES)
softmax_losses = over([loss for loss in LOSSES if "softmax" in loss.name])
swept_losses = over([loss for loss in LOSSES if loss.hyper])
