"""The examples: `python -m examples.NAME` runs one, README.md lists them.

Floors, from the lowest up: `data` and `report`; `training`, what all of them compile; then the
programs, of which none imports another.
"""
