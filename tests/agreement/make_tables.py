"""Makes tables.json: what PyTorch, torchvision and Keras give on small inputs.

Run once, where these are installed (torch 2.13, torchvision 0.29 and Keras 3.15 made the stored
tables): `KERAS_BACKEND=torch python tests/agreement/make_tables.py`.
"""

import itertools
import json
from pathlib import Path
from unittest import mock

import keras
import numpy as np
import torch
import torch.nn.functional as F

# A torchvision built for another torch lacks its compiled operators, about which it complains when
# imported. The focal loss needs none of them.
with mock.patch("torch.library.register_fake", return_value=lambda function: function):
    from torchvision.ops import sigmoid_focal_loss

rng = np.random.default_rng(0)
LOGITS = rng.normal(0, 3, (6, 4)).astype(np.float32)
LABELS = np.array([0, 3, -100, 1, 2, 3])
SOFT = rng.dirichlet(np.ones(4), 6).astype(np.float32)
BINARY = (rng.uniform(size=(6, 4)) < 0.3).astype(np.float32)
ONE_HOT = np.eye(4, dtype=np.float32)[np.where(LABELS < 0, 1, LABELS)]
WEIGHT = np.array([0.5, 1.0, 2.0, 4.0], np.float32)


def case(call, function, **settings):
    """One stored row: the call, its inputs, its value and the gradient of the value's sum."""
    logits = torch.tensor(LOGITS, requires_grad=True)
    tensors = {k: torch.tensor(v) if isinstance(v, np.ndarray) else v for k, v in settings.items()}
    value = function(logits, **tensors)
    value.sum().backward()
    stored = {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in settings.items()}
    return {
        "call": call,
        "settings": stored,
        "value": value.detach().numpy().tolist(),
        "gradient": logits.grad.numpy().tolist(),
    }


def keras_loss(name, **options):
    """A Keras loss with the arguments in PyTorch's order."""
    loss = getattr(keras.losses, name)(from_logits=True, reduction=None, **options)
    return lambda z, y_true, **_: loss(y_true, z)


def main():
    rows = []
    reductions = ("none", "sum", "mean")
    weights = (None, WEIGHT)
    for reduction, weight, smoothing in itertools.product(reductions, weights, (0.0, 0.1)):
        common = {"weight": weight, "label_smoothing": smoothing, "reduction": reduction}
        ids = {"target": LABELS, "ignore_index": -100} | common
        rows.append(case("torch.cross_entropy", F.cross_entropy, **ids))
        rows.append(case("torch.cross_entropy", F.cross_entropy, target=SOFT, **common))
    for reduction, pos_weight in itertools.product(reductions, weights):
        common = {"target": BINARY, "pos_weight": pos_weight, "reduction": reduction}
        bce = F.binary_cross_entropy_with_logits
        rows.append(case("torch.binary_cross_entropy_with_logits", bce, **common))
    for alpha, gamma in ((0.25, 2.0), (0.75, 0.5), (-1, 2.0)):
        common = {"targets": BINARY, "alpha": alpha, "gamma": gamma, "reduction": "none"}
        rows.append(case("torchvision.sigmoid_focal_loss", sigmoid_focal_loss, **common))
    for alpha, gamma in ((0.25, 2.0), (0.75, 1.0)):
        options = {"alpha": alpha, "gamma": gamma}
        binary = keras_loss("BinaryFocalCrossentropy", apply_class_balancing=True, **options)
        rows.append(case("keras.BinaryFocalCrossentropy", binary, y_true=BINARY, **options))
        categorical = keras_loss("CategoricalFocalCrossentropy", **options)
        rows.append(
            case("keras.CategoricalFocalCrossentropy", categorical, y_true=ONE_HOT, **options)
        )
    path = Path(__file__).with_name("tables.json")
    lines = ",\n".join(json.dumps(row) for row in rows)
    path.write_text(f'{{"logits": {json.dumps(LOGITS.tolist())},\n"rows": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
