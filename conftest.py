"""Strict JAX for every test and doctest: no silent promotion, and eight CPU devices."""

import ctypes
import gc

import jax
import pytest

from tests.helpers import compilation, pages

# The first imports what only its tables need; the second has a configuration of its own; the third
# needs an extra, and so does what builds the documentation.
collect_ignore = ["tests/agreement/make_tables.py", "tests/benchmarks", "tests/mutants"]
collect_ignore += ["tests/agreement/make_region_tables.py"]  # as the first
collect_ignore += ["docs/conf.py", "docs/_ext", "docs/figures"]

# Each block of a page is a test.
pytest_collect_file = pages.SYBIL.pytest()


def pytest_itemcollected(item):
    """Blocks have no decorators."""
    if item.path.name in pages.SLOW:
        item.add_marker(pytest.mark.slow)


jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")

compiled = []
jax.monitoring.register_event_duration_secs_listener(
    lambda event, *_, **__: compiled.append(event) if "backend_compile" in event else None
)


def pytest_configure(config):
    """The slow tests are trainings: what they compile they run for long."""
    if config.option.markexpr == "not slow":
        compilation.compile_quickly()


def pytest_collection_finish():
    """What the imports made stays: looking through it again and again was a seventh of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(autouse=True, scope="module")
def _programs_are_let_go():
    """Not after each file, for the small ones are shared; all of them together took 6 GB."""
    yield
    if len(compiled) > 300:
        jax.clear_caches()
        gc.collect()
        compiled.clear()
        give_back_memory()


def give_back_memory():
    """What is free inside this process goes back to the system, where that is glibc's to do."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
