"""The classifier in its parts, and what is put after its frozen backbone.

Each head is a function of one trial, and runs for all of them under `jax.vmap`.
"""

import functools
from collections.abc import Callable
from typing import Literal, NamedTuple

import jax.numpy as jnp
from flax import nnx
from jax import Array

import jimb
from examples import training
from examples.decoupling.task import CLASSES

TAUS = jnp.linspace(0.0, 5.0, 51)  # 0 changes nothing


class Classifier(training.MLP):
    """The MLP in three parts that can learn apart: backbone, head, a scale per class."""

    def __init__(self, features: int, hidden: int, classes: int, *, rngs: nnx.Rngs) -> None:
        super().__init__(features, hidden, classes, loss="ce", rngs=rngs)
        self.scales = nnx.Param(jnp.ones(classes))

    def backbone(self, images: Array) -> Array:
        """Features `[..., hidden]`."""
        return nnx.relu(self.hidden(images))

    def head(self, features: Array) -> Array:
        """Logits `[..., classes]`."""
        return jimb.posthoc.scale_logits(self.output(features), self.scales[...])

    def __call__(self, images: Array) -> Array:
        """Logits `[..., classes]`."""
        return self.head(self.backbone(images))


class Part(NamedTuple):
    """What the frozen backbone makes of images."""

    features: Array  # [n, hidden]
    labels: Array  # [n]


class Seen(NamedTuple):
    """The three parts of a trial's data, through the joint network's backbone."""

    train: Part
    validation: Part
    test: Part


Head = Callable[[Classifier, Seen, Array], tuple[Array, Array]]
"""From classifier, data and class prior to predicted test classes and the chosen τ, if any."""


def own_head(classifier: Classifier, seen: Seen, prior: Array) -> tuple[Array, Array]:
    """The classifier as it is."""
    return classifier.head(seen.test.features).argmax(-1), jnp.full((), jnp.nan)


def tau_normalized(classifier: Classifier, seen: Seen, prior: Array) -> tuple[Array, Array]:
    """Columns divided by their norm to the power τ; the bias is dropped."""

    def predict(part: Part, tau: Array) -> Array:
        kernel = jimb.posthoc.tau_normalize(classifier.output.kernel[...], tau=tau)
        return (part.features @ kernel).argmax(-1)

    return at_best_tau(predict, seen)


def logit_adjusted(classifier: Classifier, seen: Seen, prior: Array) -> tuple[Array, Array]:
    """Logits minus τ times the log of the class prior of the training images."""

    def predict(part: Part, tau: Array) -> Array:
        logits = classifier.head(part.features)
        return jimb.posthoc.adjust_logits(logits, prior, tau=tau).argmax(-1)

    return at_best_tau(predict, seen)


def at_best_tau(predict: Callable[[Part, Array], Array], seen: Seen) -> tuple[Array, Array]:
    """Test predictions with the τ that has the best balanced accuracy on validation."""
    validate = functools.partial(predict, seen.validation)
    best = jimb.posthoc.choose(validate, TAUS, seen.validation.labels, num_classes=CLASSES)
    return predict(seen.test, best.value), best.value


def nearest_mean(
    classifier: Classifier, seen: Seen, prior: Array, *, form: Literal["plain", "L2", "centred L2"]
) -> tuple[Array, Array]:
    """The class whose mean training feature is nearest."""
    class_means = jimb.posthoc.class_means
    features, tested = seen.train.features, seen.test.features
    empty = class_means.init(CLASSES, features.shape[-1])
    if form != "plain":
        raw = class_means.update(empty, features, seen.train.labels)
        center = class_means.center(raw) if form == "centred L2" else None
        features, tested = (class_means.normalize(f, center=center) for f in (features, tested))
    means = class_means.update(empty, features, seen.train.labels)
    return class_means.logits(means, tested).argmax(-1), jnp.full((), jnp.nan)


# Which training the classifier comes from, and what is put after its backbone.
METHODS: dict[str, tuple[str, Head]] = {
    "joint training": ("joint", own_head),
    "cRT": ("cRT", own_head),
    "τ-normalisation": ("joint", tau_normalized),
    "LWS": ("LWS", own_head),
    "NCM": ("joint", functools.partial(nearest_mean, form="plain")),
    "NCM, L2": ("joint", functools.partial(nearest_mean, form="L2")),
    "NCM, centred L2": ("joint", functools.partial(nearest_mean, form="centred L2")),
    "logit adjustment": ("joint", logit_adjusted),
}
