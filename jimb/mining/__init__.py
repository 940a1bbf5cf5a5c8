"""Hard examples: weights that keep the hardest of a batch."""

from jimb.mining._hard_weights import hard_example_weights as hard_example_weights
