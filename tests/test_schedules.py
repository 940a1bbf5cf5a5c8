"""The page on schedules: its blocks run, and each step's weights are those of the papers."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jimb
from tests.helpers import pages

PAGE = (Path(__file__).parent.parent / "docs" / "guides" / "schedules.md").read_text()
T, STEPS, EPOCHS, N, K = 60, 10, 6, 1000, 3


@pytest.fixture(scope="module")
def page():
    return pages.run("docs/guides/schedules.md")


@pytest.fixture(scope="module")
def labels(page):
    return np.asarray(page["labels"])


@pytest.fixture(scope="module")
def counts(labels):
    counts = np.bincount(labels, minlength=K).astype(np.float64)
    assert counts[0] > 3 * counts[1] > 9 * counts[2] > 0  # imbalanced, or nothing below can fail
    return counts


def stacked(histories):
    """The epochs' results one after the other, `[EPOCHS, ...]`."""
    return [np.stack(parts) for parts in zip(*histories, strict=True)]


@pytest.mark.slow
def test_every_epoch_is_compiled_once(page):
    for name in ("reweighted_epoch", "resampled_epoch", "two_branch_epoch"):
        assert page[name]._cache_size() == 1


@pytest.mark.slow
def test_deferred_weights_are_off_before_t0_and_on_from_there(page, labels, counts):
    batches, weights = stacked(page["reweighted"])
    assert weights.shape == (EPOCHS, STEPS, N // STEPS)
    effective = (1 - 0.999) / (1 - 0.999**counts)
    effective *= K / effective.sum()
    for t, (batch, got) in enumerate(
        zip(batches.reshape(T, -1), weights.reshape(T, -1), strict=True)
    ):
        expected = effective[labels[batch]] if t >= 40 else np.ones(N // STEPS)
        np.testing.assert_allclose(got, expected, rtol=1e-5)


@pytest.mark.slow
def test_progressive_draws_go_from_instances_to_classes(page, labels, counts):
    batches, draws, priors = stacked(page["resampled"])
    for t, batch, draw, prior in zip(range(0, T, STEPS), batches, draws, priors, strict=True):
        by_class = (1 - t / T) * counts / N + t / T / K
        expected = by_class[labels] / counts[labels]
        np.testing.assert_allclose(draw, expected, rtol=1e-5)
        np.testing.assert_allclose(prior, by_class, rtol=1e-5)
        visits = np.bincount(batch.ravel(), minlength=N)
        assert np.all(np.abs(visits - N * expected) < 1 + 1e-3)


@pytest.mark.slow
def test_cumulative_learning_follows_its_parabola_from_branch_to_branch(page, labels, counts):
    batches, weights = stacked(page["two_branch"])
    batches, weights = batches.reshape(T, 2, -1), weights.reshape(T, 2, -1)
    for t, (first, second) in enumerate(weights):
        alpha = 1 - (t / T) ** 2
        np.testing.assert_allclose(first, alpha, atol=1e-6)
        np.testing.assert_allclose(second, 1 - alpha, atol=1e-6)
    drawn = [np.bincount(labels[batches[:, i]].ravel(), minlength=K) / N / EPOCHS for i in (0, 1)]
    np.testing.assert_allclose(drawn[0], counts / N, atol=1e-3)
    reversed_by_class = (1 / counts) / (1 / counts).sum()
    epochs = batches[:, 1].reshape(EPOCHS, N)
    visits = np.stack([np.bincount(epoch, minlength=N) for epoch in epochs])
    expected = N * (reversed_by_class / counts)[labels]
    assert np.all(np.abs(visits - expected) < 1 + 1e-3)


SHARES = {
    "deferred": lambda t: float(t >= 40),
    "ramped": lambda t: np.clip((t - 40) / STEPS, 0, 1),
    "progressive": lambda t: t / T,
    "cumulative": lambda t: (t / T) ** 2,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SHARES)
def test_a_share_is_its_formula_at_each_step_under_one_scan(name, page):
    _, got = jax.jit(
        lambda: jax.lax.scan(lambda _, t: (None, page[name](t)), None, jnp.arange(T + 1))
    )()
    np.testing.assert_allclose(got, [SHARES[name](t) for t in range(T + 1)], atol=1e-6)


def test_the_schedules_that_look_right_and_are_not():
    np.testing.assert_allclose(optax.polynomial_schedule(1.0, 0.0, 2, T)(T // 2), 0.25)
    steps = np.arange(T, dtype=np.float32)
    from_zero = optax.piecewise_constant_schedule(0.0, {40: 5.0})
    np.testing.assert_array_equal([from_zero(t) for t in steps], 0)
    plain = optax.piecewise_constant_schedule(1.0, {40: 0.0})
    np.testing.assert_array_equal([1 - plain(t) for t in steps], steps >= 40)


def test_jimb_has_no_schedules_of_its_own():
    assert "so jimb has none" in PAGE
    assert not hasattr(jimb, "schedules")
