"""Segmentation: its masks, its network, its losses, and what its page and figure say."""

import re
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jimb
from examples import dense
from examples.segmentation import __main__ as segmentation
from examples.segmentation import epochs, figure, methods, network, report, task, trials
from examples.segmentation.settings import Settings

RNG = np.random.default_rng(0)
K = len(dense.CLASSES)
SMALL = Settings(seeds=2, canvases=12, tested=6, steps=4, batch_size=2, width=8)


@pytest.fixture(autouse=True)
def _promotion_as_users_have_it():
    """Optax promotes dtypes and ranks; the library is tested strictly elsewhere."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


@pytest.fixture
def cutouts():
    """Random images; those of the test are brighter."""
    train, test = (
        [RNG.integers(low, 250, (3, 8, 8), np.uint8) for _ in range(K)] for low in (30, 200)
    )
    return dense.Cutouts(train, test)


# ---------------------------------------------------------------------------------------- masks


def test_a_mask_is_thinned_out_and_counted_whole(cutouts):
    made = task.make_task(cutouts, 0, SMALL)
    canvases = dense.compose(
        cutouts.train, tail(SMALL.imbalance), SMALL.canvases, np.random.default_rng(0)
    )
    np.testing.assert_array_equal(made.train.pixels, canvases.pixels)
    np.testing.assert_array_equal(made.train.labels, canvases.masks[:, ::2, ::2])
    of = made.frequencies
    np.testing.assert_array_equal(of.pixels, np.bincount(canvases.masks.ravel(), minlength=K + 1))
    np.testing.assert_array_equal(
        of.images[:-1], [(canvases.masks == k).any((1, 2)).sum() for k in range(K)]
    )
    assert made.objects.sum() == (canvases.labels >= 0).sum()


def tail(imbalance):
    shares = imbalance ** -(np.arange(K) / (K - 1))
    return shares / shares.sum()


def test_the_outputs_of_a_location_are_the_pixels_of_its_square():
    x = np.arange(2 * 3 * 5 * 4 * 7).reshape(2, 3, 5, 4 * 7)
    pixels = network.to_pixels(jnp.asarray(x), 2)
    assert pixels.shape == (2, 6, 10, 7)
    np.testing.assert_array_equal(pixels[1, 4, 6], x[1, 2, 3, :7])
    np.testing.assert_array_equal(pixels[1, 5, 6], x[1, 2, 3, 14:21])
    np.testing.assert_array_equal(pixels[1, 5, 7], x[1, 2, 3, 21:])


def test_every_canvas_comes_before_any_comes_again():
    plan = dense.plan_of(3, 12, steps=4, batch_size=2)
    assert plan.shape == (4, 2)
    assert len(np.unique(plan)) == 8
    again = dense.plan_of(3, 4, steps=4, batch_size=2).reshape(2, 4)
    np.testing.assert_array_equal(np.sort(again), np.tile(np.arange(4), (2, 1)))


# --------------------------------------------------------------------------------------- losses


@pytest.fixture
def batch():
    """Logits that are sure and right, of three classes; the last is the background."""
    labels = jnp.array([[[0, 2, 2, 2], [2, 2, 2, 1]]])
    of = methods.Frequencies(jnp.array([1, 1, 6]), jnp.array([2, 1, 3]))
    return 100 * jax.nn.one_hot(labels, 3), labels, of


@pytest.mark.slow
@pytest.mark.parametrize("name", methods.METHODS)
def test_a_loss_is_a_number_and_almost_0_where_all_is_right(name, batch):
    value = methods.METHODS[name](*batch)
    assert value.shape == ()
    np.testing.assert_allclose(value, 0, atol=1e-6)


@pytest.mark.slow
def test_weighted_losses_weigh_a_class_as_its_frequency_says(batch):
    _, labels, of = batch
    logits = jnp.asarray(RNG.normal(size=(*labels.shape, 3)), jnp.float32)
    losses = np.asarray(jimb.softmax_cross_entropy_loss(logits, labels), np.float64)
    shares, of_images = np.array([1, 1, 6]) / 8, np.array([1, 1, 6]) / np.array([2, 1, 3])
    for loss, of_class in (
        (methods.median_frequency, np.median(of_images) / of_images),
        (methods.log_frequency, 1 / np.log(1.02 + shares)),
    ):
        weights = of_class[labels]
        expected = (weights * losses).sum() / weights.sum()
        np.testing.assert_allclose(loss(logits, labels, of), expected, rtol=1e-5)


# ---------------------------------------------------------------------------------------- report


def scores_of(iou):
    """As of two seeds."""
    iou = np.stack([iou, iou + 0.02])
    return epochs.Scores(iou, 2 * iou / (1 + iou), iou + 0.1, np.array([0.9, 0.92]))


@pytest.fixture
def outcome():
    """The second method's IoU is higher in the seven most frequent classes."""
    baseline = np.linspace(0.6, 0.2, K + 1)
    better = baseline + np.where(np.arange(K + 1) < 7, np.float64(0.05), 0)
    scores = {name: scores_of(baseline) for name in methods.METHODS}
    _, second, *_ = methods.METHODS
    scores[second] = scores_of(better)
    objects = np.tile(np.arange(40, 20, -1), (2, 1))
    pixels = np.tile(np.append(np.full(K, 5), 900), (2, 1))
    test = task.Batch(
        jnp.asarray(RNG.integers(0, 255, (4, 8, 8), np.uint8)),
        jnp.asarray(RNG.integers(0, K + 1, (4, 4, 4), np.uint8)),
    )
    test.labels.at[0, :3, 0].set(jnp.array([0, 8, 19], jnp.uint8))
    last = trials.Last(test, {name: np.asarray(test.labels) for name in methods.METHODS})
    frequencies = methods.Frequencies(pixels, np.ones_like(pixels))
    recipe = network.Recipe(8, K + 1, 2, 4, 0.01)
    return trials.Outcome(objects, frequencies, recipe, scores, last)


def test_the_page_pairs_the_seeds_and_says_what_is_told_apart(outcome):
    second = report.table(outcome).splitlines()[3]
    cells = [cell.strip() for cell in second.strip("|").split("|")]
    assert cells[0] == list(methods.METHODS)[1]
    assert cells[1] == f"{41 + 35 / 21:.1f} (+{35 / 21:.1f} ± 0.0)"
    assert cells[4].endswith("(+5.0 ± 0.0)")
    assert cells[5].endswith("(+0.0 ± 0.0)")
    frequent, medium = report.findings(outcome)[3:5]
    assert frequent.startswith(f"- *IoU, frequent*: higher for {cells[0]}; not told apart for ")
    assert "higher" not in medium
    sizes = " ".join(report.sizes(outcome, SMALL).split())
    assert "610 objects that cover 10.0% of the pixels; 40 objects of the most frequent" in sizes


def test_a_class_that_no_canvas_has_is_no_part_of_a_mean():
    iou = np.full((1, K + 1), 0.5)
    iou[0, 3] = np.nan
    scores = epochs.Scores(iou, iou, iou, np.array([0.9]))
    measured = report.measures_of(scores, np.array_split(np.arange(K), 3))
    np.testing.assert_allclose(measured[0], [0.5] * 7 + [0.9])


def test_the_page_in_docs_is_of_this_script():
    folder = Path(__file__).parents[2] / "docs" / "results"
    page = (folder / "segmentation.md").read_text()
    command = "python -m examples.segmentation --report docs/results/segmentation.md"
    assert page.startswith(report.head(command, Settings()))
    names = re.findall(r"^\| ([^|]*[^| ]) +\| \d+\.\d [(]?", page, re.MULTILINE)
    assert names[: len(methods.METHODS)] == list(methods.METHODS)
    assert (folder / "segmentation.png").is_file()
    for name in re.findall(r"`((?:mining\.|metrics\.)?\w+)`", report.HEAD):
        owner = jimb
        for part in name.split("."):
            owner = getattr(owner, part)


def test_the_page_and_the_figure_show_methods_that_there_are():
    assert set(report.BY_CLASS) <= set(methods.METHODS)
    assert set(figure.SHOWN) <= set(methods.METHODS)


def test_the_figure_chooses_canvases_with_both_ends_of_the_tail(outcome):
    labels = np.full((4, 4, 4), K, np.uint8)
    labels[2, :3, 0] = [0, 8, 19]
    labels[3, :3, 0] = [7, 8, 19]
    last = outcome.last._replace(test=outcome.last.test._replace(labels=jnp.asarray(labels)))
    assert figure.chosen(outcome._replace(last=last)).tolist() == [2, 0, 1]


# ------------------------------------------------------------------------------------ the command


@pytest.mark.slow
def test_the_example_prints_its_page_and_draws(tmp_path, monkeypatch, capsys, cutouts):
    monkeypatch.setattr(trials.dense, "load", lambda folder: cutouts)
    page = tmp_path / "segmentation.md"
    options = ["--seeds", "2", "--canvases", "12", "--tested", "6", "--steps", "4"]
    options += ["--batch-size", "2", "--width", "8", "--report", str(page)]
    monkeypatch.setattr(sys, "argv", ["examples.segmentation", *options])
    segmentation.main()
    printed = capsys.readouterr().out
    assert printed == page.read_text()
    rows = re.findall(r"^\| ([^|]*[^| ]) +\| +\d+\.\d", printed, re.MULTILINE)
    assert rows[: len(methods.METHODS)] == list(methods.METHODS)
    assert page.with_suffix(".png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--seeds", "1"], "--seeds must be at least 2"),
        (["--steps", "0"], "--steps must be at least 1"),
        (["--imbalance", "nan"], "--imbalance must be at least 1"),
        (["--width", "12"], "--width must be a multiple of 8"),
        (["--learning-rate", "nan"], "--learning-rate must be above 0"),
        (["--stride", "3"], "invalid choice"),
        (["--data-dir", "nowhere"], "sh examples/data/get_data.sh dataset-fashion-mnist"),
    ],
)
def test_a_bad_command_line_is_one_sentence_and_a_failure(monkeypatch, capsys, arguments, sentence):
    monkeypatch.setattr(sys, "argv", ["examples.segmentation", *arguments])
    with pytest.raises(SystemExit) as stopped:
        segmentation.main()
    said = "".join(capsys.readouterr()) + str(stopped.value)
    assert sentence in " ".join(said.replace("│", " ").split())
    assert stopped.value.code not in (0, None)
