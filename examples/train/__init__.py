"""A training loop for CPU, GPU, TPU and several hosts: `python -m examples.train`."""
