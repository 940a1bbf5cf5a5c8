"""A head of 16 897 classes with a natural long tail: `python -m examples.large_head`."""
