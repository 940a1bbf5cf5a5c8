"""The methods that `benchmark.py` compares: what each changes in the training of `train.py`.

A method changes the loss, the class weights, which examples an epoch draws, what is mined from a
batch, or the logits after training; everything else is the same for all.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from benchmark_epochs import Epoch, interpolated, on_the_plan, with_a_pool
from jax import Array
from train_settings import Loss, Rebalance, Weights

import jimb
from jimb import difficulty, sampling


@dataclasses.dataclass(frozen=True)
class Draw:
    """Weights `[N]` that an epoch is drawn by, from a state that the epoch before updated."""

    weights: Callable[[Any, Array, Array], Array]  # (state, labels, counts)
    init: Callable[[int, int], Any] = lambda num_examples, num_classes: ()
    update: Callable[[Any, Array, Array], Any] = lambda state, logits, labels: state
    held_out: bool = False  # the update sees validation examples, not the training set


def by_class(power: float) -> Draw:
    """Each class in proportion to its size to a power."""
    return Draw(lambda _, labels, counts: sampling.class_power(labels, counts, power=power))


def difficulty_draw(pseudocount: float) -> Draw:
    """Each example in proportion to its difficulty."""
    return Draw(
        lambda state, *_: difficulty.sampling_weights(state, pseudocount=pseudocount),
        lambda n, k: difficulty.init(n, k, dtype=jnp.float32),
        difficulty.update,
    )


UNIFORM = Draw(lambda _, labels, counts: jnp.ones(labels.shape, jnp.float32))
LAST_LOSS = Draw(
    lambda state, *_: difficulty.last_loss.score(state),
    difficulty.last_loss.init,
    difficulty.last_loss.update,
)
# One more than the events, so that what was never forgotten is still drawn.
FORGETTING = Draw(
    lambda state, *_: 1 + jnp.minimum(difficulty.forgetting.score(state), 10.0),
    lambda n, k: difficulty.forgetting.init(n),
    difficulty.forgetting.update,
)
# Before the second pass nothing varies: then all alike.
VARIABILITY = Draw(
    lambda state, *_: 0.05 + jnp.nan_to_num(difficulty.data_map.variability(state)),
    lambda n, k: difficulty.data_map.init(n),
    difficulty.data_map.update,
)
CLASS_WISE = Draw(
    lambda state, labels, counts: jimb.take_class(
        jnp.maximum(difficulty.class_wise.score(state), 0.01), labels
    ),
    lambda n, k: difficulty.class_wise.init(k),
    lambda _, logits, labels: difficulty.class_wise.update(
        difficulty.class_wise.init(logits.shape[-1]), logits, labels
    ),
    held_out=True,
)

# A plan from labels alone, NumPy `[N]`, for batches of this many examples.
LabelPlan = Callable[[Array, np.ndarray, int, int], Array]


def class_batches(key: Array, labels: np.ndarray, num_classes: int, batch_size: int) -> Array:
    """Half the classes in each batch."""
    classes = num_classes // 2
    batches = sampling.class_batches(
        key,
        labels,
        classes_per_batch=classes,
        per_class=batch_size // classes,
        num_batches=-(-len(labels) // batch_size),
    )
    return batches.reshape(-1)


def whole_classes(num_classes: int, batch_size: int) -> int:
    """The largest batch, up to this size, with as many of each class in half the classes."""
    classes = num_classes // 2
    return batch_size // classes * classes


@dataclasses.dataclass(frozen=True)
class Method:
    """One row of the table."""

    name: str
    functions: str  # of jimb, for the table
    paper: str
    loss: Loss = "ce"
    gamma: float = 2.0
    weights: Weights = "none"
    rebalance: Rebalance = "always"
    keep: float | None = None
    draw: Draw = UNIFORM
    plan: LabelPlan | None = None  # in place of the draw
    batch: Callable[[int, int], int] = lambda num_classes, size: size  # that its plan is made of
    epoch: Epoch = on_the_plan
    adjust: bool = False  # logits after training


METHODS = (
    Method("cross-entropy (CE)", "softmax_cross_entropy_loss", ""),
    Method("label smoothing", "softmax_cross_entropy_loss", "Szegedy 2016", "smoothed"),
    Method("focal, γ = 2", "softmax_focal_loss", "Lin 2017", "focal"),
    Method("focal, γ = 0.5", "softmax_focal_loss", "Lin 2017", "focal", gamma=0.5),
    Method("one-vs-all CE", "sigmoid_cross_entropy_loss", "", "sigmoid"),
    Method("one-vs-all focal", "sigmoid_focal_loss", "Lin 2017", "sigmoid-focal"),
    Method("asymmetric", "sigmoid_asymmetric_loss", "Ridnik 2021", "asymmetric"),
    Method("inverse frequency", "inverse_frequency_weights", "", weights="inverse"),
    Method("square root of it", "inverse_frequency_weights", "", weights="sqrt-inverse"),
    Method("effective number", "effective_number_weights", "Cui 2019", weights="effective"),
    Method("CB-softmax", "class_balanced_softmax_loss", "Cui 2019", "cb-softmax"),
    Method("CB-sigmoid", "class_balanced_sigmoid_loss", "Cui 2019", "cb-sigmoid"),
    Method("CB-focal", "class_balanced_focal_loss", "Cui 2019", "cb-focal"),
    Method(
        "deferred re-weighting (DRW)",
        "effective_number_weights",
        "Cao 2019",
        weights="effective",
        rebalance="deferred",
    ),
    Method("balanced softmax", "balanced_softmax_loss", "Ren 2020", "balanced-softmax"),
    Method("logit adjustment, trained", "logit_adjusted_loss", "Menon 2021", "logit-adjusted"),
    Method("logit adjustment, post hoc", "posthoc.adjust_logits", "Menon 2021", adjust=True),
    Method("LDAM", "ldam_loss", "Cao 2019", "ldam"),
    Method("LDAM-DRW", "ldam_loss", "Cao 2019", "ldam", weights="effective", rebalance="deferred"),
    Method("VS loss", "vs_loss", "Kini 2021", "vs"),
    Method("class-balanced sampling", "sampling.class_power", "Kang 2020", draw=by_class(0.0)),
    Method("square-root sampling", "sampling.class_power", "Kang 2020", draw=by_class(0.5)),
    Method(
        "progressively balanced",
        "sampling.mix_uniform",
        "Kang 2020",
        rebalance="progressive",
        draw=by_class(0.0),
    ),
    Method(
        "deferred re-sampling (DRS)",
        "sampling.mix_uniform",
        "Cao 2019",
        rebalance="deferred",
        draw=by_class(0.0),
    ),
    Method(
        "under-sampling",
        "sampling.undersample_plan",
        "",
        plan=lambda key, labels, k, _: sampling.undersample_plan(key, labels, k),
    ),
    Method(
        "over-sampling",
        "sampling.oversample_plan",
        "",
        plan=lambda key, labels, k, _: sampling.oversample_plan(key, labels, k),
    ),
    Method(
        "both, to the mean class",
        "sampling.balanced_plan",
        "",
        plan=lambda key, labels, k, _: sampling.balanced_plan(
            key, labels, k, per_class=len(labels) // k
        ),
    ),
    Method(
        "label shuffling",
        "sampling.label_shuffle_plan",
        "Zhong 2016",
        plan=lambda key, labels, k, _: sampling.label_shuffle_plan(key, labels, k),
    ),
    Method(
        "batches of half the classes",
        "sampling.class_batches",
        "",
        plan=class_batches,
        batch=whole_classes,
    ),
    Method(
        "class-balanced, interpolated",
        "sampling.interpolate_within_class",
        "Chawla 2002",
        draw=by_class(0.0),
        epoch=interpolated,
    ),
    Method("OHEM, hardest half", "mining.hard_example_weights", "Shrivastava 2016", keep=0.5),
    Method("hard-example pool", "mining.pool", "", epoch=with_a_pool),
    Method("difficulty, c = 1", "difficulty", "Yu 2022", draw=difficulty_draw(1.0)),
    Method("difficulty, c = 0.1", "difficulty", "Yu 2022", draw=difficulty_draw(0.1)),
    Method("last loss", "difficulty.last_loss", "Loshchilov 2016", draw=LAST_LOSS),
    Method("forgetting events", "difficulty.forgetting", "Toneva 2019", draw=FORGETTING),
    Method("data maps, variability", "difficulty.data_map", "Swayamdipta 2020", draw=VARIABILITY),
    Method("class-wise difficulty", "difficulty.class_wise", "Sinha 2020", draw=CLASS_WISE),
)


def misfit(method: Method, num_classes: int, vocabulary: int) -> str:
    """Why a method has no meaning on a task, or an empty text."""
    if method.plan is class_batches and num_classes < 4:
        return "half of two classes is one, and a batch of one class has nothing to tell apart"
    if method.epoch is interpolated and vocabulary:
        return "there is no word between two words"
    return ""


@dataclasses.dataclass(frozen=True)
class Compiled:
    """The part of a method that is compiled into an epoch: methods alike in it share the code."""

    draw: Draw
    epoch: Epoch

    @classmethod
    def of(cls, method: Method) -> "Compiled":
        """What differs only in numbers, loss or name is left out."""
        return cls(method.draw, method.epoch)
