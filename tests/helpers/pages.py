"""The Python blocks of README and of the documentation, run as a reader would run them."""

import importlib.util
from pathlib import Path

import jax
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

ROOT = Path(__file__).parents[2]
# Tests look at what is left by these, and run them themselves.
LOOKED_AT = (
    *("README.md", "start.md"),
    *("guides/difficulty.md", "guides/mean.md", "guides/schedules.md"),
)
# Some seconds of compilation, of what other tests run as well.
SLOW = (
    *("after_training.md", "losses.md", "many_classes.md", "many_data_sets.md", "measures.md"),
    "which_method.md",
)


def begin(names):
    """As users have it: Optax and Keras promote, which the configuration of the tests forbids."""
    jax.config.update("jax_numpy_dtype_promotion", "standard")
    jax.config.update("jax_numpy_rank_promotion", "allow")
    names["installed"] = lambda package: importlib.util.find_spec(package) is not None


def end(_):
    """As the tests have it."""
    jax.config.update("jax_numpy_dtype_promotion", "strict")
    jax.config.update("jax_numpy_rank_promotion", "raise")


SYBIL = Sybil(
    [PythonCodeBlockParser(), SkipParser()],
    path=str(ROOT),
    pattern="*.md",
    excludes=LOOKED_AT,
    setup=begin,
    teardown=end,
)


def run(page):
    """The names that all blocks of a page leave, run one after the other."""
    document = SYBIL.parse(ROOT / page)
    begin(document.namespace)
    try:
        for example in document.examples():
            example.evaluate()
    finally:
        end(document.namespace)
    return document.namespace
