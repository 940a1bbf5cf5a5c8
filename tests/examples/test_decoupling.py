"""`examples.decoupling` freezes what it says it freezes, and its heads are the textbook's."""

import sys
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score
from sklearn.neighbors import NearestCentroid
from tqdm import tqdm

import jimb
from examples.decoupling import __main__ as decoupling
from examples.decoupling import heads, stages, trials
from examples.decoupling import report as decoupling_report
from examples.decoupling import settings as decoupling_settings
from examples.decoupling import task as decoupling_task


@pytest.fixture(autouse=True)
def _promotion_as_users_have_it():
    """Flax promotes dtypes and ranks; the library is tested strictly elsewhere."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


SMALL = decoupling_settings.Settings(seeds=2, seed=3, epochs=4, head_epochs=2, hidden=8)

# ---------------------------------------------------------------------------------------- task


def test_each_trial_splits_the_images_into_three_parts_and_orders_the_classes_its_own_way():
    task = decoupling_task.make_task(SMALL)
    expected = np.round(120 * 50.0 ** (-np.arange(10) / 9))
    np.testing.assert_array_equal(task.counts, expected)
    for labels, *parts in zip(task.labels, *task.splits, strict=True):
        together = np.concatenate(parts)
        np.testing.assert_array_equal(np.sort(together), np.arange(1797))
        train, validation, _ = (np.bincount(labels[part]) for part in parts)
        np.testing.assert_array_equal(train, expected)
        np.testing.assert_array_equal(validation, np.full(10, 10))
    digits = task.labels[:, :10]  # the first ten images of the file are the digits 0 to 9
    np.testing.assert_array_equal(np.sort(digits, axis=1), np.tile(np.arange(10), (2, 1)))
    assert not np.array_equal(digits[0], digits[1])


def test_training_images_are_standardised_by_themselves():
    task = decoupling_task.make_task(SMALL)
    data = task.train_data()
    np.testing.assert_allclose(np.mean(data.inputs, axis=1), 0, atol=1e-5)
    np.testing.assert_array_equal(np.bincount(data.labels[1]), task.counts)


# ------------------------------------------------------------------------------------ training


class Trained(NamedTuple):
    """What `train_all` gives, and the powers of the class sizes that its stages drew by."""

    stage: stages.Stage
    params: dict
    powers: list


@pytest.fixture(scope="module")
def trained():
    powers, class_power = [], jimb.sampling.class_power

    def watched(labels, counts, *, power):
        powers.append(power)
        return class_power(labels, counts, power=power)

    with (
        jax.numpy_dtype_promotion("standard"),
        jax.numpy_rank_promotion("allow"),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(jimb.sampling, "class_power", watched)
        stages.epoch_of_trials.clear_cache()  # what is compiled already would not be seen
        return Trained(*stages.train_all(SMALL, decoupling_task.make_task(SMALL)), powers)


def parts_of(params):
    """The leaves of backbone, head and scales."""
    return {part: [np.asarray(x) for x in jax.tree.leaves(params[part])] for part in params}


def same(left, right):
    """Equal bit by bit."""
    return all(a.tobytes() == b.tobytes() for a, b in zip(left, right, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize(("stage", "learnt"), [("cRT", "output"), ("LWS", "scales")])
def test_a_stage_changes_its_own_part_and_no_bit_of_the_others(trained, stage, learnt):
    before, after = (parts_of(trained.params[name]) for name in ("joint", stage))
    assert set(after) == {"hidden", "output", "scales"}
    assert {part for part in after if not same(before[part], after[part])} == {learnt}


def test_joint_training_learns_all_but_the_scales(trained):
    stage, params, _ = trained
    keys, _, _ = stages.keys_of(jnp.arange(SMALL.seed, SMALL.seed + SMALL.seeds))
    fresh = parts_of(stages.init_trials(keys, stage))
    joint = parts_of(params["joint"])
    assert {part for part in joint if not same(fresh[part], joint[part])} == {"hidden", "output"}
    np.testing.assert_array_equal(joint["scales"][0], np.ones((2, 10)))


def test_the_head_of_crt_starts_anew_and_its_backbone_does_not(trained):
    stage, params, _ = trained
    _, keys, _ = stages.keys_of(jnp.arange(SMALL.seed, SMALL.seed + SMALL.seeds))
    fresh = stages.init_trials(keys, stage)
    anew = parts_of(stages.with_head_of(params["joint"], fresh, stage))
    assert same(anew["output"], parts_of(fresh)["output"])
    assert same(anew["hidden"], parts_of(params["joint"])["hidden"])


def test_only_the_joint_training_draws_every_image_alike(trained):
    assert trained.powers == [1.0, 0.0, 0.0]  # each stage is compiled once


def test_a_loss_that_is_not_finite_ends_the_training(trained):
    task, (_, _, keys) = decoupling_task.make_task(SMALL), stages.keys_of(jnp.arange(3, 5))
    lost = jax.tree.map(lambda x: x * jnp.nan, trained.params["joint"])
    with pytest.raises(FloatingPointError, match="lower --learning-rate"):
        stages.train_stage(
            keys, lost, task.train_data(), task.counts, trained.stage, tqdm(disable=True)
        )


# --------------------------------------------------------------------------------------- heads


class Toy(NamedTuple):
    """One trial, its weights in float64."""

    classifier: heads.Classifier
    seen: heads.Seen
    prior: np.ndarray
    kernel: np.ndarray
    bias: np.ndarray


@pytest.fixture(scope="module")
def toy():
    """Class 0 is frequent, its column long and its bias large; ten classes in six dimensions."""
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(10, 6))

    def part(sizes):
        labels = np.repeat(np.arange(10), sizes)
        features = np.abs(centers[labels] + 0.7 * rng.normal(size=(len(labels), 6)))
        return heads.Part(jnp.float32(features), jnp.int32(labels))

    sizes = np.maximum(2, 60 // np.arange(1, 11) ** 2)
    seen = heads.Seen(part(sizes), part(np.full(10, 8)), part(np.full(10, 30)))
    prior = sizes / sizes.sum()
    kernel, bias = (centers * (prior**0.3)[:, None]).T, np.log(prior)
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        classifier = stages.Stage(4, 10, "ce", hidden=6).model(jax.random.key(0))
    classifier.output.kernel[...], classifier.output.bias[...] = (
        jnp.float32(kernel),
        jnp.float32(bias),
    )
    return Toy(classifier, seen, prior, kernel, bias)


def best_of_grid(predict, seen):
    """The first of the best τ, one after the other, judged by scikit-learn."""
    taus = np.asarray(heads.TAUS, np.float64)
    features = np.asarray(seen.validation.features, np.float64)
    scores = [balanced_accuracy_score(seen.validation.labels, predict(features, t)) for t in taus]
    tau = taus[int(np.argmax(scores))]
    return predict(np.asarray(seen.test.features, np.float64), tau), tau


@pytest.mark.slow
def test_tau_normalisation_divides_columns_drops_the_bias_and_picks_tau_on_validation(toy):
    def predict(features, tau):
        return (features @ (toy.kernel / np.linalg.norm(toy.kernel, axis=0) ** tau)).argmax(1)

    expected, expected_tau = best_of_grid(predict, toy.seen)
    predictions, tau = heads.tau_normalized(toy.classifier, toy.seen, toy.prior)
    assert expected_tau > 0  # something is chosen
    np.testing.assert_allclose(tau, expected_tau, rtol=1e-6)
    np.testing.assert_array_equal(predictions, expected)


def test_logit_adjustment_subtracts_the_log_prior_and_picks_tau_on_validation(toy):
    def predict(features, tau):
        return (features @ toy.kernel + toy.bias - tau * np.log(toy.prior)).argmax(1)

    expected, expected_tau = best_of_grid(predict, toy.seen)
    prior = jnp.float32(toy.prior)
    predictions, tau = heads.logit_adjusted(toy.classifier, toy.seen, prior)
    assert expected_tau > 0
    np.testing.assert_allclose(tau, expected_tau, rtol=1e-6)
    np.testing.assert_array_equal(predictions, expected)


@pytest.mark.parametrize(
    "form", [*(pytest.param(f, marks=pytest.mark.slow) for f in ("plain", "L2")), "centred L2"]
)
def test_the_nearest_mean_is_that_of_scikit_learn(toy, form):
    train, _, test = toy.seen
    features, tested = (np.asarray(part.features, np.float64) for part in (train, test))
    if form == "centred L2":
        features, tested = features - features.mean(0), tested - features.mean(0)
    if form != "plain":
        features, tested = (
            x / np.linalg.norm(x, axis=1, keepdims=True) for x in (features, tested)
        )
    expected = NearestCentroid().fit(features, train.labels).predict(tested)
    predictions, tau = heads.nearest_mean(toy.classifier, toy.seen, toy.prior, form=form)
    assert np.isnan(tau)
    np.testing.assert_array_equal(predictions, expected)


# ---------------------------------------------------------------------------- table and options


@pytest.mark.slow
def test_the_table_has_a_row_per_method_and_goes_to_the_report(monkeypatch, capsys, tmp_path):
    report = tmp_path / "out" / "table.md"
    given = {"seeds": 2, "seed": 3, "epochs": 4, "head-epochs": 2, "hidden": 8, "report": report}
    options = [word for name, value in given.items() for word in (f"--{name}", str(value))]
    monkeypatch.setattr(sys, "argv", ["examples.decoupling", *options])
    decoupling.main()
    printed = capsys.readouterr().out
    rows = [line for line in printed.splitlines() if line.startswith("|")][2:]
    assert [row.split("|")[1].strip() for row in rows] == list(heads.METHODS)
    assert all(row.count("±") == (0 if number == 0 else 4) for number, row in enumerate(rows))
    assert report.read_text(encoding="utf-8") == printed


def test_the_page_holds_tables_of_the_form_that_is_printed():
    page = (
        Path(__file__)
        .parents[2]
        .joinpath("docs", "results", "decoupling.md")
        .read_text(encoding="utf-8")
    )
    names = [line.split("|")[1].strip() for line in page.splitlines() if line.count("±") == 4]
    assert names == list(heads.METHODS)[1:] * 2  # digits, Fashion-MNIST
    nothing = np.full(2, np.nan)
    empty = {"joint training": trials.Result(*[nothing] * 5)}
    for largest, imbalance in ((120, 50), (1000, 100)):
        counts = np.round(largest * imbalance ** (-np.arange(10) / 9))
        head = decoupling_report.table(empty, counts).splitlines()[0]
        columns = [column.strip() for column in head.split("|")]
        assert columns in [[c.strip() for c in line.split("|")] for line in page.splitlines()]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--seeds", "1"], "--seeds must be at least 2"),
        (["--seed", "-1"], "--seed must be at least 0"),
        (["--epochs", "0"], "--epochs must be at least 1"),
        (["--head-epochs", "0"], "--head-epochs must be at least 1"),
        (["--imbalance", "0.5"], "--imbalance must be at least 1"),
        (["--learning-rate", "0"], "--learning-rate must be above 0"),
        (["--largest", "500"], "fewer images than asked for"),
        (["--validation", "180"], "fewer images than asked for"),
        (
            ["--largest", "150", "--imbalance", "1", "--validation", "24"],
            "lower --largest or --validation",
        ),
        (["--dataset", "cifar"], "cifar"),
        (["--dataset", "fashion-mnist", "--data-dir", "nowhere"], "dataset-fashion-mnist"),
    ],
)
def test_a_bad_command_line_is_one_sentence_and_a_failure(monkeypatch, capsys, arguments, sentence):
    monkeypatch.setattr(sys, "argv", ["examples.decoupling", "--seeds", "2", *arguments])
    with pytest.raises(SystemExit) as stopped:
        decoupling.main()
    said = "".join(capsys.readouterr()) + str(stopped.value)
    assert sentence in " ".join(said.replace("│", " ").split())
    assert stopped.value.code not in (0, None)
