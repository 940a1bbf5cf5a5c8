"""The bilateral-branch network: `python -m examples.bbn`."""
