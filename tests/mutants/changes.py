"""Changes to array code that Cosmic Ray does not make, as `(start, end, text)` in one file.

`jnp.where(c, a, b)` becomes a or b, a call loses one keyword argument, functions become their
opposites, and some calls become their argument.
"""

import ast

_OPPOSITES = [
    ("maximum", "minimum"),
    ("max", "min"),
    ("any", "all"),
    ("argmax", "argmin"),
    ("zeros", "ones"),
    ("zeros_like", "ones_like"),
]
_SWAPPED = dict(_OPPOSITES + [(b, a) for a, b in _OPPOSITES])
_LEFT_OUT = {"stop_gradient", "abs", "replicated", "isfinite", "sort", "round", "floor"}


def changes(tree, source):
    """Every change of these kinds; positions are `(line, column)` as in `ast`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from _of_call(node, source)


def _of_call(node, source):
    name = getattr(node.func, "attr", getattr(node.func, "id", None))
    if name == "where" and len(node.args) == 3:
        yield from (_replaced(node, _text(branch, source)) for branch in node.args[1:])
    if name in _LEFT_OUT and len(node.args) == 1:
        yield _replaced(node, _text(node.args[0], source))
    if name in _SWAPPED:
        function = _text(node.func, source)
        yield _replaced(node.func, function.removesuffix(name) + _SWAPPED[name])
    arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
    for keyword in node.keywords:
        if keyword.arg is not None and len(arguments) > 1:
            yield _replaced(node, _without(node, keyword, source))


def _without(node, left_out, source):
    given = [_text(argument, source) for argument in node.args]
    given += [_text(keyword, source) for keyword in node.keywords if keyword is not left_out]
    return f"{_text(node.func, source)}({', '.join(given)})"


def _text(node, source):
    return ast.get_source_segment(source, node)


def _replaced(node, text):
    # In brackets: what surrounds a call may bind tighter than what takes its place.
    simple = isinstance(node, ast.Attribute | ast.Name) or text.endswith(")")
    span = (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)
    return (*span, text if simple and "\n" not in text else f"({text})")
