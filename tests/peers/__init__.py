"""The tests of other libraries, run on jimb: `python -m tests.peers`.

docs/why/peers.md has the table.

A module here describes one peer: which of its test files are run, which of its functions jimb
replaces, and where jimb differs on purpose. No test of a peer is copied: they are read from the
installed package.
"""
