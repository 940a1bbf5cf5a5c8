"""Hard examples: weights that keep the hardest of a batch, and a pool that trains them again."""

from jimb.mining import pool as pool
from jimb.mining._hard_weights import hard_example_weights as hard_example_weights
