"""Every method of jimb on every data set: `python -m examples.benchmark`."""
