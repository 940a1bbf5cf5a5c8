"""Which places of a file are code that a test could notice: no annotation, no sentence."""

import ast
import functools

_SENTENCES = {"sentence", "message", "bad", "empty", "opening", "closing"}


def is_code(tree, position):
    """Whether a change at `(line, column)` may change what the library computes."""
    return not any(start <= position < end for start, end in _left_out(tree))


def statement(tree, line):
    """First and last line of the innermost statement there."""
    spans = [
        (node.lineno, node.end_lineno)
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt) and node.lineno <= line <= node.end_lineno
    ]
    return min(spans, key=lambda span: span[1] - span[0]) if spans else (line, line)


@functools.cache
def _left_out(tree):
    return [_span(node) for node in ast.walk(tree) for node in _of(node) if node is not None]


def _of(node):
    """What of a node is left out: annotations, errors, warnings, messages and their parts."""
    if isinstance(node, ast.Raise | ast.JoinedStr | ast.Assert | ast.Import | ast.ImportFrom):
        return [node]
    if isinstance(node, ast.arg | ast.AnnAssign):
        return [node.annotation]
    if isinstance(node, ast.FunctionDef):
        return [node.returns]
    if isinstance(node, ast.Call) and ast.unparse(node.func) in ("warnings.warn", "TypeVar"):
        return [node]
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "isinstance":
        return node.args[1:]
    if isinstance(node, ast.BinOp) and isinstance(node.left, ast.Tuple):  # a shape
        return [node]
    if isinstance(node, ast.Assign):
        inner = (name for target in node.targets for name in ast.walk(target))
        return [node] if _SENTENCES & {getattr(name, "id", None) for name in inner} else []
    return []


def _span(node):
    return (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)
