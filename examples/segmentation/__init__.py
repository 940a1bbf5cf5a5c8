"""Pixels of rare classes against background: `python -m examples.segmentation`."""
