"""What one peer is: its tests, what jimb replaces, and where jimb differs on purpose."""

import dataclasses
import functools
import importlib
import re
from collections.abc import Callable

from tests.peers.calls import CALLS, ORIGINALS
from tests.peers.spoil import spoiled


@dataclasses.dataclass(frozen=True)
class Peer:
    """One peer.

    Attributes:
      package: its name for pip.
      floor: the first version whose tests this was written for.
      what: what of it is tried, for the table.
      tests: modules of its tests, as `pytest --pyargs` takes them, or files of an unpacked sdist.
      replace: dotted name of the peer's function -> a function of the same signature on jimb.
      differs: pattern of a test's id -> why jimb gives another answer, on purpose.
      select: pattern of the tests' ids; the others are about other functions and are not run.
      requires: what else pip must install.
      environment: variables that must be set before the peer is imported.
      peer_checks_input: the peer's function runs first, for its errors and warnings about the
        input; its answer is thrown away.
      traced: the peer's tests compile what they call.
      wrong: makes a wrong answer of a right one.
      sdist: the tests are in the source distribution only.
      x64: the tests compare to float64.
      examples: no test files are published; the examples in the replaced functions' docstrings are
        run instead.
    """

    package: str
    floor: str
    what: str
    tests: tuple[str, ...] = ()
    replace: dict[str, Callable] = dataclasses.field(default_factory=dict)
    differs: dict[str, str] = dataclasses.field(default_factory=dict)
    select: str = ""
    requires: tuple[str, ...] = ()
    environment: dict[str, str] = dataclasses.field(default_factory=dict)
    peer_checks_input: bool = False
    traced: bool = False
    wrong: Callable = spoiled
    sdist: bool = False
    x64: bool = False
    examples: bool = False

    def reason(self, test):
        """Why a test differs on purpose, or None."""
        return next((why for part, why in self.differs.items() if re.search(part, test)), None)


def install(peer, *, spoil=False):
    """Puts the functions of jimb where the peer has its own."""
    for name, adapter in peer.replace.items():
        path, attribute = name.rsplit(".", 1)
        owner = resolve(path)
        ORIGINALS[name] = getattr(owner, attribute)
        setattr(owner, attribute, dressed(adapter, ORIGINALS[name], peer, spoil))


def dressed(adapter, original, peer, spoil):
    """The adapter with the name, the signature and the documentation of what it replaces."""

    @functools.wraps(original)
    def call(*args, **kwargs):
        if CALLS.peer_is_asked:
            return original(*args, **kwargs)
        if peer.peer_checks_input:
            with CALLS.of_the_peer():
                original(*args, **kwargs)
        answer = adapter(*args, **kwargs)
        return peer.wrong(answer) if spoil else answer

    return call


def resolve(path):
    """A module, or a class in one, by its dotted name."""
    try:
        return importlib.import_module(path)
    except ModuleNotFoundError as error:
        if "." not in path or error.name != path:
            raise
    module, attribute = path.rsplit(".", 1)
    return getattr(resolve(module), attribute)
