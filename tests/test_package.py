"""What the modules import, export and bring, linted from their text; and Grain, when asked for."""

import ast
import importlib
import importlib.resources
import pathlib
import pkgutil
import subprocess
import sys

import pytest

import jimb

PACKAGE = pathlib.Path(jimb.__file__).parent
PUBLIC_MODULES = [  # not the packages, which only re-export
    importlib.import_module(m.name)
    for m in pkgutil.walk_packages(jimb.__path__, "jimb.")
    if not m.ispkg and "._" not in m.name
]


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("__init__.py")), ids=lambda p: p.parent.name)
def test_a_package_only_re_exports_public_names_under_their_own_name(path):
    docstring, *statements = ast.parse(path.read_text()).body
    assert isinstance(docstring, ast.Expr)
    if path.parent.name == "sampling":
        statements = without_the_lazy_grain(statements)
    for statement in statements:
        if isinstance(statement, ast.Assign):
            assert ast.unparse(statement.targets[0]) == "__version__"
            continue
        assert isinstance(statement, ast.ImportFrom)
        assert statement.module.partition(".")[0] == "jimb"
        for alias in statement.names:
            assert alias.name == alias.asname
            assert not alias.name.startswith("_")


def without_the_lazy_grain(statements):
    """Without what gets Grain's module when it is asked for, and tells type checkers of it."""
    *others, checkers, getter = statements
    assert ast.unparse(checkers.test) == "_TYPE_CHECKING"
    assert ast.unparse(checkers.body) == "from jimb.sampling import grain as grain"
    assert isinstance(getter, ast.FunctionDef)
    assert getter.name == "__getattr__"
    python = (
        "import importlib as _importlib",
        "from typing import TYPE_CHECKING as _TYPE_CHECKING",
        "from typing import Any as _Any",
    )
    return [s for s in others if ast.unparse(s) not in python]


@pytest.mark.parametrize("module", PUBLIC_MODULES, ids=lambda m: m.__name__)
def test_a_modules_all_is_its_own_public_objects(module):
    own = [name for name, value in vars(module).items() if defined_in(module, name, value)]
    assert sorted(module.__all__) == sorted(own)


def defined_in(module, name, value):
    return not name.startswith("_") and getattr(value, "__module__", None) == module.__name__


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: p.stem)
def test_nothing_imports_a_training_or_data_library(path):
    imported = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").partition(".")[0])
    allowed = {"grain"} if path == PACKAGE / "sampling" / "grain.py" else set()
    assert imported & {"flax", "grain", "optax", "orbax"} == allowed


def test_the_package_says_that_it_is_typed():
    assert importlib.resources.files("jimb").joinpath("py.typed").is_file()


def test_jimb_imports_and_runs_without_jaxtyping():
    script = """
import sys
sys.modules["jaxtyping"] = None
import jimb
assert jimb.weighted_mean([1.0, 3.0]) == 2
assert not {"flax", "grain", "optax", "orbax", "jimb.sampling.grain"} & set(sys.modules)
assert jimb.sampling.grain.PlanSelection([1, 0], 2)[0] == (0, 1)
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)


def test_an_unknown_name_of_sampling_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"'jimb\.sampling' has no attribute 'grian'"):
        jimb.sampling.grian  # noqa: B018


def test_where_grain_is_missing_its_module_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "grain", None)
    monkeypatch.delitem(sys.modules, "jimb.sampling.grain")
    monkeypatch.delattr(jimb.sampling, "grain")
    with pytest.raises(ImportError, match=r"jimb\.sampling\.grain needs Grain; install it with"):
        jimb.sampling.grain  # noqa: B018
