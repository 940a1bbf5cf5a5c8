"""The images of each trial, and what is measured on them."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

import jimb
from examples.bbn.network import Recipe
from examples.bbn.settings import DatasetName, Settings
from examples.data import pictures, subsets
from examples.training import Data


class Task(NamedTuple):
    """The trials' training sets and the common test images."""

    train: Data  # leading axis: the trial
    counts: np.ndarray  # [K], the same in every trial
    statistics: tuple[Array, Array]  # mean and deviation of the training pixels, [S, features]
    test: Data
    tested: Array  # [S, T]: False where the trial trains on the image


def make_task(name: DatasetName, settings: Settings) -> Task:
    """Draws each trial's long-tailed training set; digits tests on all remaining images."""
    if name == "digits":
        images, labels = test_images, test_labels = pictures.load_digits()
        largest = 120 if settings.largest is None else settings.largest
    else:
        images, labels, test_images, test_labels = pictures.load_idx(name, settings.data_dir)
        largest = 500 if settings.largest is None else settings.largest
    index = np.stack(
        [
            subsets.long_tail(labels, largest, settings.imbalance, np.random.default_rng(trial))
            for trial in range(settings.seed, settings.seed + settings.seeds)
        ]
    )
    tested = np.ones((len(index), len(test_labels)), bool)
    if name == "digits":
        np.put_along_axis(tested, index, False, axis=1)
    mean, deviation = pictures.pixel_statistics(images[index])
    return Task(
        Data(jnp.asarray((images[index] - mean) / deviation), jnp.asarray(labels[index])),
        np.asarray(jimb.class_counts(labels[index[0]], 10)),
        (jnp.asarray(mean[:, 0]), jnp.asarray(deviation[:, 0])),
        Data(jnp.asarray(test_images), jnp.asarray(test_labels)),
        jnp.asarray(tested),
    )


@jax.jit(static_argnames="recipe")
def measure_trials(params: nnx.State, task: Task, *, recipe: Recipe) -> Array:
    """Balanced accuracy, and that of the many-, medium- and few-shot classes, `[S, 4]`."""

    def one(params: nnx.State, mean: Array, deviation: Array, tested: Array) -> Array:
        def predict(image: Array) -> Array:
            return recipe.predict(params, (image - mean) / deviation).argmax(-1)

        predictions = jax.lax.map(predict, task.test.inputs, batch_size=1024)
        confusion = jimb.metrics.init(recipe.classes)
        confusion = jimb.metrics.update(confusion, predictions, task.test.labels, where=tested)
        shots = jimb.metrics.shot_accuracy(confusion, task.counts)
        return jnp.stack([jimb.metrics.balanced_accuracy(confusion), *shots])

    return jax.vmap(one)(params, *task.statistics, task.tested)
