"""All that may stand in the place of an array of logits."""

from typing import TypeAlias

from jimb.heads._divided_logits import DividedLogits
from jimb.heads._linear_logits import LinearLogits

Head: TypeAlias = LinearLogits | DividedLogits
