"""Odd or even, with a rare digit in the larger class: `python -m examples.parity`."""
