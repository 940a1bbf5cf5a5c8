"""A sample of mutants: a fixed seed's, so many for each area, no two at the same place."""

import ast
import difflib
import random
from pathlib import Path

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

from tests.mutants.areas import AREAS, files
from tests.mutants.changes import changes
from tests.mutants.places import is_code, statement

_ARITHMETIC = {"Add", "Sub", "Mul", "Div"}
_BITS = {"BitOr", "BitAnd"}
_SHIFTS = {"LShift", "RShift"}
_ORDER = {"Eq", "NotEq", "Lt", "LtE", "Gt", "GtE"}
_IDENTITY = {"Is", "IsNot"}
_OTHERS = {
    *("AddNot", "ReplaceTrueWithFalse", "ReplaceFalseWithTrue", "ReplaceAndWithOr"),
    *("ReplaceOrWithAnd", "ExceptionReplacer", "NumberReplacer", "RemoveDecorator"),
    *("ZeroIterationForLoop", "ReplaceUnaryOperator_Delete_USub"),
    *("ReplaceUnaryOperator_Delete_Invert", "ReplaceUnaryOperator_Delete_Not"),
}


def sample(seed, share=1.0):
    """Mutants of every area, in an order that mixes the areas."""
    drawn = [mutant for area in AREAS for mutant in _of_area(area, seed, share)]
    random.Random(seed).shuffle(drawn)
    return drawn


def _of_area(area, seed, share):
    rng = random.Random(f"{area} {seed}")
    places = {}
    for path in files(area):
        for start, change in _candidates(path):
            places.setdefault((str(path), start), []).append(change)
    wanted, drawn = round(AREAS[area][1] * share), []
    for path, start in rng.sample(sorted(places), len(places)):
        if len(drawn) == wanted:
            break
        mutant = _mutant(area, Path(path), rng.choice(places[path, start]))
        if mutant is not None and mutant not in drawn:
            drawn.append(mutant)
    return drawn


def _candidates(path):
    """`(start, function that gives the changed source)` for every change to a line of code."""
    source = path.read_text()
    tree = ast.parse(source)
    for start, end, text in changes(tree, source):
        if is_code(tree, start):
            yield start, lambda span=(start, end, text): _spliced(source, *span)
    nodes = list(ast_nodes(get_ast(source)))
    for name in filter(_makes_sense, operator_names()):
        operator = get_operator(name)()
        spans = (span for node in nodes for span in operator.mutation_positions(node))
        for occurrence, (start, _) in enumerate(spans):
            if is_code(tree, start):
                yield start, lambda which=(operator, occurrence): mutate_code(source, *which)


def _makes_sense(name):
    """Whether an operator's result may be the same kind of number."""
    name = name.removeprefix("core/")
    kind, _, pair = name.partition("Operator_")
    if kind == "ReplaceBinary":
        old, new = pair.split("_")
        to_arithmetic = old in _ARITHMETIC | {"FloorDiv", "Mod", "Pow"} and new in _ARITHMETIC
        return to_arithmetic or any({old, new} <= group for group in (_BITS, _SHIFTS))
    if kind == "ReplaceComparison":
        return any(set(pair.split("_")) <= group for group in (_ORDER, _IDENTITY))
    return name in _OTHERS


def _spliced(source, start, end, text):
    lines = source.splitlines(keepends=True)
    (first, left), (last, right) = start, end
    before, after = lines[first - 1].encode()[:left], lines[last - 1].encode()[right:]
    changed = before.decode() + text + after.decode()
    return "".join([*lines[: first - 1], changed, *lines[last:]])


def _mutant(area, path, change):
    """A mutant as the lines that change; None if the change is none, or no Python."""
    source, changed = path.read_text(), change()
    try:
        if ast.dump(ast.parse(changed)) == ast.dump(ast.parse(source)):
            return None
    except SyntaxError:
        return None
    old, new = source.splitlines(), changed.splitlines()
    if any(line.strip() == "/," for line in new):  # from the star before keywords
        return None
    edits = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    edits = [edit for edit in edits if edit[0] != "equal"]
    first, last = edits[0][1], edits[-1][2]
    return {
        "area": area,
        "file": str(path),
        "line": first + 1,
        "old": old[first:last],
        "new": new[first : edits[-1][4]],
        "statement": statement(ast.parse(source), first + 1),
    }
