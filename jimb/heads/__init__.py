"""What may stand in the place of logits: a last layer that is computed as it is needed.

`LinearLogits` are never stored; `DividedLogits` are one device's, inside `jax.shard_map`.
"""

from jimb.heads._divided_logits import DividedLogits as DividedLogits
from jimb.heads._linear_logits import LinearLogits as LinearLogits
