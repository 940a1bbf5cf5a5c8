"""Logits of a linear layer that are never stored, for heads of ten thousand classes and more."""

from jimb.linear._linear_logits import LinearLogits as LinearLogits
