"""Where focal loss was made: `python -m examples.detection`."""
