"""Losses that learn from what they have seen of the classes: a state, and a step of it."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

from jax import Array

import jimb
from examples.training.hyper import Hyper
from examples.training.losses import LOSSES, one_hot

State = Any
Losses = tuple[Array, State]  # of each example, and the state after the batch


class Adaptive(NamedTuple):
    """A loss with a state."""

    init: Callable[[int], State]  # of K classes
    step: Callable[[State, Array, Array, Hyper], Losses]


def seesaw(state: jimb.counting.CountState, logits: Array, labels: Array, hyper: Hyper) -> Losses:
    """Of the counts so far, with those of this batch."""
    state = jimb.counting.update(state, labels)
    return jimb.seesaw_loss(logits, labels, jimb.counting.compute(state)), state


def gradient_balanced(loss_of: Callable[[Hyper], Callable[..., Array]]) -> Adaptive:
    """A one-vs-all loss of the ratios so far, without those of this batch."""

    def step(
        state: jimb.gradient_ratio.GradientRatioState, logits: Array, labels: Array, hyper: Hyper
    ) -> Losses:
        loss, asked = loss_of(hyper), one_hot(logits, labels)
        losses = loss(logits, asked, jimb.gradient_ratio.compute(state)).sum(-1)
        return losses, jimb.gradient_ratio.update(state, logits, asked, loss=loss)

    return Adaptive(jimb.gradient_ratio.init, step)


ADAPTIVE: dict[str, Adaptive] = {
    "seesaw": Adaptive(jimb.counting.init, seesaw),
    "equalization": gradient_balanced(lambda h: jimb.equalization_loss),
    "equalized-focal": gradient_balanced(
        lambda h: functools.partial(jimb.equalized_focal_loss, alpha=None, gamma=h.gamma)
    ),
}


def init_loss(name: str, num_classes: int) -> State:
    """The state of a loss before the first batch; nothing, of most."""
    return ADAPTIVE[name].init(num_classes) if name in ADAPTIVE else ()


def losses_of(name: str, state: State, logits: Array, labels: Array, hyper: Hyper) -> Losses:
    """The loss of each example, and the state of the loss after them."""
    if name in ADAPTIVE:
        return ADAPTIVE[name].step(state, logits, labels, hyper)
    return LOSSES[name](logits, labels, hyper), state
