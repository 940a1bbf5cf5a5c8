"""A rare event in two tables: `python -m examples.rare_event`."""
