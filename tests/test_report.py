"""Messages about traced numbers: heard by checkify under every transformation, free elsewhere."""

import re
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify

import jimb
from jimb import _report

LOGITS = np.zeros((4, 3), np.float32)
LABELS = np.array([0, 1, 2, 0], np.int32)


def mean_loss(logits, gamma):
    return jimb.weighted_mean(jimb.softmax_focal_loss(logits, LABELS, gamma=gamma))


def scanned(logits, gammas):
    return jax.lax.scan(lambda z, g: (z, mean_loss(z, g)), logits, gammas)[1]


TRANSFORMED = {
    "plain": lambda z, g: mean_loss(z, g[0]),
    "jit": lambda z, g: jax.jit(mean_loss)(z, g[0]),
    "grad": lambda z, g: jax.grad(mean_loss)(z, g[0]),
    "grad of jit": lambda z, g: jax.jit(jax.grad(jax.jit(mean_loss)))(z, g[0]),
    "grad by gamma": lambda z, g: jax.grad(mean_loss, 1)(z, g[0]),
    "hessian": lambda z, g: jax.hessian(mean_loss)(z, g[0]),
    "vmap": lambda z, g: jax.vmap(mean_loss, (None, 0))(z, g),
    "vmap of grad": lambda z, g: jax.vmap(jax.grad(mean_loss), (None, 0))(z, g),
    "scan": scanned,
    "checkpoint": lambda z, g: jax.grad(jax.checkpoint(mean_loss))(z, g[0]),
}


@pytest.mark.parametrize(
    "name",
    [
        name if i % 3 == 0 else pytest.param(name, marks=pytest.mark.slow)
        for i, name in enumerate(TRANSFORMED)
    ],
)
def test_checkify_hears_a_wrong_number_and_no_other(name):
    checked = jax.jit(checkify.checkify(TRANSFORMED[name]))
    error, _ = checked(LOGITS, np.array([-3.0, 1.0], np.float32))
    assert "gamma must lie in [0, inf), got" in error.get()
    assert "-3" in error.get()
    error, _ = checked(LOGITS, np.array([3.0, 1.0], np.float32))
    assert error.get() is None


def test_a_compiled_function_has_no_effect():
    jaxpr = jax.make_jaxpr(mean_loss)(LOGITS, jnp.float32(2))
    assert not jaxpr.effects
    assert "jimb_report" in str(jaxpr)


def test_without_the_private_names_the_public_check_is_used(monkeypatch):
    monkeypatch.setattr(_report, "error_checks", None)
    error, _ = checkify.checkify(mean_loss)(LOGITS, jnp.float32(-3))
    assert "gamma must lie in [0, inf), got -3" in error.get()


LOSSES = {
    "softmax": lambda z, y: jimb.softmax_focal_loss(z, y),
    "smoothing": lambda z, y: jimb.softmax_cross_entropy_loss(z, y, label_smoothing=0.1),
    "soft labels": lambda z, y: jimb.softmax_cross_entropy_loss(z, jnp.abs(z)),
    "sigmoid": lambda z, y: jimb.sigmoid_focal_loss(z, jnp.abs(z)),
    "one-vs-all": lambda z, y: jimb.class_balanced_focal_loss(z, y, jnp.array([3, 4, 5])),
    "take_class": lambda z, y: jimb.take_class(z[0], y),
}


@pytest.mark.parametrize("name", LOSSES)
def test_messages_of_a_loss_leave_no_trace_in_the_compiled_program(name, monkeypatch):
    """The same instructions as without any message."""

    def program():
        step = jax.value_and_grad(lambda z, y: jimb.weighted_mean(LOSSES[name](z, y)))
        text = jax.jit(step).lower(LOGITS, LABELS).compile().as_text()
        return re.sub(r", metadata=\{[^}]*\}", "", text[text.index("ENTRY") :])

    assert "jimb_report" in str(jax.make_jaxpr(LOSSES[name])(LOGITS, LABELS))
    with_messages = program()
    monkeypatch.setattr(_report, "_report_p", None)
    for module in [m for m in sys.modules.values() if m.__name__.startswith("jimb.")]:
        if hasattr(module, "report") and module is not _report:
            monkeypatch.setattr(module, "report", lambda ok, *args, **kwargs: ok)
    assert program() == with_messages
