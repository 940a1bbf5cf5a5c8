"""Where a peer is wrong, in figures: its number, that of jimb, and the exact one by mpmath.

Runs where the peers are installed: `python -m tests.peers.figures`.
"""

import os
import subprocess
import sys

import mpmath
import numpy as np

import jimb
from tests.peers.environment import FOLDER, ROOT
from tests.peers.report import table

os.environ.setdefault("KERAS_BACKEND", "jax")

Z = np.linspace(-5, 5, 2001, dtype=np.float32)


def printed(python):
    """The table, made by an interpreter that has the peers."""
    variables = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [python, "-m", "tests.peers.figures"]
    done = subprocess.run(command, cwd=FOLDER, env=variables, text=True, capture_output=True)
    return done.stdout.strip() or f"No figures: {done.stderr[-300:].strip()}"


def torch_cross_entropy():
    there, here, exact = cross_entropies()
    return (
        f"{REFERENCE}, y = 0, z in [-5, 5]: largest error, in roundings",
        roundings(there, exact),
        roundings(here, exact),
        "0",
    )


def torchvision_asks_for_no_more():
    """Its test wants a focal loss that is nowhere above the reference, at γ = 0, too."""
    there, here, exact = cross_entropies()
    right = np.array([float(e) for e in exact]).astype(np.float32)
    return (
        "the same: where the exact loss, rounded once, is above it",
        f"{100 * np.mean(right > there):.0f} %",
        f"{100 * np.mean(right > here):.0f} %",
        "0 %",
    )


REFERENCE = "torch `binary_cross_entropy_with_logits`"


def cross_entropies():
    """Those of torch, of jimb, and the exact ones."""
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits

    zeros = np.zeros_like(Z)
    there = binary_cross_entropy_with_logits(
        torch.tensor(Z), torch.tensor(zeros), reduction="none"
    ).numpy()
    here = np.asarray(jimb.sigmoid_cross_entropy_loss(Z, zeros))
    return there, here, [mpmath.log1p(mpmath.exp(mpmath.mpf(float(z)))) for z in Z]


def roundings(values, exact):
    """The largest error, in units of the last place of float32."""
    units = (float(np.spacing(np.float32(float(e)))) for e in exact)
    errors = (abs(float(v) - e) / u for v, e, u in zip(values, exact, units, strict=True))
    return f"{float(max(errors)):.3g}"


def softmax_of_a_class_balanced_loss():
    import torch
    from balanced_loss import Loss

    z, counts, beta = [0.78, 0.83, 0.05], [30, 100, 25], 0.999
    loss = Loss("softmax_binary_cross_entropy", beta, samples_per_class=counts, class_balanced=True)
    there = loss(torch.tensor([z]), torch.tensor([2])).item()
    here = jimb.class_balanced_softmax_loss(np.float32([z]), np.array([2]), counts, beta=beta)[0]
    inverse = [1 / (1 - mpmath.mpf(beta) ** n) for n in counts]
    cross_entropy = mpmath.log(sum(mpmath.exp(x) for x in z)) - z[2]
    exact = 3 * inverse[2] / sum(inverse) * cross_entropy
    return (
        "balanced-loss `softmax_binary_cross_entropy`: the class-balanced softmax loss",
        f"{there:.4f}",
        f"{float(here):.4f}",
        mpmath.nstr(exact, 5),
    )


def focal_of_a_class_balanced_loss():
    import torch
    from balanced_loss.losses import focal_loss

    there = focal_loss(torch.tensor([[-89.0]]), torch.tensor([[1.0]])).item()
    here = jimb.sigmoid_focal_loss(np.float32([-89]), np.float32([1]))[0]
    p = 1 / (1 + mpmath.exp(89))
    return (
        "balanced-loss `focal_loss`, γ = 2, z = -89, y = 1",
        f"{there:.4g}",
        f"{float(here):.4g}",
        mpmath.nstr(-((1 - p) ** 2) * mpmath.log(p), 5),
    )


def focal_of_keras():
    import keras

    loss = keras.losses.BinaryFocalCrossentropy(from_logits=True)
    there = float(loss(np.float32([[1]]), np.float32([[-40]])))
    here = jimb.sigmoid_focal_loss(np.float32([-40]), np.float32([1]))[0]
    p = 1 / (1 + mpmath.exp(40))
    return (
        "Keras `BinaryFocalCrossentropy(from_logits=True)`, γ = 2, z = -40, y = 1",
        f"{there:.4g}",
        f"{float(here):.4g}",
        mpmath.nstr(-((1 - p) ** 2) * mpmath.log(p), 5),
    )


def matthews_of_torchmetrics():
    import torch
    from torchmetrics.functional.classification import multiclass_matthews_corrcoef

    counts = np.array([[2_000_000, 30, 2], [25, 6, 1], [3, 0, 2]])
    true, predicted = (np.repeat(x.ravel(), counts.ravel()) for x in np.indices((3, 3)))
    there = multiclass_matthews_corrcoef(torch.tensor(predicted), torch.tensor(true), 3).item()
    here = jimb.metrics.matthews_correlation(jimb.metrics.ConfusionState(counts))
    t, p, n = (x.astype(object) for x in (counts.sum(1), counts.sum(0), counts.sum()[None]))
    n = int(n[0])
    above = int(np.trace(counts)) * n - int(t @ p)
    below = mpmath.sqrt((n * n - int(t @ t)) * (n * n - int(p @ p)))
    return (
        "torchmetrics `multiclass_matthews_corrcoef`, 37 rare examples in 2 million",
        f"{there:.6f}",
        f"{float(here):.6f}",
        mpmath.nstr(above / below, 6),
    )


def specificity_of_imbalanced_learn():
    from imblearn.metrics import specificity_score

    with np.errstate(all="ignore"):
        there = specificity_score([-1, -1], [-1, -1])
    state = jimb.metrics.update(jimb.metrics.init(2), np.array([0, 0]), np.array([0, 0]))
    here = jimb.metrics.per_class_recall(state)[0]
    return (
        "imbalanced-learn `specificity_score([-1, -1], [-1, -1])`: TN / (TN + FP)",
        f"{there:.4g}",
        f"{float(here):.4g}",
        "1",
    )


FIGURES = (
    torch_cross_entropy,
    torchvision_asks_for_no_more,
    softmax_of_a_class_balanced_loss,
    focal_of_a_class_balanced_loss,
    focal_of_keras,
    matthews_of_torchmetrics,
    specificity_of_imbalanced_learn,
)


def main():
    rows = [("what", "there", "jimb", "exact")]
    for figure in FIGURES:
        try:
            rows.append(figure())
        except ImportError as error:
            print(f"{figure.__name__}: {error}", file=sys.stderr)
    print(table(rows))


if __name__ == "__main__":
    main()
