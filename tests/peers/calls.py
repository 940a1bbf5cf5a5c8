"""Counts what a test asks of jimb, so that a test that never reached it is not called passed."""

import contextlib
import inspect
from types import ModuleType

import jimb as _jimb


class NotApplicable(Exception):
    """A test asks for something that jimb does not have; the message says what."""


class Calls:
    """What one test asked: how often of jimb, and which things jimb does not have."""

    def __init__(self):
        self.clear()

    def clear(self):
        self.number, self.answers, self.missing, self.peer_is_asked = 0, 0, [], False

    @contextlib.contextmanager
    def of_the_peer(self):
        """While a peer checks its input, its functions are its own."""
        self.peer_is_asked = True
        try:
            yield
        finally:
            self.peer_is_asked = False


class Counted:
    """A module whose functions are counted when called."""

    def __init__(self, module):
        self._module = module

    def __getattr__(self, name):
        found = getattr(self._module, name)
        if isinstance(found, ModuleType):
            return Counted(found)
        if not inspect.isfunction(found):
            return found

        def counted(*args, **kwargs):
            CALLS.number += 1
            return found(*args, **kwargs)

        return counted


ORIGINALS = {}
CALLS = Calls()
jimb = Counted(_jimb)


def original(name):
    """What the peer itself has under a name that jimb replaces."""
    return ORIGINALS[name]


def missing(what):
    """Ends a test that needs what jimb does not have, also one that expects an exception."""
    CALLS.missing.append(what)
    raise NotApplicable(what)
