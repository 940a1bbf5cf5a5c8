"""The prediction deltas against the paper's formula in float64, their identities and extremes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jimb import difficulty
from tests.helpers.compilation import as_users
from tests.helpers.difficulty_oracle import LABELS, PSI, SWEEPS, K, N, f64, log_softmax, oracle

psi = as_users(difficulty.psi)


def pairs_of_logits(num_classes):
    """Logits of two passes, of every size, and rows that hardly move."""
    rng = np.random.default_rng(num_classes)
    rows = 4000 if num_classes <= 100 else 400
    cases = []
    for scale in (1, 3, 10, 30, 100, 1e3, 1e4):
        pair = rng.normal(0, scale, (2, rows, num_classes))
        cases.append(np.clip(pair, -1e4, 1e4))
    still = rng.normal(0, 3, (rows, num_classes))
    for step in (1e-2, 1e-3, 1e-5):
        cases.append(np.stack([still, still + rng.normal(0, step, still.shape)]))
    now, before = np.concatenate(cases, axis=1).astype(np.float32)
    return now, before, rng.integers(0, num_classes, len(now)).astype(np.int32)


@pytest.mark.parametrize(
    "num_classes", [2, 3, 10, *(pytest.param(k, marks=pytest.mark.slow) for k in (100, 1000))]
)
def test_psi_is_the_papers_formula(num_classes):
    now, before, labels = pairs_of_logits(num_classes)
    unlearned, learned = map(f64, psi(now, before, labels))
    expected_unlearned, expected_learned = oracle(now, before, labels)
    size = 1 + expected_unlearned + expected_learned
    assert np.max(np.abs(unlearned - expected_unlearned) / size) <= PSI
    assert np.max(np.abs(learned - expected_learned) / size) <= PSI
    total = expected_unlearned + expected_learned
    assert np.max(np.abs(unlearned + learned - total) / size) <= PSI
    assert min(unlearned.min(), learned.min()) >= 0


def test_rows_that_hardly_move_keep_their_precision():
    now, before, labels = pairs_of_logits(10)
    now, before, labels = now[-8000:-4000], before[-8000:-4000], labels[-8000:-4000]
    unlearned, learned = map(f64, psi(now, before, labels))
    expected_unlearned, expected_learned = oracle(now, before, labels)
    # Steps of 1e-3 make J about 1e-6; a difference of probabilities would be off by 1e-7 · r.
    assert np.max(np.abs(unlearned - expected_unlearned)) <= 8e-10  # measured 3.8e-10
    assert np.max(np.abs(learned - expected_learned)) <= 8e-10


def test_the_sum_is_the_jeffreys_divergence():
    now, before = SWEEPS[1], SWEEPS[2]
    log_p, log_q = log_softmax(now), log_softmax(before)
    forward = np.sum(np.exp(log_p) * (log_p - log_q), -1)
    backward = np.sum(np.exp(log_q) * (log_q - log_p), -1)
    unlearned, learned = map(f64, psi(now, before, LABELS))
    np.testing.assert_allclose(unlearned + learned, forward + backward, rtol=1e-6, atol=1e-6)


def test_swapping_the_passes_swaps_the_deltas():
    now, before, labels = pairs_of_logits(10)
    unlearned, learned = psi(now, before, labels)
    swapped = psi(before, now, labels)
    np.testing.assert_array_equal(swapped[0], learned)
    np.testing.assert_array_equal(swapped[1], unlearned)


def test_two_classes_need_the_true_probability_alone():
    now, before, labels = pairs_of_logits(2)
    rows = np.arange(len(now))
    margin = [f64(z)[rows, labels] - f64(z)[rows, 1 - labels] for z in (now, before)]
    probability = [np.exp(-np.logaddexp(0, -m)) for m in margin]
    moved = (probability[0] - probability[1]) * (margin[0] - margin[1])
    fell = margin[0] < margin[1]
    unlearned, learned = map(f64, psi(now, before, labels))
    assert np.max(np.abs(unlearned - np.where(fell, moved, 0)) / (1 + moved)) <= PSI
    assert np.max(np.abs(learned - np.where(fell, 0, moved)) / (1 + moved)) <= PSI


def test_the_same_prediction_moves_nothing():
    for logits in (SWEEPS[3], SWEEPS[3] * 1e3):
        for delta in psi(logits, logits, LABELS):
            np.testing.assert_array_equal(delta, 0)


def test_one_class_never_moves():
    now, before = np.ones((3, 1), np.float32), np.zeros((3, 1), np.float32)
    for delta in psi(now, before, np.zeros(3, np.int32)):
        np.testing.assert_array_equal(delta, 0)


def test_extreme_logits_stay_finite():
    rows = [[0, 0, 0], [3e38, -3e38, 0], [-3e38, 3e38, 0], [1e5, 0, -1e5], [0, -np.inf, 0]]
    now = np.repeat(np.array(rows, np.float32), len(rows), axis=0)
    before = np.tile(np.array(rows, np.float32), (len(rows), 1))
    for delta in psi(now, before, np.zeros(len(now), np.int32)):
        assert np.isfinite(delta).all()
        assert (np.asarray(delta) >= 0).all()


def test_psi_of_half_precision_is_computed_in_float32():
    now, before = (jnp.asarray(z, jnp.bfloat16) for z in SWEEPS[:2])
    unlearned, learned = psi(now, before, LABELS)
    assert unlearned.dtype == learned.dtype == jnp.float32
    expected = oracle(f64(now), f64(before), LABELS)
    np.testing.assert_allclose(unlearned, expected[0], rtol=1e-6, atol=PSI)
    np.testing.assert_allclose(learned, expected[1], rtol=1e-6, atol=PSI)


def test_psi_of_float64_stays_float64():
    with jax.enable_x64(True):
        now, before = (f64(z) for z in SWEEPS[:2])
        got = psi(now, before, LABELS)
        assert got[0].dtype == jnp.float64
        expected = oracle(now, before, LABELS)
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-13)
        some = psi(now.reshape(30, -1, K), before.reshape(30, -1, K), LABELS.reshape(30, -1))
        np.testing.assert_allclose(np.reshape(some, (2, -1)), expected, rtol=1e-12, atol=1e-13)


def test_psi_of_any_batch_shape():
    shape = (5, 6, 10)
    got = psi(SWEEPS[0].reshape(*shape, K), SWEEPS[1].reshape(*shape, K), LABELS.reshape(shape))
    for delta, expected in zip(got, oracle(SWEEPS[0], SWEEPS[1], LABELS), strict=True):
        assert delta.shape == shape
        np.testing.assert_allclose(np.ravel(delta), expected, rtol=1e-6, atol=1e-6)


def test_psi_of_a_bad_label_is_nan_in_its_row_only():
    labels = LABELS.copy()
    labels[[3, 7]] = [-1, K]
    for got, clean in zip(psi(*SWEEPS[:2], labels), psi(*SWEEPS[:2], LABELS), strict=True):
        bad = np.isin(np.arange(N), [3, 7])
        np.testing.assert_array_equal(np.isnan(got), bad)
        np.testing.assert_array_equal(np.asarray(got)[~bad], np.asarray(clean)[~bad])


def test_host_labels_beyond_32_bits_give_nan_and_not_another_class():
    logits = np.array([[2.0, 0.0], [0.0, 1.0]], np.float32)
    for delta in difficulty.psi(logits, 2 * logits, np.array([2**32 + 1, 1])):
        np.testing.assert_array_equal(np.isnan(delta), [True, False])


def test_psi_refuses_wrong_types_and_shapes():
    logits, labels = jnp.zeros((4, 3)), jnp.zeros(4, jnp.int32)
    with pytest.raises(TypeError, match="logits must be floating"):
        difficulty.psi(jnp.zeros((4, 3), jnp.int32), logits, labels)
    with pytest.raises(TypeError, match="previous_logits must be floating"):
        difficulty.psi(logits, jnp.zeros((4, 3), jnp.int32), labels)
    with pytest.raises(TypeError, match="labels must be integers"):
        difficulty.psi(logits, logits, jnp.zeros(4))
    with pytest.raises(ValueError, match="previous_logits must have the shape"):
        difficulty.psi(logits, jnp.zeros((4, 2)), labels)
    with pytest.raises(ValueError, match="labels must have the shape"):
        difficulty.psi(logits, logits, jnp.zeros(3, jnp.int32))
