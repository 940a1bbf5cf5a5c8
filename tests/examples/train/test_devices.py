"""One answer on any number of devices and from either feed, in one compilation."""

import dataclasses

import jax
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P

from examples import training
from examples.data import datasets
from examples.train import arrays, loop, mesh, programs, terminal
from examples.train import job as train_job
from examples.train.settings import Settings
from examples.training import epoch

# About 30 steps an epoch: the first 50 are more than one, and so is a plan by difficulty.
SETTINGS = {
    "difficulty": Settings(epochs=5, batch_size=16, loss="cb-focal", sampler="difficulty"),
    "mined": Settings(epochs=5, batch_size=16, sampler="loss", keep=0.5),
}


@pytest.fixture(autouse=True)
def _promotion_as_users_have_it():
    """Flax promotes dtypes and ranks; the library is tested strictly elsewhere."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


@pytest.fixture(scope="module")
def digits():
    return datasets.load("digits", None, imbalance=20, seed=0)


def on_devices(number):
    return jax.set_mesh(jax.make_mesh((number,), ("data",), devices=jax.devices()[:number]))


@pytest.fixture(
    scope="module", params=["difficulty", pytest.param("mined", marks=pytest.mark.slow)]
)
def alone(request, digits):
    """On one device: the settings and what came out."""
    settings = SETTINGS[request.param]
    with (
        jax.numpy_dtype_promotion("standard"),
        jax.numpy_rank_promotion("allow"),
        on_devices(1),
    ):
        return settings, loop.train(settings, digits)


def slow(*values):
    return pytest.param(*values, marks=pytest.mark.slow)


def check_equal(outcome, expected):
    """Over 110 steps the largest difference was 5e-7, and no prediction differed."""
    np.testing.assert_allclose(outcome.losses, expected.losses, rtol=2e-6)
    np.testing.assert_allclose(outcome.difficulty, expected.difficulty, atol=2e-6)
    np.testing.assert_array_equal(outcome.confusion, expected.confusion)
    fitted = (x.calibration.temperatures for x in (outcome, expected))
    np.testing.assert_allclose(*fitted, rtol=1e-5)


@pytest.mark.parametrize(
    ("number", "feed"),
    [
        *(slow(4, "grain"), slow(1, "grain"), slow(2, "device"), slow(4, "device")),
        (8, "device"),
    ],
)
def test_any_number_of_devices_and_either_feed_give_the_same_training(digits, alone, number, feed):
    settings, expected = alone
    with on_devices(number):
        outcome = loop.train(dataclasses.replace(settings, feed=feed), digits)
    assert np.isfinite(outcome.losses).all()
    check_equal(outcome, expected)


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["seesaw", "equalization", "equalized-focal"])
def test_a_loss_that_learns_is_the_same_on_eight_devices(digits, loss):
    settings = Settings(epochs=2, batch_size=16, loss=loss)
    outcomes = []
    for number in (1, 8):
        with on_devices(number):
            outcomes.append(loop.train(settings, digits))
    check_equal(*outcomes)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "feed"),
    [(8, "device"), *(slow(8, "grain"), slow(1, "device"), slow(1, "grain"))],
)
def test_nothing_compiles_after_the_first_epoch(digits, monkeypatch, number, feed):
    compiled, seen = [], []

    def listener(event, duration, **_):
        if "backend_compile" in event:
            compiled.append(event)

    jax.monitoring.register_event_duration_secs_listener(listener)
    monkeypatch.setattr(terminal.Bar, "epoch", lambda *_: seen.append(len(compiled)))
    try:
        with on_devices(number):
            settings = Settings(epochs=4, batch_size=40, hidden=7, sampler="delta", feed=feed)
            loop.train(settings, digits)
    finally:
        jax.monitoring.unregister_event_duration_listener(listener)
    assert seen[0] > 0
    assert len(set(seen)) == 1, seen


@pytest.mark.slow
def test_an_epoch_is_traced_once(digits, monkeypatch):
    traces = []
    step = training.train_step

    def counted(*args, **kwargs):
        traces.append(1)
        return step(*args, **kwargs)

    monkeypatch.setattr(epoch, "train_step", counted)
    with on_devices(4):
        loop.train(Settings(epochs=3, batch_size=40, hidden=9), digits)
    assert len(traces) == 1


@pytest.mark.parametrize("dtype", [slow("float32"), "bfloat16"])
def test_an_epoch_and_the_pass_after_it_lower_for_tpu_and_cuda(digits, dtype):
    settings = Settings(dtype=dtype, batch_size=64, epochs=1, loss="cb-focal")
    with on_devices(8):
        job = train_job.make_job(settings, digits)
        progress = programs.begin(train_job.make_keys(0)[0], job)
        data = mesh.laid_out(arrays.make_training_set(job, digits), P())
        plan = mesh.laid_out(np.zeros((job.steps, 64), np.int32), mesh.BATCHES)
        hyper = train_job.make_hyper(settings, digits)
        platforms = "cpu", "cuda", "tpu"
        for function, *args in (
            (training.run_epoch, progress.state, data, plan, hyper),
            (training.end_epoch, progress.state, data),
        ):
            lower = jax.export.export(
                jax.jit(function, static_argnames="recipe"), platforms=platforms
            )
            exported = lower(*args, recipe=job.recipe)
            assert exported.platforms == platforms
            assert exported.nr_devices == 8
