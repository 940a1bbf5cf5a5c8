"""A hundred data sets in a few programs: `python -m examples.keel`."""
