"""Measured claims: `python -m proofs.plans`, `proofs.stores`, `proofs.memory`."""
