"""A number to predict, of which some values are rare: `python -m examples.regression`."""
