"""The detector: its canvases, boxes and losses, its judge, and what its page says."""

import re
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jimb
from examples import dense
from examples.data import sources
from examples.dense import canvases, cutouts
from examples.detection import __main__ as detection
from examples.detection import boxes, easy, epochs, judge, methods, report, task, trials
from examples.detection.settings import Settings

RNG = np.random.default_rng(0)
# A small image of every class: a rectangle of ink of its own shape, in a dark margin.
IMAGES = [np.zeros((1, 12, 12), np.uint8) for _ in dense.CLASSES]
for number, picture in enumerate(IMAGES):
    picture[0, 2 : 6 + number % 5, 3 : 6 + number % 3] = 60 + 9 * number
CUTOUTS = cutouts.Cutouts(IMAGES, IMAGES)
SHARES = np.full(len(IMAGES), 1 / len(IMAGES))


@pytest.fixture(autouse=True)
def _promotion_as_users_have_it():
    """Optax and Flax promote dtypes and ranks; the library is tested strictly elsewhere."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


# ------------------------------------------------------------------------------------- canvases


@pytest.fixture(scope="module")
def made():
    return dense.compose(IMAGES, SHARES, 40, np.random.default_rng(1))


def test_a_box_is_the_smallest_around_the_pixels_of_its_object(made):
    for mask, corners, labels in zip(made.masks, made.boxes, made.labels, strict=True):
        outside = np.ones_like(mask, bool)
        for (left, top, right, bottom), label in zip(corners.astype(int), labels, strict=True):
            inside = mask[top:bottom, left:right] == label
            if label >= 0:
                edges = inside[0], inside[-1], inside[:, 0], inside[:, -1]
                assert all(edge.any() for edge in edges)
            outside[top:bottom, left:right] = False
        assert (mask[outside] == len(IMAGES)).all()


def test_objects_of_a_canvas_do_not_overlap_and_there_is_at_least_one(made):
    ratio, _ = boxes.overlap(made.boxes[:, :, None], made.boxes[:, None])
    np.testing.assert_array_equal(np.triu(ratio, 1), 0)
    number = (made.labels >= 0).sum(1)
    assert number.min() >= 1
    assert number.max() == canvases.OBJECTS


def test_an_object_s_longer_side_is_as_long_as_is_said(made):
    sides = (made.boxes[..., 2:] - made.boxes[..., :2]).max(-1)[made.labels >= 0]
    assert canvases.SIZES[0] - 1 <= sides.min() <= sides.max() <= canvases.SIZES[1] + 1


def test_by_default_fewer_than_one_in_300_locations_has_an_object():
    """A canvas has at most 4 objects, each number of them equally often."""
    locations = (dense.SIDE // dense.STRIDE) ** 2
    assert np.mean(range(1, canvases.OBJECTS + 1)) / locations < 1 / 300


def test_training_has_a_tail_and_the_test_has_not():
    settings = Settings(canvases=300, tested=300)
    made = task.make_task(CUTOUTS, 0, settings)
    tested = np.bincount(made.test.labels[made.test.labels >= 0])
    assert made.counts[0] > 8 * made.counts[-1]
    assert tested.max() < 2.5 * tested.min()


@pytest.mark.slow
def test_garments_and_digits_take_turns_and_none_is_in_both_parts():
    try:
        found = cutouts.load(None)
    except sources.MissingData as missing:
        pytest.skip(str(missing))
    assert [images.shape[1] for images in found.train[:4]] == [28, 8, 28, 8]
    assert sum(map(len, found.train)) == 60_000 + 2 * 1797 // 3
    assert sum(map(len, found.train + found.test)) == 70_000 + 1797


# ---------------------------------------------------------------------------------------- boxes


def test_an_object_belongs_to_the_location_of_its_centre_and_its_neighbours_are_not_asked():
    corners = jnp.array([[[6.0, 2.0, 10.0, 4.0], [0.0, 0.0, 0.0, 0.0]]])  # centre (8, 3): column 2
    targets = boxes.assign(corners, jnp.array([[1, -1]]), (4, 5), 3)
    expected = np.zeros((4, 5, 3))
    expected[0, 2, 1] = 1
    np.testing.assert_array_equal(targets.classes[0], expected)
    np.testing.assert_array_equal(
        targets.considered[0].astype(int),
        [[1, 0, 1, 0, 1], [1, 0, 0, 0, 1], [1, 1, 1, 1, 1], [1, 1, 1, 1, 1]],
    )
    assert targets.cells.tolist() == [[2, 0]]
    assert targets.live.tolist() == [[True, False]]


def test_distances_are_from_the_centre_of_a_location():
    found = boxes.from_distances(jnp.broadcast_to(jnp.arange(1.0, 5.0), (2, 3, 4)))
    np.testing.assert_array_equal(found[1, 2], [9, 4, 13, 10])  # of (10, 6)


def test_generalised_overlap_of_boxes_apart_beside_and_within():
    ours = jnp.array([[0.0, 0, 2, 2]] * 4)
    theirs = jnp.array([[0.0, 0, 2, 2], [2, 0, 4, 2], [4, 0, 6, 2], [0, 0, 1, 2]])
    # Hull and union: equal; 8 and 8; 12 and 8; 4 and 4.
    np.testing.assert_allclose(boxes.giou_loss(ours, theirs), [0, 1, 1 + 4 / 12, 0.5], rtol=1e-6)


def test_a_box_is_suppressed_by_a_better_one_of_its_class_that_is_kept():
    corners = RNG.uniform(0, 20, (30, 2))
    corners = np.concatenate([corners, corners + RNG.uniform(4, 12, (30, 2))], 1)
    classes = RNG.integers(0, 2, 30)
    kept = []
    for i in range(30):
        ratios = [float(boxes.overlap(corners[i], corners[j])[0]) for j in kept]
        rivals = [r > 0.5 and classes[i] == classes[j] for r, j in zip(ratios, kept, strict=True)]
        kept += [] if any(rivals) else [i]
    found = boxes.not_suppressed(jnp.asarray(corners), jnp.asarray(classes))
    assert 5 < len(kept) < 30
    np.testing.assert_array_equal(np.flatnonzero(found), kept)


# --------------------------------------------------------------------------------------- methods

LOGITS = RNG.normal(-2, 1.5, (2, 4, 4, 3))
TARGETS = np.zeros((2, 4, 4, 3))
TARGETS[0, 1, 1, 0] = TARGETS[1, 2, 3, 2] = 1
CONSIDERED = np.ones((2, 4, 4), bool)
CONSIDERED[0, 0, :3] = False
COUNTS = np.array([100, 10, 1])


def elements():
    """Cross-entropy of each logit, and the probability of what is true."""
    p = 1 / (1 + np.exp(-LOGITS))
    true = np.where(TARGETS == 1, p, 1 - p)
    return -np.log(true), true


def expected(name):
    losses, p = elements()
    asked = CONSIDERED[..., None] * np.ones(3)
    if name.startswith("BCE"):
        return losses * asked
    if name == "OHEM 1:3":
        is_object = TARGETS.any(-1)
        of_locations = np.where(CONSIDERED & ~is_object, losses.sum(-1), -1)
        hardest = of_locations >= np.sort(of_locations.ravel())[-6]
        return losses * (is_object | hardest)[..., None]
    alpha, gamma = {
        "α-balanced BCE (α=0.75)": (0.75, 0),
        "focal γ=0.5 (α=0.5)": (0.5, 0.5),
        "focal γ=1 (α=0.25)": (0.25, 1),
        "focal γ=2 (α=0.25)": (0.25, 2),
        "focal γ=5 (α=0.25)": (0.25, 5),
        "class-balanced focal (γ=2)": (0.25, 2),
    }[name]
    focal = np.where(TARGETS == 1, alpha, 1 - alpha) * (1 - p) ** gamma * losses * asked
    if name.startswith("class-balanced"):
        weights = (1 - 0.999) / (1 - 0.999**COUNTS)
        weights /= (weights * COUNTS).sum() / COUNTS.sum()
        focal = focal * np.where(TARGETS == 1, weights, 1)
    return focal


@pytest.mark.parametrize("name", methods.METHODS)
def test_each_method_s_loss_is_its_formula(name):
    arrays = (jnp.float32(LOGITS), jnp.float32(TARGETS), jnp.asarray(CONSIDERED))
    losses, weights = methods.METHODS[name].loss(*arrays, jnp.asarray(COUNTS))
    total = jimb.weighted_mean(losses, weights, normalizer=2)
    np.testing.assert_allclose(total, expected(name).sum() / 2, rtol=2e-6)


def test_only_one_method_starts_without_the_prior():
    assert [n for n, m in methods.METHODS.items() if not m.has_prior] == ["BCE (bias 0)"]


def test_the_share_of_the_easiest_rises_from_nothing_to_all():
    curve = easy.cumulative(np.float32([-5, -4, 2]), 0, 0.0)
    assert curve[0] == 0
    assert curve[-1] == 1
    losses = np.log1p(np.exp([-5, -4, 2]))
    np.testing.assert_allclose(curve[500], losses[:2].sum() / losses.sum(), rtol=1e-5)


# ----------------------------------------------------------------------------------------- judge

TEST = task.Batch(
    jnp.zeros((2, 4, 4)),
    jnp.array([[[0.0, 0, 10, 10], [20, 20, 30, 40]], [[5, 5, 15, 25], [0, 0, 0, 0]]]),
    jnp.array([[0, 1], [0, -1]]),
)


def found_as(scores, shift=0.0):
    moved = TEST.boxes + jnp.array([shift, 0, shift, 0])
    return epochs.Found(moved, jnp.maximum(TEST.labels, 0), jnp.asarray(scores))


def test_what_is_found_exactly_has_precision_1_and_a_class_without_objects_none():
    precision = judge.average_precision(found_as([[0.9, 0.8], [0.7, -1]]), TEST, 3)
    np.testing.assert_allclose(precision.ap, [1, 1, np.nan])
    np.testing.assert_allclose(precision.ap50, [1, 1, np.nan])


def test_the_overlap_and_the_score_count():
    """A shift by 2 of 10 overlaps 8 / 12: enough for 0.5 to 0.65, four of ten thresholds."""
    shifted = judge.average_precision(found_as([[0.9, 0.8], [0.7, -1]], 2.0), TEST, 2)
    np.testing.assert_allclose(shifted.ap, [0.4, 0.4])
    np.testing.assert_allclose(shifted.ap50, [1, 1])
    # The best of class 0 is where nothing is; the second is right, the other object is not found.
    wrong = epochs.Found(TEST.boxes, jnp.zeros((2, 2), int), jnp.array([[0.8, 0.9], [-1.0, -1.0]]))
    found = judge.average_precision(wrong, TEST, 2)
    np.testing.assert_allclose(found.ap50, [0.5 * 51 / 101, 0])  # recalls 0 to 0.5, of 101


# ---------------------------------------------------------------------------------------- report


@pytest.fixture
def outcome():
    """Two seeds and three classes; focal γ=2 is 10 ± 1 points above the others."""
    base = np.array([[0.4, 0.3, 0.2], [0.5, 0.3, np.nan]])
    losses = np.full((2, 5), 60.0)
    results = {name: trials.Result(base, base, losses) for name in methods.METHODS}
    better = base + np.array([[0.11], [0.09]])
    results[easy.TRAINED] = trials.Result(better, better, losses / 50)
    curve = np.linspace(0, 1, easy.POINTS + 1)
    curves = easy.Curves({0.0: curve}, {0.0: curve, 2.0: curve**2})
    last = trials.Last(TEST, {}, curves)
    counts = np.array([[40, 8, 2], [42, 7, 1]])
    recipe = trials.Recipe(8, 3, 5, 0.1, 0.01)
    return trials.Outcome(counts, 313.6, recipe, results, last)


def test_the_page_pairs_the_seeds_and_says_what_is_told_apart(outcome):
    row = next(line for line in report.table(outcome).splitlines() if "γ=2 (α" in line)
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells == [
        *("focal γ=2 (α=0.25)", "45.0 (+10.0 ± 1.0)", "45.0 (+10.0 ± 1.0)"),
        *("55.0 (+10.0 ± 1.0)", "40.0 (+10.0 ± 1.0)", "31.0", "1.2"),
    ]
    assert "| +10.0 ± 1.0, told apart " in report.claims(outcome)
    assert "| +0.0 ± 0.0, not told apart" in report.claims(outcome)
    assert report.findings(outcome) == [
        "- The highest AP has focal γ=2 (α=0.25), by more than any other."
    ]
    assert "99.0 % at γ = 0, 98.0 % at γ = 2" in " ".join(report.easy_negatives(outcome).split())
    said = " ".join(report.sizes(outcome, Settings()).split())
    assert "one in 314 locations and 941 logits" in said
    assert "41 of the most frequent class, 1 to 2 of the rarest" in said


def test_the_page_in_docs_is_of_this_script():
    page = (Path(__file__).parents[2] / "docs" / "results" / "detection.md").read_text()
    command = "python -m examples.detection --report docs/results/detection.md"
    head = report.head(Settings(), command, [7, 7, 6])
    assert page.startswith(head)
    names = re.findall(r"^\| ([^|]*[^| ]) +\| \d\d?\.\d \(|^\| (BCE \(π\)) ", page, re.MULTILINE)
    assert ["".join(pair) for pair in names] == list(methods.METHODS)
    for name in re.findall(r"`((?:mining\.)?[a-z_]+)[`(]", report.HEAD):
        owner = jimb
        for part in name.split("."):
            owner = getattr(owner, part)


def test_each_claim_is_of_methods_of_the_table():
    for _, ours, theirs, _ in report.CLAIMS:
        assert {ours, theirs} <= set(methods.METHODS)


# ------------------------------------------------------------------------------------ the command


@pytest.mark.slow
def test_eight_devices_that_divide_the_batch_train_the_same_detector():
    settings = Settings(canvases=16, tested=1, steps=4, batch_size=8, width=8)
    made = task.make_task(CUTOUTS, 0, settings)
    recipe = trials.Recipe(8, len(IMAGES), settings.steps, 1e-2, 0.01)
    for name in ("focal γ=2 (α=0.25)", "OHEM 1:3"):
        ends = [
            trials.train(methods.METHODS[name], 0, made, recipe, Settings(**vars(settings) | more))
            for more in ({}, {"devices": 8})
        ]
        for one, eight in zip(*map(jax.tree.leaves, ends), strict=True):
            np.testing.assert_allclose(eight, one, rtol=1e-6, atol=3e-6)


@pytest.mark.slow
def test_the_example_prints_its_page(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(dense, "load", lambda data_dir: CUTOUTS)
    page = tmp_path / "page.md"
    options = "--seeds 2 --canvases 8 --tested 4 --steps 2 --batch-size 4 --width 8 --report"
    monkeypatch.setattr(sys, "argv", ["examples.detection", *options.split(), str(page)])
    monkeypatch.setattr(detection.jax.config, "update", lambda *_: None)  # the tests have eight
    detection.main()
    printed = capsys.readouterr().out
    assert printed == page.read_text()
    assert (tmp_path / "page.png").stat().st_size > 10_000
    assert (tmp_path / "page_loss.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--seeds", "1"], "--seeds must be at least 2"),
        (["--imbalance", "nan"], "--imbalance must be at least 1"),
        (["--width", "12"], "--width must be a multiple of 8"),
        (["--devices", "3"], "--devices must divide --batch-size, 8, got 3"),
        (["--learning-rate", "nan"], "--learning-rate must be above 0"),
        (["--prior", "1"], "--prior must be between 0 and 1"),
        (["--data-dir", "nowhere"], "sh examples/data/get_data.sh dataset-fashion-mnist"),
    ],
)
def test_a_bad_command_line_is_one_sentence_and_a_failure(monkeypatch, capsys, arguments, sentence):
    monkeypatch.setattr(sys, "argv", ["examples.detection", *arguments])
    monkeypatch.setattr(detection.jax.config, "update", lambda *_: None)
    with pytest.raises(SystemExit) as stopped:
        detection.main()
    said = "".join(capsys.readouterr()) + str(stopped.value)
    assert sentence in " ".join(said.replace("│", " ").split())
    assert stopped.value.code not in (0, None)


def test_a_loss_that_is_not_finite_stops_and_says_what_to_lower():
    def step(state, batch):
        return state, jnp.float32(jnp.inf if batch.sum() > 2 else 1.0)

    with pytest.raises(FloatingPointError, match="in step 1: lower --learning-rate"):
        dense.fit(step, jnp.zeros(1), jnp.arange(4.0), np.array([[0, 1], [2, 3]]))
