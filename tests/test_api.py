"""The public API, linted by introspection."""

import inspect
import types

import pytest

import jimb
from jimb.sampling import grain

TRACKERS = [
    jimb.difficulty.last_loss,
    jimb.difficulty.forgetting,
    jimb.difficulty.data_map,
    jimb.difficulty.class_wise,
]
MODULES = [
    jimb,
    jimb.counting,
    jimb.gradient_ratio,
    jimb.losses,
    jimb.difficulty,
    *TRACKERS,
    jimb.sampling,
    jimb.metrics,
    jimb.metrics.calibration,
    jimb.metrics.ranking,
    jimb.mining,
    jimb.mining.pool,
    jimb.posthoc,
    jimb.posthoc.class_means,
    grain,
]
POSITIONAL_WITH_A_DEFAULT = {
    ("jimb.weighted_mean", "weights"),  # a mean of values by weights
    ("jimb.one_vs_all_bias_init", "dtype"),  # the signature of JAX's initializers
    ("jimb.losses.one_vs_all_bias_init", "dtype"),
}
NEVER_RAISE = {
    "jimb.difficulty.last_loss.score",
    "jimb.difficulty.forgetting.score",
    "jimb.difficulty.data_map.confidence",
    "jimb.difficulty.data_map.variability",
    "jimb.difficulty.data_map.correctness",
    "jimb.difficulty.data_map.score",
    "jimb.difficulty.class_wise.accuracy",
    "jimb.posthoc.class_means.center",
    "jimb.mining.pool.pop",
}
LONGEST_ANNOTATION = 100  # in help(); ArrayLike took 155 when it was a union


def public(module):
    """The module's own public objects, by qualified name: no submodules, nothing of JAX."""
    return {
        f"{module.__name__}.{name}": value
        for name, value in vars(module).items()
        if not name.startswith("_")
        and not isinstance(value, types.ModuleType)
        and getattr(value, "__module__", "").startswith(module.__name__)
    }


PUBLIC = {name: value for module in MODULES for name, value in public(module).items()}
SELECTIONS = {name: value for name, value in public(grain).items() if inspect.isclass(value)}
METHODS = {
    f"{name}.{method}": value
    for name, selection in SELECTIONS.items()
    for method, value in vars(selection).items()
    if not method.startswith("_")
}
FUNCTIONS = {name: value for name, value in PUBLIC.items() if inspect.isfunction(value)}
functions = pytest.mark.parametrize("name", FUNCTIONS)


def sections(function):
    """Docstring sections by title; "" is what comes before the first."""
    found = {"": []}
    title = ""
    for line in inspect.getdoc(function).splitlines():
        if line in ("Args:", "Returns:", "Raises:", "Example:", "Reference:"):
            title = line[:-1]
            found[title] = []
        else:
            found[title].append(line)
    return {title: "\n".join(lines) for title, lines in found.items()}


def test_the_lint_sees_the_api():
    assert len(FUNCTIONS) >= 20
    assert {"jimb.weighted_mean", "jimb.difficulty.update", "jimb.metrics.merge"} <= set(FUNCTIONS)


@pytest.mark.parametrize("name", PUBLIC)
def test_a_docstring_opens_with_one_sentence_on_one_line(name):
    first, *rest = inspect.getdoc(PUBLIC[name]).splitlines()
    assert first.endswith(".")
    assert not rest or rest[0] == ""


@functions
def test_a_docstring_documents_arguments_result_errors_and_an_example(name):
    parts = sections(FUNCTIONS[name])
    documented = [line.split(":")[0].strip() for line in parts["Args"].splitlines() if ":" in line]
    parameters = list(inspect.signature(FUNCTIONS[name]).parameters)
    assert [word for word in documented if word in parameters] == parameters
    assert parts["Returns"].strip()
    assert ">>> " in parts["Example"]
    assert ("Raises" in parts) != (name in NEVER_RAISE)


@functions
def test_defaults_are_keyword_only_and_positionals_at_most_three(name):
    parameters = inspect.signature(FUNCTIONS[name]).parameters.values()
    for parameter in parameters:
        if parameter.default is parameter.empty:
            continue
        if (name, parameter.name) not in POSITIONAL_WITH_A_DEFAULT:
            assert parameter.kind is parameter.KEYWORD_ONLY, parameter
    assert sum(p.kind is p.POSITIONAL_OR_KEYWORD for p in parameters) <= 3
    assert not any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters)


@pytest.mark.parametrize("name", SELECTIONS)
def test_a_selections_docstring_is_that_of_a_function(name):
    parts = sections(SELECTIONS[name])
    documented = [line.split(":")[0].strip() for line in parts["Args"].splitlines() if ":" in line]
    parameters = inspect.signature(SELECTIONS[name]).parameters
    assert [word for word in documented if word in parameters] == list(parameters)
    assert ">>> " in parts["Example"]
    assert "Memory: " in parts[""]
    assert parts["Raises"].strip()
    for parameter in parameters.values():
        assert parameter.annotation is not parameter.empty, parameter
        assert parameter.default is parameter.empty or parameter.kind is parameter.KEYWORD_ONLY


@pytest.mark.parametrize("name", METHODS)
def test_a_method_documents_its_argument_result_and_errors(name):
    parts = sections(METHODS[name])
    assert all(parts[title].strip() for title in ("Args", "Returns", "Raises"))


@functions
def test_arguments_and_result_are_annotated(name):
    signature = inspect.signature(FUNCTIONS[name])
    assert signature.return_annotation is not signature.empty
    for parameter in signature.parameters.values():
        assert parameter.annotation is not parameter.empty, parameter


@functions
def test_help_shows_an_annotation_by_a_short_name(name):
    signature = inspect.signature(FUNCTIONS[name])
    annotations = [p.annotation for p in signature.parameters.values()]
    for annotation in (*annotations, signature.return_annotation):
        assert len(inspect.formatannotation(annotation)) <= LONGEST_ANNOTATION


@pytest.mark.parametrize("module", TRACKERS, ids=lambda m: m.__name__.rpartition(".")[2])
def test_a_tracker_has_the_shape_of_the_difficulty(module):
    for name in ("init", "update", "score"):
        parameters = inspect.signature(getattr(module, name)).parameters
        of_difficulty = inspect.signature(getattr(jimb.difficulty, name)).parameters
        shared = [p for p in of_difficulty if p in parameters]
        assert [p for p in parameters if p in of_difficulty] == shared
        assert all(parameters[p].kind == of_difficulty[p].kind for p in shared)
    states = [value for value in public(module).values() if inspect.isclass(value)]
    assert len(states) == 1
    assert issubclass(states[0], tuple)


def test_every_loss_is_at_the_top():
    for name in public(jimb.losses):
        short = name.rpartition(".")[2]
        assert getattr(jimb, short) is getattr(jimb.losses, short)
