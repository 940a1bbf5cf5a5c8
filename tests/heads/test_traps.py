"""Where heads whose logits are not stored go wrong: blocks, masks, ends of the range."""

import functools

import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest
from jax.experimental import checkify

import jimb
from jimb import LinearLogits
from jimb.difficulty import class_wise, data_map, forgetting, last_loss
from tests.test_compilations import compilations

RNG = np.random.default_rng(0)
CE, FOCAL = jimb.softmax_cross_entropy_loss, jimb.softmax_focal_loss
SMOOTHED = functools.partial(CE, label_smoothing=0.1)


def slow(*cases):
    return [pytest.param(case, marks=pytest.mark.slow) for case in cases]


def head(rows, width, num_classes):
    shapes = (rows, width), (width, num_classes), (num_classes,)
    return [RNG.normal(0, 1, shape).astype(np.float32) for shape in shapes]


def losses_and_gradients(loss, arrays, labels, **options):
    """Of the mean over what counts."""

    @jax.jit
    def run(*arrays):
        def mean(*arrays):
            losses = loss(LinearLogits(*arrays, **options), labels)
            return jimb.weighted_mean(losses), losses

        return jax.grad(mean, tuple(range(len(arrays))), has_aux=True)(*arrays)

    gradients, losses = run(*arrays)
    return losses, gradients


def cross_entropy(x, w, b, y):
    z = np.float64(x) @ w + b
    return np.log(np.sum(np.exp(z - z.max(1, keepdims=True)), 1)) + z.max(1) - z[range(len(y)), y]


@pytest.mark.parametrize("size", [4, 5, *slow(1, 7, 13, 20)])
def test_any_block_size_gives_the_same(size):
    x, w, b = head(4, 3, 13)
    labels = np.array([0, 12, 6, 11])  # of the first, the last and other blocks
    logits = LinearLogits(x, w, b, block_size=size)
    np.testing.assert_allclose(CE(logits, labels), cross_entropy(x, w, b, labels), rtol=1e-6)
    np.testing.assert_array_equal(logits.argmax(), np.argmax(x @ w + b, 1))


def test_of_equal_logits_the_first_counts_and_nan_before_all():
    kernel = np.float32([[0, 1, 1, 0, 1, 0, 1]])
    logits = LinearLogits(np.float32([[1], [0], [-1], [np.nan]]), kernel, block_size=3)
    np.testing.assert_array_equal(logits.argmax(-1), [1, 0, 0, 0])
    with pytest.raises(ValueError, match="axis must be -1"):
        logits.argmax(0)


@pytest.mark.parametrize("value", [1e4, *slow(0.0, 1e-30, -80.0)])
def test_logits_that_are_all_equal(value):
    x, w = np.float32([[value]]), np.ones((1, 10), np.float32)
    losses, (_, gradient) = losses_and_gradients(CE, (x, w), np.array([9]), block_size=4)
    np.testing.assert_allclose(losses, np.log(10), rtol=1e-6)
    np.testing.assert_allclose(gradient[0], value * (0.1 - np.eye(10)[9]), rtol=1e-6)


@pytest.mark.parametrize("num_classes", [1, 2])
@pytest.mark.parametrize("loss", [SMOOTHED, *slow(CE, FOCAL)])
def test_one_and_two_classes(loss, num_classes):
    x, w, b = head(2, 3, num_classes)
    labels = np.array([0, num_classes - 1])
    losses, gradients = losses_and_gradients(loss, (x, w, b), labels)
    if num_classes == 1:
        assert not np.any(losses)
        assert not any(np.any(gradient) for gradient in gradients)
    else:
        expected = cross_entropy(x, w, b, labels)
        if loss is FOCAL:
            expected = (1 - np.exp(-expected)) ** 2 * expected
        elif loss is SMOOTHED:
            expected = 0.95 * expected + 0.05 * cross_entropy(x, w, b, 1 - labels)
        np.testing.assert_allclose(losses, expected, rtol=2e-6)


@pytest.mark.parametrize("rows", [0, 1])
def test_no_and_one_example(rows):
    x, w, b = head(rows, 3, 9)
    labels = np.zeros(rows, np.int32)
    losses, gradients = losses_and_gradients(SMOOTHED, (x, w, b), labels, block_size=4)
    assert losses.shape == (rows,)
    assert all(np.all(np.isfinite(gradient)) for gradient in gradients)
    assert LinearLogits(x, w, b).argmax().shape == (rows,)


def test_a_block_of_removed_classes_only():
    x, w, b = head(3, 3, 9)
    b[3:6] = -np.inf  # the second block, and the label of the last example
    labels = np.array([0, 8, 4])
    losses, (gradient, _, of_bias) = losses_and_gradients(
        lambda z, y: CE(z, y, where=np.array([True, True, False])), (x, w, b), labels, block_size=3
    )
    np.testing.assert_allclose(losses[:2], cross_entropy(x, w, b, labels)[:2], rtol=1e-6)
    assert np.all(np.isfinite(gradient))
    assert not np.any(of_bias[3:6])
    assert CE(LinearLogits(x, w, b), labels)[2] == np.inf
    weights = np.where(np.isfinite(b), 1, 0)  # smoothing spares what has no weight
    smoothed = SMOOTHED(LinearLogits(x, w, b, block_size=3), labels, class_weights=weights)
    assert np.all(np.isfinite(smoothed))
    assert np.all(np.isinf(SMOOTHED(LinearLogits(x, w, b), labels)))


@pytest.mark.parametrize("loss", [SMOOTHED, *slow(CE, FOCAL)])
def test_what_is_masked_or_of_weight_0_counts_nowhere(loss):
    x, w, b = head(4, 3, 9)
    labels = np.array([0, 1, 2, 3])
    clean = losses_and_gradients(lambda z, y: loss(z, y)[:2], (x, w, b), labels)[1]
    spoilt = x.copy()
    spoilt[2:] = np.nan
    kept = np.array([True, True, False, False])

    def masked(logits, labels):
        labels = np.where(kept, labels, -1)
        return loss(logits, jnp.asarray(labels), where=kept)[:2]

    _, gradients = losses_and_gradients(masked, (spoilt, w, b), labels)
    for got, expected in zip(gradients, clean, strict=True):
        np.testing.assert_allclose(got[: len(expected)], expected, rtol=1e-6, atol=1e-7)
    gradient = jax.grad(
        lambda w: jimb.weighted_mean(
            loss(LinearLogits(spoilt, w, b), labels), kept.astype(np.float32)
        )
    )(w)
    np.testing.assert_allclose(gradient, clean[1], rtol=1e-6, atol=1e-7)


def test_a_wrong_label_or_logit_is_seen():
    x, w, b = head(3, 3, 9)
    labels = jnp.array([0, 9, -1])
    losses, gradients = losses_and_gradients(CE, (x, w, b), labels)
    np.testing.assert_array_equal(np.isnan(losses), [False, True, True])
    assert not any(np.any(np.isfinite(gradient)) for gradient in gradients[1:])
    x[1] = np.inf
    losses, gradients = losses_and_gradients(CE, (x, w, b), np.array([0, 1, 2]))
    assert not np.isfinite(losses[1])
    assert not np.all(np.isfinite(gradients[1]))


def test_more_batch_axes_and_none():
    x, w, b = head(6, 3, 9)
    labels = np.arange(6)
    expected = cross_entropy(x, w, b, labels)
    logits = LinearLogits(x.reshape(2, 3, 3), w, b, block_size=4)
    np.testing.assert_allclose(CE(logits, labels.reshape(2, 3)), expected.reshape(2, 3), rtol=1e-6)
    assert logits.shape == (2, 3, 9)
    np.testing.assert_allclose(CE(LinearLogits(x[1], w, b), 1), expected[1], rtol=1e-6)


def test_valid_input_raises_no_alarm():
    x, w, b = head(4, 3, 9)
    kept, labels = np.array([True, True, True, False]), np.array([0, 8, 1, -1])

    def total(x, w, b):
        return jnp.sum(FOCAL(LinearLogits(x, w, b, block_size=4), labels, where=kept))

    with jax.debug_nans(True), jax.debug_infs(True):
        jax.block_until_ready(total(x, w, b))
        jax.block_until_ready(jax.jit(jax.grad(total, (0, 1, 2)))(x, w, b))
    checks = checkify.user_checks | checkify.index_checks
    error, _ = jax.jit(checkify.checkify(total, checks))(x, w, b)
    error.throw()


@pytest.mark.slow
def test_it_lowers_for_every_platform_and_is_compiled_once():
    x, w, b = map(jnp.asarray, head(4, 3, 9))
    labels = jnp.array([0, 8, 1, 3])

    def total(x, w, b):
        return jnp.sum(SMOOTHED(LinearLogits(x, w, b, block_size=4), labels))

    gradient = jax.jit(jax.value_and_grad(total, (0, 1, 2)))
    exported = jax.export.export(gradient, platforms=("cpu", "cuda", "tpu"))(x, w, b)
    for got, expected in zip(
        jax.tree.leaves(exported.call(x, w, b)), jax.tree.leaves(gradient(x, w, b)), strict=True
    ):
        np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-7)
    total(x, w, b)  # without jit a loss is one program, too, which is kept
    assert compilations(lambda: total(x, w, b)) == 0


# What is read of them besides losses.

TRACKERS = {
    last_loss: last_loss.init(5, 9),
    forgetting: forgetting.init(5),
    data_map: data_map.init(5),
}


@pytest.mark.parametrize("index", [*slow(None), np.array([4, 0, 3, 1, 2])], ids=["all", "index"])
@pytest.mark.parametrize("tracker", TRACKERS, ids=lambda tracker: tracker.__name__[16:])
def test_trackers_see_what_they_see_of_stored_logits(tracker, index):
    x, w, b = head(5, 3, 9)
    z = (x @ w + b).astype(np.float32)
    labels = np.argmax(z, 1)
    labels[:2] = 3, 8
    kept = np.array([True, True, True, True, False])

    @jax.jit
    def passed(state, logits):
        return tracker.update(state, logits, labels, index=index, where=kept)

    got = passed(TRACKERS[tracker], LinearLogits(x, w, b, block_size=4))
    expected = passed(TRACKERS[tracker], z)
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=2e-6), got, expected)


def test_class_wise_difficulty_and_adjusted_logits():
    x, w, b = head(5, 3, 9)
    z = np.float64(x) @ w + b
    prior = RNG.dirichlet(np.ones(9))
    prior[4], prior[5] = 0, prior[4] + prior[5]
    logits = LinearLogits(x, w, b, block_size=4)
    with np.errstate(divide="ignore"):
        expected = z - 0.7 * np.where(prior > 0, np.log(prior), np.inf)
    adjusted = jimb.posthoc.adjust_logits(logits, prior, tau=0.7)
    np.testing.assert_allclose(adjusted.to_array(), expected, rtol=1e-5)
    np.testing.assert_array_equal(adjusted.argmax(), np.argmax(expected, 1))
    labels = np.argmax(z, 1)
    state = class_wise.update(class_wise.init(9), logits, np.where([1, 0, 1, 1, 1], labels, 7))
    assert np.sum(state.total) == 5
    assert np.sum(state.correct) == 4 + (labels[1] == 7)


# Sentences.

X, W, B = head(3, 4, 7)
LOGITS, Y = LinearLogits(X, W, B), np.zeros(3, np.int32)
UNFIT = {
    "must be class ids": lambda: CE(LOGITS, np.full((3, 7), 1 / 7, np.float32)),
    "kernel [D, K]": lambda: CE(LinearLogits(X, W.T), Y),
    "bias must have the shape": lambda: CE(LinearLogits(X, W, B[:3]), Y),
    "at least one class": lambda: CE(LinearLogits(X, W[:, :0]), Y),
    "of the batch": lambda: CE(LOGITS, Y[:2]),
    "features must be floating": lambda: CE(LinearLogits(X.astype(int), W), Y),
    "block_size must lie in": lambda: CE(LinearLogits(X, W, block_size=0), Y),
    "block_size must be a Python int": lambda: CE(LinearLogits(X, W, block_size=1.5), Y),
    "precision must be None": lambda: CE(LinearLogits(X, W, precision="good"), Y),
    "axis_name must name": lambda: CE(LinearLogits(X, W, axis_name="model"), Y),
    "labels must lie in": lambda: CE(LOGITS, np.array([0, 7, 1])),
    "needs an array of logits": lambda: jimb.sigmoid_focal_loss(LOGITS, Y),
    "label_smoothing of a focal loss needs": lambda: jimb.softmax_focal_loss(
        LOGITS, Y, label_smoothing=0.1
    ),
    "this loss needs an": lambda: jimb.class_balanced_focal_loss(LOGITS, Y, np.ones(7)),
    "got LinearLogits": lambda: jimb.difficulty.update(jimb.difficulty.init(3, 7), LOGITS, Y),
    "take its .argmax": lambda: jimb.metrics.update(jimb.metrics.init(7), LOGITS, Y),
    "one number per class": lambda: jimb.balanced_softmax_loss(LOGITS, Y, np.ones(8)),
}


@pytest.fixture
def users_have_no_checked_annotations():
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.mark.usefixtures("users_have_no_checked_annotations")
@pytest.mark.parametrize("sentence", UNFIT)
def test_what_does_not_fit_is_said(sentence):
    with pytest.raises((TypeError, ValueError), match=sentence.replace("[", r"\[")):
        UNFIT[sentence]()
