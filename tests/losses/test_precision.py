"""Matrix products: an accelerator's default would round float32 to TF32 or bfloat16."""

import jax
import numpy as np

import jimb
from tests.helpers.dots import precisions
from tests.helpers.losses_table import call, inputs_of
from tests.helpers.over_losses import few_losses


def test_cosine_logits_and_their_gradients_are_of_the_highest_precision():
    def total(features, kernel):
        return (jimb.cosine_logits(features, kernel) ** 2).sum()

    inputs = np.ones((3, 4), np.float32), np.ones((4, 2), np.float32)
    found = precisions(jax.grad(total, argnums=(0, 1)), *inputs)
    assert found == [("HIGHEST", "HIGHEST")] * 3


@few_losses
def test_losses_and_their_gradients_have_no_matrix_product(loss):
    inputs = inputs_of(loss)

    def mean(variables):
        return jimb.weighted_mean(call(loss, variables, inputs.labels), inputs.weights)

    assert precisions(jax.value_and_grad(mean), inputs.variables) == []


def test_a_soft_look_up_has_none():
    table, labels = np.ones(3, np.float32), np.ones((2, 3), np.float32)
    assert precisions(jax.grad(lambda t: jimb.take_class(t, labels).sum()), table) == []
