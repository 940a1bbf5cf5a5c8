"""The papers' region losses in float64 NumPy, without any care for rounding."""

import numpy as np


def probabilities(z, sigmoid=False):
    z = np.float64(z)
    if sigmoid:
        return np.exp(-np.logaddexp(0, -z))
    odds = np.exp(z - z.max(-1, keepdims=True))
    return odds / odds.sum(-1, keepdims=True)


def tversky(z, y, axis, where=None, *, alpha=0.5, beta=0.5, gamma=1.0, smooth=1.0, sigmoid=False):
    """`(1 - TI)^γ`; y has the shape of z, and so has `where`."""
    p, y = probabilities(z, sigmoid), np.float64(y)
    kept = np.ones_like(y) if where is None else np.float64(where)
    hit = (kept * y * p).sum(axis)
    false = (kept * (1 - y) * p).sum(axis)
    missed = (kept * y * (1 - p)).sum(axis)
    return (1 - (hit + smooth) / (hit + alpha * false + beta * missed + smooth)) ** gamma


def tversky_gradient(z, y, axis, *, alpha=0.5, beta=0.5, gamma=1.0, smooth=1.0, sigmoid=False):
    """Of the sum of the losses of all regions, by the logits."""
    p, y = probabilities(z, sigmoid), np.float64(y)
    right = (y * p).sum(axis, keepdims=True) + smooth
    lost = (alpha * (1 - y) * p + beta * y * (1 - p)).sum(axis, keepdims=True)
    slopes = y * lost - (alpha * (1 - y) - beta * y) * right
    slopes *= -gamma * (lost / (right + lost)) ** (gamma - 1) / (right + lost) ** 2
    return p * (1 - p) * slopes if sigmoid else by_logits(p, slopes)


def by_logits(p, gradient):
    """The gradient by the logits of a softmax, of that by its probabilities."""
    return p * (gradient - (p * gradient).sum(-1, keepdims=True))


def jaccard_gradient(true):
    """Algorithm 1 of the Lovász-softmax paper, of labels in the order of falling errors."""
    total = true.sum()
    intersection = total - np.cumsum(true)
    union = total + np.cumsum(1 - true)
    loss = 1 - intersection / union
    return np.concatenate([loss[:1], np.diff(loss)])


def lovasz(p, ids, where=None):
    """Loss `[K]` of one region, pixels `[N, K]`, and its gradient by the probabilities."""
    kept = np.ones(len(ids), bool) if where is None else where
    losses, gradient = np.zeros(p.shape[-1]), np.zeros(p.shape)
    for c in range(p.shape[-1]):
        true = (ids[kept] == c).astype(np.float64)
        errors = np.abs(true - p[kept, c])
        order = np.argsort(-errors, kind="stable")
        slopes = np.zeros(len(true))
        slopes[order] = jaccard_gradient(true[order]) if len(true) else []
        losses[c] = slopes @ errors
        gradient[kept, c] = np.where(true == 1, -slopes, slopes)
    return losses, gradient
