"""A hundred data sets: how methods are trained on them, chosen from and compared."""

import functools
import operator
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import jimb
from examples.data import keel as data
from examples.keel import __main__ as keel
from examples.keel import (
    choice,
    comparison,
    draws,
    folds,
    groups,
    head,
    jobs,
    losses,
    measures,
    methods,
    outcome,
    peers,
    programs,
    report,
    results,
    statistics,
    training,
)
from examples.keel.folds import INNER, OUTER
from examples.keel.methods import METHODS, Numbers
from examples.keel.settings import Settings
from tests.helpers import pages

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


def table(rows, positives, features=3, seed=0):
    """Positives lie higher in the first feature."""
    rng = np.random.default_rng(seed)
    labels = (rng.permutation(rows) < positives).astype(np.int32)
    x = rng.normal(5, 2, (rows, features)).astype(np.float32)
    x[:, 0] += 3 * labels
    return data.Table(x, labels)


# ----------------------------------------------------------------------------------------- losses


@pytest.mark.parametrize("function", sorted({m.functions for m in METHODS if m.functions}))
def test_each_row_names_a_function_of_jimb(function):
    operator.attrgetter(function)(jimb)


def loss_of(family, **numbers):
    own = Numbers(*(jnp.float32(x) for x in Numbers(**numbers)))
    classes = losses.Classes(COUNTS, losses.class_weights(COUNTS, own))
    return losses.LOSSES[family](LOGITS, LABELS, own, classes, NO_MARGIN)


PRIOR = COUNTS / COUNTS.sum()
EQUAL = {
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


# --------------------------------------------------------------------------- choices and measures


def test_the_best_inner_number_is_taken_and_the_first_of_equal_ones():
    own = tuple(m for m in METHODS if m.name in ("focal", "inverse frequency"))
    found = np.zeros((1, folds.FOLDS, 2, 5, len(measures.MEASURES)))
    found[0, :, INNER, :4, 0] = [0.5, 0.9, 0.9, 0.1]
    found[0, :, OUTER, :, 1] = [1, 2, 3, 4, 5]
    split = choice.split(found, own)
    chosen, test = split["focal"]
    np.testing.assert_array_equal(chosen, np.ones((1, folds.FOLDS)))
    np.testing.assert_array_equal(test[..., 1], np.full((1, folds.FOLDS), 2))
    np.testing.assert_array_equal(split["inverse frequency"][1][..., 1], np.full((1, 5), 5))


@pytest.mark.slow
def test_measures_are_those_of_scikit_learn_of_the_rows_that_are_judged():
    scores = RNG.normal(size=60).astype(np.float32)
    labels, judged = RNG.integers(0, 2, 60), RNG.random(60) < 0.6
    ours = measures.measure(jnp.asarray(scores), jnp.asarray(labels), jnp.asarray(judged))
    theirs = peers.measure((scores >= 0)[judged].astype(int), scores[judged], labels[judged])
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    assert len(theirs) == len(measures.MEASURES)


@pytest.mark.slow
def test_the_threshold_is_the_best_of_the_rows_that_choose_it():
    labels = jnp.array([0, 0, 0, 0, 1, 1, 0, 1])
    inner = jnp.array([1, 1, 1, 1, 1, 1, 0, 0], bool)
    on = jnp.array([-3.0, -2.5, -2.0, -1.0, -1.5, 2.0, 9.0, -9.0])
    moved = measures.past_threshold(jnp.array([-1.6, -1.4]), on, labels, inner)
    np.testing.assert_allclose(moved, [-0.1, 0.1], atol=1e-5)
    counts = jnp.array([8.0, 2.0])
    adjusted = measures.adjusted(jnp.array([0.3]), counts, jnp.float32(1.5))
    np.testing.assert_allclose(adjusted, 0.3 + 1.5 * np.log(4), rtol=1e-6)


# ------------------------------------------------------------------------------------- statistics


def test_the_critical_difference_is_that_of_the_example_of_demsar():
    assert round(statistics.critical_difference(4, 14), 2) == 1.25


def test_ranks_and_tests_against_the_first():
    rng = np.random.default_rng(1)
    scores = rng.random((4, 30)) + np.array([0, 0.5, 0, -0.2])[:, None]
    found = statistics.rank(scores)
    assert found.ranks.argmin() == 1
    np.testing.assert_allclose(found.ranks.sum(), 10)
    assert found.friedman == stats.friedmanchisquare(*scores).pvalue
    raw = np.array([stats.wilcoxon(each, scores[0]).pvalue for each in scores[1:]])
    smallest = raw.argmin()
    np.testing.assert_allclose(found.p[1:][smallest], 3 * raw[smallest])
    assert (found.p[1:] >= raw).all()
    assert statistics.wilcoxon(scores[0], scores[0]) == 1


def test_holm_multiplies_the_smallest_by_all_and_never_falls():
    np.testing.assert_allclose(statistics.holm(np.array([0.04, 0.01, 0.03])), [0.06, 0.03, 0.06])


def test_cliques_are_the_largest_runs_within_the_difference():
    ranks = np.array([1.0, 1.5, 2.2, 5.0, 5.1, 9.0])
    assert statistics.cliques(ranks, 1.0) == [(0, 1), (1, 2), (3, 4)]


# ---------------------------------------------------------------------------------------- results


KEY = {"name": "mlp-shared-2-sets", "seed": 3, "methods": [["focal", [1.0, 2.0]]]}


def test_a_result_is_kept_by_its_settings(tmp_path):
    kept = results.Result(np.float32([[0.5, 0.25]]), 12.5)
    results.write(tmp_path, KEY, kept)
    found = results.read(tmp_path, KEY)
    np.testing.assert_array_equal(found.measures, kept.measures)
    assert found.seconds == 12.5
    assert results.read(tmp_path, KEY | {"seed": 4}) is None
    results.path_of(tmp_path, KEY).write_bytes(b"PK but no more")
    with pytest.raises(ValueError, match="is damaged"):
        results.read(tmp_path, KEY)


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ({"seeds": 0}, "--seeds must be at least 1"),
        ({"steps": 25}, "--steps must be a multiple of 10"),
        ({"learning_rate": float("nan")}, "--learning-rate must be above 0"),
        ({"page": "none/page.md"}, "is in no folder"),
        ({"figures": "none"}, "is no folder"),
    ],
)
def test_an_option_that_cannot_be_is_refused(option, sentence):
    with pytest.raises(ValueError, match=sentence):
        Settings(**option)


# --------------------------------------------------------------------------------------- the page


@pytest.fixture(scope="module")
def made_up():
    """Of all methods only inverse frequency is better on all data sets, and OHEM worse."""
    rng = np.random.default_rng(2)
    tables = {f"set {k}": table(40 + 10 * k, 8, seed=k) for k in range(12)}
    shape = 2, len(tables), folds.FOLDS, len(measures.MEASURES)
    base = rng.uniform(0.4, 0.6, shape)
    shift = {"inverse frequency": 0.2, "OHEM": -0.2}
    test = {m.name: base + shift.get(m.name, 0) for m in METHODS}
    chosen = {m.name: rng.integers(len(m.grid), size=shape[:3]) for m in METHODS}
    both = dict.fromkeys(jobs.MODELS, test)
    spent = {"MLP, shared batches": outcome.Spent(1000, 60.0)}
    return outcome.Outcome(tables, both, dict.fromkeys(jobs.MODELS, chosen), spent, 12, 0)


def test_the_page_says_what_is_told_apart(made_up):
    lines = report.findings(comparison.compare(made_up.test["MLP"]))
    assert len(lines) == len(measures.MEASURES)
    for line in lines:
        assert ": higher for inverse frequency; lower for OHEM; " in " ".join(line.split())
        assert line.endswith(f"{len(METHODS) - 3} not told apart.")


def test_what_stands_around_the_markers_stays(tmp_path):
    path = tmp_path / "page.md"
    assert report.put(path, "text").endswith(f"\n\n{report.BEGIN}\ntext\n{report.END}\n")
    path.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    assert report.put(path, "new") == f"before\n{report.BEGIN}\nnew\n{report.END}\nafter\n"


def test_the_page_in_docs_is_of_this_script():
    page = (pages.ROOT / "docs/results/keel.md").read_text()
    for part in head.HEAD.split("{command}"):
        assert part.strip() in page
    for method in METHODS:
        assert f"\n| {method.name} | " in page


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
def test_what_is_chosen_does_not_depend_on_the_test_fold(kind):
    own, fold = jobs.trained_by(recipe_of(kind)), 1
    group = groups.pad(TABLES, 0)
    rng = np.random.default_rng(5)
    features, labels = group.features.copy(), group.labels.copy()
    for k in range(len(TABLES)):
        rows = np.flatnonzero(group.judged[k, fold, OUTER])
        labels[k, rows] = labels[k, rng.permutation(rows)]
        features[k, rows] = rng.normal(size=features[k, rows].shape)
    other = group._replace(features=features, labels=labels)
    before, after = (choice.split(found_by(each, kind), own) for each in (group, other))
    for method in own:
        chosen, test = before[method.name]
        np.testing.assert_array_equal(chosen[:, fold], after[method.name][0][:, fold])
        assert not np.array_equal(test[:, fold], after[method.name][1][:, fold])


def as_file(path, own):
    lines = [
        ",".join([*map(str, x), "positive" if y else "negative"])
        for x, y in zip(own.features, own.labels, strict=True)
    ]
    path.write_text("\n".join(lines))


@pytest.mark.slow
def test_the_command_writes_page_and_figures_and_goes_on_where_it_was(tmp_path, monkeypatch):
    for k, name in enumerate([data.ANY, "b", "c"]):
        as_file(tmp_path / f"{name}.dat", table(40, 8, seed=k))
    options = f"--data-dir {tmp_path} --results {tmp_path}/out --steps 10 --batch-size 8 --seeds 2"
    outputs = f"--peers --race --page {tmp_path}/page.md --figures {tmp_path} --only focal"
    monkeypatch.setattr(sys, "argv", ["keel", *options.split(), *outputs.split()])
    monkeypatch.setattr(jax.config, "update", lambda *_: None)  # the devices are there
    keel.main()
    page = (tmp_path / "page.md").read_text()
    for part in ("\n| focal | ", "BalancedRandomForest", "as fast as scikit-learn", "3 data sets"):
        assert part in page
    for name in ("keel_mlp.png", "keel_linear.png", "keel_effects.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")

    def not_again(*_):
        raise AssertionError("compiled or ran again")

    monkeypatch.setattr(programs, "build", not_again)
    monkeypatch.setattr(peers, "of_fold", not_again)
    again = ["keel", *options.split(), "--peers", "--only", "focal"]
    monkeypatch.setattr(sys, "argv", again)
    keel.main()


def test_a_name_that_is_not_there_is_one_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(jax.config, "update", lambda *_: None)
    as_file(tmp_path / f"{data.ANY}.dat", table(20, 5))
    monkeypatch.setattr(sys, "argv", ["keel", "--sets", "nothing", "--data-dir", str(tmp_path)])
    with pytest.raises(SystemExit, match=r"nothing\.dat is not there"):
        keel.main()
    monkeypatch.setattr(sys, "argv", ["keel", "--only", "nothing", "--data-dir", str(tmp_path)])
    with pytest.raises(SystemExit, match="no method has 'nothing' in its name"):
        keel.main()
