"""The precision of the matrix products in a program, as it is lowered for this machine."""

import re

import jax


def precisions(fn, *args):
    """`HIGHEST`, `DEFAULT`, … of both sides of each product."""
    text = jax.jit(fn).lower(*args).as_text()
    assert text.count("dot_general") == text.count("precision = [")
    return re.findall(r"precision = \[(\w+), (\w+)\]", text)
