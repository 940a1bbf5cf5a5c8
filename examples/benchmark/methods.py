"""The methods that are compared: what each changes in a training.

A method changes the loss, the class weights, which examples an epoch draws, what is mined from a
batch, or the logits after training; everything else is the same for all.
"""

import dataclasses
from collections.abc import Callable

from examples.benchmark.draws import (
    CLASS_WISE,
    FORGETTING,
    LAST_LOSS,
    UNIFORM,
    VARIABILITY,
    Draw,
    LabelPlan,
    by_class,
    class_batches,
    difficulty_draw,
    whole_classes,
)
from examples.benchmark.epochs import Epoch, interpolated, on_the_plan, with_a_pool
from examples.training import Loss, Rebalance, Weights
from jimb import sampling


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
    Method("Seesaw", "seesaw_loss", "Wang 2021", "seesaw"),
    Method("equalization v2", "equalization_loss", "Tan 2021", "equalization"),
    Method("equalized focal", "equalized_focal_loss", "Li 2022", "equalized-focal"),
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
