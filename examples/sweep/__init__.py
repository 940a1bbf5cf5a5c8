"""A grid of two hyper-parameters in one program: `python -m examples.sweep`."""
