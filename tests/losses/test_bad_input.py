"""Every loss refuses bad input in a sentence; a traced number out of range gives NaN."""

import functools
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify

import jimb
from tests.helpers.losses_table import BCE, CE, CLASS_BALANCED, FOCAL, SIGMOID_FOCAL

Z = np.zeros((2, 3), np.float32)
Y = np.array([0, 2], np.int32)
YB = np.zeros((2, 3), np.int32)
N = np.array([5, 3, 2])
IMAGE, IDS = np.zeros((2, 3, 4, 5), np.float32), np.zeros((2, 4, 5), np.int32)
LDAM = functools.partial(jimb.ldam_loss, scale=30.0)

BAD_CALLS = [
    *[
        (f, *row)
        for f in (CE, FOCAL)
        for row in [
            ((Z.astype(int), Y), {}, TypeError, "logits must be floating point, got int"),
            ((np.float32(0), Y), {}, ValueError, "logits need a last axis"),
            ((Z[:, :0], Y), {}, ValueError, "logits need a last axis"),
            ((Z, Y[:1]), {}, ValueError, r"labels must have the shape \[2\] of the batch"),
            ((Z, YB), {}, ValueError, r"labels must have the shape \[2\] of the batch"),
            ((Z, Y.astype(np.float32)), {}, ValueError, "class ids must be integers"),
            ((Z, Y == 0), {}, TypeError, "labels must be integers or float soft labels, got bool"),
            ((Z, np.array(["a", "b"])), {}, TypeError, "labels must be an array of numbers"),
            ((Y, Z), {}, TypeError, "the logits come first"),
            ((Y, jnp.asarray(Z, jnp.bfloat16)), {}, TypeError, "the logits come first"),
            ((IMAGE, IDS), {}, ValueError, r"jnp.moveaxis\(logits, 1, -1\)"),
            ((IMAGE[0], IDS[0]), {}, ValueError, r"jnp.moveaxis\(logits, 0, -1\)"),
            ((Z, Y[:, None]), {}, ValueError, r"drop the last axis with labels\[\.\.\., 0\]"),
            ((Z, YB), {}, ValueError, r"labels.argmax\(-1\), or make them soft labels with"),
            ((Z, Y + 1), {}, ValueError, r"labels must lie in \[0, 3\), the classes; got 3"),
            ((Z, -Y), {}, ValueError, r"labels must lie in \[0, 3\), the classes; got -2"),
            ((Z, Z + 2), {}, ValueError, r"labels must lie in \[0, 1\], got 2.0"),
            ((Z, Z * np.nan), {}, ValueError, r"labels must lie in \[0, 1\], got nan"),
            ((Z, Y), {"where": Y}, TypeError, "where must be boolean"),
            ((Z, Y), {"where": YB == 0}, ValueError, r"where must have the shape \[2\]"),
            ((Z, Y), {"class_weights": np.ones(2)}, ValueError, "class_weights must have"),
            ((Z[:, :1], Y * 0), {"class_weights": N}, ValueError, "for one logit per example"),
            ((Z, Y), {"class_weights": -np.ones(3)}, ValueError, "class_weights must lie in"),
        ]
    ],
    *[
        (f, *row)
        for f in (BCE, SIGMOID_FOCAL)
        for row in [
            ((Z.astype(int), YB), {}, TypeError, "logits must be floating point, got int"),
            ((Z, Y), {}, ValueError, r"labels must have the shape \[2, 3\] of logits"),
            ((Z, YB * 1j), {}, TypeError, "labels must be numbers"),
            ((YB, Z), {}, TypeError, "the logits come first"),
            ((Z, Y), {}, ValueError, r"of class ids take jax.nn.one_hot\(labels, 3\)"),
            ((Z, YB + 2), {}, ValueError, r"labels must lie in \[0, 1\], got 2"),
            ((Z, Z - 0.5), {}, ValueError, r"labels must lie in \[0, 1\], got -0.5"),
            ((Z, YB), {"where": YB}, TypeError, "where must be boolean"),
            ((Z, YB), {"where": Y == 0}, ValueError, r"where must have the shape \[2, 3\]"),
        ]
    ],
    *[
        (f, *row)
        for f in CLASS_BALANCED
        for row in [
            ((Z.astype(int), Y, N), {}, TypeError, "logits must be floating point, got int"),
            ((Z, Y.astype(np.float32), N), {}, TypeError, "labels must be integers"),
            ((Z, Y == 0, N), {}, TypeError, "labels must be integers"),
            ((Z, Z, N), {}, TypeError, r"no soft labels, and of one-hot labels take labels.argmax"),
            ((Z, YB, N), {}, ValueError, r"of one-hot labels take labels.argmax\(-1\)"),
            ((Y, Z, N), {}, TypeError, "the logits come first"),
            ((IMAGE, IDS, N), {}, ValueError, r"jnp.moveaxis\(logits, 1, -1\)"),
            ((Z, Y + 1, N), {}, ValueError, r"labels must lie in \[0, 3\), the classes; got 3"),
            ((Z, Y[:1], N), {}, ValueError, r"labels must have the shape \[2\]"),
            ((Z, Y, N[:2]), {}, ValueError, "counts must have"),
            ((Z, Y, YB), {}, ValueError, r"counts must be one number per class"),
            ((Z, Y, -N), {}, ValueError, "counts must lie in"),
            ((Z, np.eye(3, dtype=int)[Y], N), {}, ValueError, r"take labels.argmax\(-1\)"),
            ((Z, Y[:, None], N), {}, ValueError, r"drop the last axis with labels\[\.\.\., 0\]"),
            ((Z, Y, N / 10), {}, ValueError, "counts must be numbers of examples, got fractions"),
            ((Z, Y, 0 * N), {}, ValueError, "counts are all 0"),
            ((Z, Y, N == 5), {}, TypeError, "counts must be numbers of examples, got bool"),
            ((Z, Y, N), {"beta": 1.5}, ValueError, r"beta must lie in \[0, 1\], got 1.5"),
            ((Z, Y, N), {"beta": -0.1}, ValueError, r"beta must lie in \[0, 1\], got -0.1"),
            ((Z, Y, N), {"beta": np.nan}, ValueError, r"beta must lie in \[0, 1\], got nan"),
            ((Z, Y, N), {"beta": np.ones(2)}, ValueError, "beta"),
            ((Z, Y, N), {"where": Y}, TypeError, "where must be boolean"),
            ((Z, Y, N), {"where": YB == 0}, ValueError, r"where must have the shape \[2\]"),
        ]
    ],
    *[
        (f, *row)
        for f, args in [(FOCAL, (Z, Y)), (SIGMOID_FOCAL, (Z, YB)), (CLASS_BALANCED[2], (Z, Y, N))]
        for row in [
            (args, {"gamma": -1.0}, ValueError, r"gamma must lie in \[0, inf\), got -1.0"),
            (args, {"gamma": np.float32(-1)}, ValueError, r"gamma must lie in \[0, inf\)"),
            (args, {"gamma": float("nan")}, ValueError, r"gamma must lie in \[0, inf\), got nan"),
            (args, {"gamma": np.ones(7)}, ValueError, "gamma.* scalar"),
        ]
    ],
    (LDAM, (Z, Z, N), {}, TypeError, r"no soft labels, and of one-hot labels take labels.argmax"),
    (LDAM, (Z, Z[:, :2], N), {}, TypeError, r"labels must be integers.* cast with .astype"),
    (LDAM, (IMAGE, IDS, N), {}, ValueError, r"jnp.moveaxis\(logits, 1, -1\)"),
    (LDAM, (Z, Y + 1, N), {}, ValueError, r"labels must lie in \[0, 3\), the classes; got 3"),
    (jimb.balanced_softmax_loss, (Z, Y + 1, N), {}, ValueError, "labels must lie in"),
    (jimb.sigmoid_asymmetric_loss, (Z, YB + 2), {}, ValueError, r"labels must lie in \[0, 1\]"),
    (jimb.quality_focal_loss, (Z, YB), {"beta": -1.0}, ValueError, r"beta must lie in \[0, inf\)"),
    (jimb.quality_focal_loss, (Z, YB + 2), {}, ValueError, r"labels must lie in \[0, 1\]"),
    (jimb.varifocal_loss, (Z, YB), {"alpha": -1.0}, ValueError, r"alpha must lie in \[0, inf\)"),
    (jimb.varifocal_loss, (Z, YB), {"gamma": -1.0}, ValueError, r"gamma must lie in \[0, inf\)"),
    (CE, (Z, Y), {"label_smoothing": 1.5}, ValueError, r"label_smoothing must lie in \[0, 1\]"),
    (CE, (Z, Y), {"label_smoothing": -0.5}, ValueError, r"label_smoothing must lie in \[0, 1\]"),
    (CE, (Z, Y), {"label_smoothing": np.ones(3)}, ValueError, "label_smoothing must be a scalar"),
    (CE, (Z, Y), {"label_smoothing": jnp.ones(2)}, ValueError, "label_smoothing must be a scalar"),
    *[
        (f, (Z, y), {"label_smoothing": 1.5}, ValueError, r"label_smoothing must lie in \[0, 1\]")
        for f, y in ((FOCAL, Y), (SIGMOID_FOCAL, YB))
    ],
    (SIGMOID_FOCAL, (Z, YB), {"alpha": 1.5}, ValueError, r"alpha must lie in \[0, 1\], got 1.5"),
    (SIGMOID_FOCAL, (Z, YB), {"alpha": -0.5}, ValueError, r"alpha must lie in \[0, 1\], got -0.5"),
    (SIGMOID_FOCAL, (Z, YB), {"alpha": np.ones(7)}, ValueError, "alpha must be a scalar or"),
    (BCE, (Z, YB), {"pos_weight": -1.0}, ValueError, r"pos_weight must lie in \[0, inf\)"),
    (BCE, (Z, YB), {"pos_weight": np.ones(7)}, ValueError, "pos_weight must be a scalar or"),
]


def bad_call_id(row):
    function, _, kwargs, error, match = row
    name = getattr(function, "__name__", "ldam_loss")
    return f"{name}-{error.__name__}-{match[:30]}-{'-'.join(kwargs)}"


@pytest.mark.parametrize("row", BAD_CALLS, ids=bad_call_id)
def test_bad_input_is_refused_in_a_sentence(row):
    function, args, kwargs, error, match = row
    with pytest.raises(error, match=match) as caught:
        function(*args, **kwargs)
    assert str(caught.value).endswith(".")


TRACED = [
    (FOCAL, (Z, Y), {"gamma": -1.0}, "gamma must lie in [0, inf)"),
    (SIGMOID_FOCAL, (Z, YB), {"gamma": -1.0}, "gamma must lie in [0, inf)"),
    (SIGMOID_FOCAL, (Z, YB), {"alpha": 1.5}, "alpha must lie in [0, 1]"),
    (BCE, (Z, YB + 1), {"pos_weight": -1.0}, "pos_weight must lie in [0, inf)"),
    (CE, (Z, Y), {"label_smoothing": 1.5}, "label_smoothing must lie in [0, 1]"),
    (CE, (Z, Y), {"class_weights": -np.ones(3, np.float32)}, "class_weights must lie in"),
    *[(f, (Z, Y, N), {"beta": 1.5}, "beta must lie in [0, 1]") for f in CLASS_BALANCED],
]


@pytest.mark.parametrize("row", TRACED, ids=lambda row: f"{row[0].__name__}-{row[3][:12]}")
def test_a_traced_number_out_of_range_gives_nan_and_a_checkify_error(row):
    function, args, kwargs, message = row
    traced = {name: np.asarray(value, np.float32) for name, value in kwargs.items()}
    checked = jax.jit(checkify.checkify(lambda traced: function(*args, **traced)))
    error, losses = checked(traced)
    assert np.all(np.isnan(losses))
    assert message in error.get()


@pytest.mark.parametrize(("function", "args"), [(FOCAL, (Z, Y)), (CLASS_BALANCED[2], (Z, Y, N))])
def test_none_is_no_gamma(function, args):
    """As users see it: in the tests, type checks come first."""
    with pytest.raises(TypeError, match="gamma must be a number, got None; leave it out"):
        inspect.unwrap(function)(*args, gamma=None)
