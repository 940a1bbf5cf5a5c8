"""The tests of balanced-loss, a package of class-balanced losses for PyTorch."""

import jax.numpy as jnp
import numpy as np

from tests.peers.calls import jimb, missing
from tests.peers.peer import Peer


def forward(self, logits, labels):
    """Each loss of Cui et al.; without balancing the weights are those of equal counts."""
    import torch

    z, y = jnp.asarray(logits.numpy()), jnp.asarray(labels.numpy().astype(np.int32))
    counts = self.samples_per_class if self.class_balanced else [1] * z.shape[-1]
    options = {"beta": self.beta}
    if self.loss_type == "focal_loss":
        losses = jimb.class_balanced_focal_loss(z, y, counts, gamma=self.fl_gamma, **options)
    elif self.loss_type == "cross_entropy":
        losses = jimb.class_balanced_softmax_loss(z, y, counts, **options)
    elif self.loss_type == "binary_cross_entropy":  # the mean over classes, too
        losses = jimb.class_balanced_sigmoid_loss(z, y, counts, **options) / z.shape[-1]
    else:
        missing("the binary cross-entropy of the softmax")
    return torch.tensor(np.asarray(jimb.weighted_mean(losses)))


PEER = Peer(
    package="balanced-loss",
    floor="0.1.1",
    what="class-balanced focal, softmax and sigmoid losses",
    tests=("tests/test_losses.py",),
    replace={"balanced_loss.losses.Loss.forward": forward},
    requires=("torch==2.13.0",),
    sdist=True,
)
