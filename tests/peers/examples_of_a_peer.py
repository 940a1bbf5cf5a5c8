"""Runs the examples in the docstrings of a peer whose tests are not published.

Each example that shows a value is one test, after those above it have been run.
"""

import doctest
import importlib

import pytest

from tests.peers.calls import CALLS
from tests.peers.peer import resolve


def pytest_generate_tests(metafunc):
    module = metafunc.config.getoption("--peer")
    names = importlib.import_module(f"tests.peers.{module}").PEER.tests
    found = [(name, i) for name in names for i in range(len(shown(name)))]
    metafunc.parametrize(("name", "number"), found, ids=[f"{n}-{i}" for n, i in found])


def documented(name):
    """The docstring's examples; the adapter has the docstring of what it replaces."""
    module, attribute = name.rsplit(".", 1)
    return doctest.DocTestParser().get_examples(getattr(resolve(module), attribute).__doc__)


def shown(name):
    return [i for i, example in enumerate(documented(name)) if example.want]


def test_example(name, number):
    function = getattr(resolve(name.rsplit(".", 1)[0]), name.rsplit(".", 1)[1])
    names = dict(vars(importlib.import_module(function.__module__)))
    last = shown(name)[number]
    for i, example in enumerate(documented(name)[: last + 1]):
        CALLS.clear()
        if i < last:
            exec(example.source, names)
            continue
        value = eval(example.source, names)
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    if not doctest.OutputChecker().check_output(example.want, f"{value!r}\n", flags):
        pytest.fail(f"expected {example.want.strip()}, got {value!r}")
