"""Difficulty, plans, counts and divided classes over two processes of two devices."""

import sys

import pytest

from tests.helpers import joined, two_processes

SCRIPT = two_processes.__file__


@pytest.mark.slow
def test_two_processes_of_two_devices_give_the_bits_of_one_device():
    for output in joined.run_two(lambda port, i: [sys.executable, SCRIPT, str(port), "2", str(i)]):
        assert output.splitlines()[-1] == "equal"
