"""One backbone, eight classifiers: `python -m examples.decoupling`."""
