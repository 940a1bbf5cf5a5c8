"""A hundred data sets: losses, draws, choices and measures, and the programs of all of them."""

import functools
import operator

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jimb
from examples.keel import (
    choice,
    draws,
    folds,
    groups,
    jobs,
    losses,
    measures,
    methods,
    peers,
    programs,
    training,
)
from examples.keel.folds import INNER, OUTER
from examples.keel.methods import METHODS, Numbers
from tests.helpers import pages
from tests.helpers.keel import table

RNG = np.random.default_rng(0)
LOGITS = jnp.asarray(RNG.normal(0, 2, (12, 2)), jnp.float32)
LABELS = jnp.asarray(RNG.integers(0, 2, 12))
COUNTS = jnp.array([90, 10])
NO_MARGIN = losses.Margin(*jnp.zeros(3))


@pytest.fixture(autouse=True)
def _promotion_as_users_have_it():
    """Optax promotes, in the threads that compile, too."""
    pages.begin({})
    yield
    pages.end({})


# ----------------------------------------------------------------------------------------- losses


@pytest.mark.parametrize("function", sorted({m.functions for m in METHODS if m.functions}))
def test_each_row_names_a_function_of_jimb(function):
    operator.attrgetter(function)(jimb)


def loss_of(family, **numbers):
    own = Numbers(*(jnp.float32(x) for x in Numbers(**numbers)))
    classes = losses.Classes(COUNTS, losses.class_weights(COUNTS, own))
    return losses.LOSSES[family](LOGITS, LABELS, own, classes, NO_MARGIN)


PRIOR = COUNTS / COUNTS.sum()
ANSWERS = jax.nn.one_hot(LABELS, 2)


def hardest_quarter(logits, labels):
    """Of twelve losses three."""
    return jnp.sort(jimb.softmax_cross_entropy_loss(logits, labels))[-3:]


def asymmetric(logits, labels):
    return jimb.sigmoid_asymmetric_loss(logits, ANSWERS, gamma_pos=0.5, gamma_neg=3.0).sum(-1)


EQUAL = {
    "smoothed": (
        *("softmax", {"smoothing": 0.1}),
        functools.partial(jimb.softmax_cross_entropy_loss, label_smoothing=0.1),
    ),
    "asymmetric": ("asymmetric", {"gamma": 0.5, "negatives": 3}, asymmetric),
    "OHEM": ("mined", {"keep": 0.25}, hardest_quarter),
    "LDAM": (
        *("cosine", {"margin": 0.25}),
        functools.partial(jimb.ldam_loss, counts=COUNTS, max_margin=0.25, scale=30.0),
    ),
    "focal": ("softmax", {"gamma": 2}, functools.partial(jimb.softmax_focal_loss, gamma=2.0)),
    "logit-adjusted": (
        *("softmax", {"tau": 1.5}),
        functools.partial(jimb.logit_adjusted_loss, prior=PRIOR, tau=1.5),
    ),
    "VS": (
        *("softmax", {"tau": 0.5, "exponent": 0.3}),
        functools.partial(jimb.vs_loss, counts=COUNTS, gamma=0.3, tau=0.5),
    ),
    "inverse": (
        *("softmax", {"power": 1}),
        functools.partial(
            jimb.softmax_cross_entropy_loss, class_weights=jimb.inverse_frequency_weights(COUNTS)
        ),
    ),
    "CB-focal": (
        *("one-vs-all", {"gamma": 2, "beta": 0.99}),
        functools.partial(jimb.class_balanced_focal_loss, counts=COUNTS, beta=0.99, gamma=2.0),
    ),
    "CB-sigmoid": (
        *("one-vs-all", {"beta": 0.99}),
        functools.partial(jimb.class_balanced_sigmoid_loss, counts=COUNTS, beta=0.99),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", EQUAL)
def test_the_numbers_of_a_family_make_the_named_loss(name):
    family, numbers, named = EQUAL[name]
    expected = named(LOGITS, LABELS).mean()
    np.testing.assert_allclose(loss_of(family, **numbers), expected, rtol=2e-6)


@pytest.mark.slow
def test_the_auc_margin_loss_is_its_formula_and_climbs_in_alpha():
    a, b, alpha, m = 0.6, 0.2, 0.3, 1.0
    h = np.asarray(jax.nn.sigmoid(LOGITS[:, 1] - LOGITS[:, 0]), np.float64)
    y, p = np.asarray(LABELS), 0.1
    squares = (1 - p) * (h - a) ** 2 * y + p * (h - b) ** 2 * (1 - y)
    apart = p * h * (1 - y) - (1 - p) * h * y
    expected = squares.mean() + 2 * alpha * (p * (1 - p) * m + apart.mean())
    expected -= p * (1 - p) * alpha**2
    own = Numbers(margin=jnp.float32(m))
    classes = losses.Classes(COUNTS, jnp.ones(2))

    def loss(margin):
        return losses.auc_margin(LOGITS, LABELS, own, classes, margin)

    value, gradient = jax.value_and_grad(loss)(losses.Margin(*map(jnp.float32, (a, b, alpha))))
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    rising = 2 * (p * (1 - p) * m + apart.mean()) - 2 * p * (1 - p) * alpha
    np.testing.assert_allclose(gradient.alpha, -rising, rtol=1e-4)
    np.testing.assert_allclose(gradient.a, (-2 * (1 - p) * (h - a) * y).mean(), rtol=1e-4)


def test_deferred_methods_begin_after_four_fifths_and_progressive_ones_grow():
    shares = {
        name: [
            float(training.share_of(Numbers(schedule=jnp.float32(number)), jnp.float32(done)))
            for done in (0, 0.5, 0.79, 0.8, 1)
        ]
        for number, name in enumerate(methods.SCHEDULES)
    }
    assert shares["always"] == [1, 1, 1, 1, 1]
    assert shares["deferred"] == [0, 0, 0, 1, 1]
    np.testing.assert_allclose(shares["progressive"], [0, 0.5, 0.79, 0.8, 1])


@pytest.mark.slow
@pytest.mark.parametrize("kind", methods.DRAWS)
def test_only_what_is_trained_on_is_drawn_and_half_way_half_of_it_alike(kind):
    labels, trained = jnp.array([0, 0, 0, 1, 1, 0]), jnp.array([1, 1, 1, 1, 0, 0], bool)
    seen = draws.update(draws.init(6), LOGITS[:6], labels)
    numbers = Numbers(draw=jnp.float32(methods.drawn(kind)), class_power=0.0, pseudocount=1.0)
    counts = jnp.array([3, 1])
    weigh = functools.partial(draws.weights, seen, labels, trained, counts)
    own, half, equal = (weigh(jnp.float32(share), numbers) for share in (1, 0.5, 0))
    np.testing.assert_array_equal(own[4:], 0)
    np.testing.assert_allclose(own.sum(), 1, rtol=1e-6)
    np.testing.assert_allclose(equal, trained / 4)
    np.testing.assert_allclose(half, (own + equal) / 2, rtol=1e-6)
    if kind == "classes":
        np.testing.assert_allclose(own[:4], [1 / 6, 1 / 6, 1 / 6, 1 / 2], rtol=1e-6)
    if kind == "last loss":
        hard = np.asarray(jimb.softmax_cross_entropy_loss(LOGITS[:4], labels[:4]), np.float64)
        np.testing.assert_allclose(own[:4], hard / hard.sum(), rtol=1e-5)


# --------------------------------------------------------------------------- choices and measures


def test_the_best_inner_number_is_taken_and_the_first_of_equal_ones():
    own = tuple(m for m in METHODS if m.name in ("focal", "inverse frequency"))
    found = np.zeros((1, folds.FOLDS, 2, 5, len(measures.MEASURES)))
    found[0, :, INNER, :4, 0] = [0.5, 0.9, 0.9, 0.1]
    found[0, 0, INNER, 2, 0] = 0.95
    found[0, :, OUTER, :, 1] = [1, 2, 3, 4, 5]
    split = choice.split(found, own)
    np.testing.assert_array_equal(split["focal"].positions, [[2, 1, 1, 1, 1]])
    np.testing.assert_array_equal(split["focal"].tied, [[False, True, True, True, True]])
    np.testing.assert_array_equal(split["focal"].test[..., 1], [[3, 2, 2, 2, 2]])
    np.testing.assert_array_equal(split["inverse frequency"].test[..., 1], np.full((1, 5), 5))


@pytest.mark.slow
def test_measures_are_those_of_scikit_learn_of_the_rows_that_are_judged():
    scores = RNG.normal(size=60).astype(np.float32)
    labels, judged = RNG.integers(0, 2, 60), RNG.random(60) < 0.6
    ours = measures.measure(jnp.asarray(scores), jnp.asarray(labels), jnp.asarray(judged))
    theirs = peers.measure((scores >= 0)[judged].astype(int), scores[judged], labels[judged])
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    assert len(theirs) == len(measures.MEASURES + measures.RATES)


@pytest.mark.slow
@pytest.mark.parametrize(("midway", "between"), [(False, (-1.5001, -1.4999)), (True, (-1.8, -1.6))])
def test_the_threshold_is_the_best_of_the_rows_that_choose_it(midway, between):
    """It is the lowest positive's probability, or midway between it and the next below."""
    labels = jnp.array([0, 0, 0, 0, 1, 1, 0, 1])
    inner = jnp.array([1, 1, 1, 1, 1, 1, 0, 0], bool)
    on = jnp.array([-3.0, -2.5, -2.0, -1.0, -1.5, 2.0, 9.0, -1.9])
    scores = jnp.array([*between, 0.3])
    moved = measures.past_threshold(scores, on, labels, inner, midway=midway)
    np.testing.assert_array_equal(moved >= 0, [False, True, True])
    p = np.asarray(jax.nn.sigmoid(on), np.float64)
    t = (p[2] + p[4]) / 2 if midway else p[4]
    np.testing.assert_allclose(moved[2], 0.3 - np.log(t / (1 - t)), rtol=1e-5)


@pytest.mark.slow
def test_the_prior_is_taken_out_of_the_scores():
    counts = jnp.array([8.0, 2.0])
    adjusted = measures.adjusted(jnp.array([0.3]), counts, jnp.float32(1.5))
    np.testing.assert_allclose(adjusted, 0.3 + 1.5 * np.log(4), rtol=1e-6)


# -------------------------------------------------------------------------------- whole programs


FAMILIES = {"shared": ("softmax", "AUC", "mined"), "own": methods.OWN}
TABLES = {"one": table(40, 8), "two": table(60, 9, features=5, seed=1)}


def recipe_of(kind):
    return training.Recipe(FAMILIES[kind], "MLP", 4, 8, 10, 2, 1e-2)


@functools.cache
def built(kind, tables, rows, features):
    """A program of this shape."""
    group = groups.pad({str(k): table(rows, 9, features) for k in range(tables)}, 0)
    return programs.build(group, recipe_of(kind))


def found_by(group, kind):
    return programs.run(built(kind, *group.features.shape), group, 0, recipe_of(kind))


@pytest.mark.slow
@pytest.mark.parametrize("kind", FAMILIES)
def test_a_data_set_alone_is_its_slice_of_the_big_program(kind):
    group = groups.pad(TABLES, 0)
    together = found_by(group, kind)
    for k in range(len(TABLES)):
        alone = groups.Group(*(field[k : k + 1] for field in group))
        np.testing.assert_array_equal(found_by(alone, kind)[0], together[k])
    # Without the padding, sums have another order: a measure moves where two scores, or a score
    # and 0, are alike but for rounding.
    unpadded = found_by(groups.pad({"one": TABLES["one"]}, 0), kind)[0]
    assert np.mean(np.abs(unpadded - together[0]) < 1e-5) > 0.98


@pytest.mark.slow
@pytest.mark.parametrize("kind", FAMILIES)
def test_nothing_but_what_is_reported_depends_on_the_test_fold(kind):
    """Its labels, permuted, change no inner measure, no choice and no prediction, thresholds too.

    Noise in the place of its features changes no inner measure.
    """
    own, fold = jobs.trained_by(recipe_of(kind)), 1
    group = groups.pad(TABLES, 0)
    rng = np.random.default_rng(5)
    labels = group.labels.copy()
    for k in range(len(TABLES)):
        rows = np.flatnonzero(group.judged[k, fold, OUTER])
        labels[k, rows] = labels[k, rng.permutation(rows)]
    before, after = (found_by(each, kind) for each in (group, group._replace(labels=labels)))
    np.testing.assert_array_equal(before[:, fold, INNER], after[:, fold, INNER])
    chosen = [choice.split(each, own) for each in (before, after)]
    judged = group.judged[:, fold, OUTER]
    features = group.features.copy()
    features[judged] = rng.normal(size=features[judged].shape)
    noise = found_by(group._replace(features=features), kind)
    np.testing.assert_array_equal(before[:, fold, INNER], noise[:, fold, INNER])
    for method in own:
        first, second = (each[method.name] for each in chosen)
        np.testing.assert_array_equal(first.positions[:, fold], second.positions[:, fold])
        assert not np.array_equal(first.test[:, fold], second.test[:, fold])
    called = []
    for each, truth in ((before, group.labels), (after, labels)):
        recall, specificity = np.moveaxis(each[:, fold, OUTER, :, len(measures.MEASURES) :], -1, 0)
        positive = (truth * judged).sum(-1)[:, None]
        negative = judged.sum(-1)[:, None] - positive
        called.append(recall * positive + (1 - specificity) * negative)
    np.testing.assert_allclose(*called, atol=1e-4)
