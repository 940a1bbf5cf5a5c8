"""The models of `examples.train`, what they compute alone and on a mesh; and augmentation."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.sharding import PartitionSpec as P
from scipy import signal

from examples import training
from examples.training import epoch, models

K, BATCH, SIDE = 3, 16, 8
RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(BATCH, SIDE * SIDE * 3)).astype(np.float32)
WORDS = RNG.integers(1, 20, (BATCH, 5)).astype(np.int32) * (np.arange(5) < 3)
LABELS = (np.arange(BATCH) % K).astype(np.int32)
RECIPES = {
    "mlp": training.Recipe(SIDE * SIDE * 3, K, "ce", hidden=7, batch_size=BATCH),
    "cnn": training.Recipe(
        SIDE * SIDE * 3, K, "ce", architecture="cnn", shape=(SIDE, SIDE, 3), batch_size=BATCH
    ),
    "resnet-32": training.Recipe(
        SIDE * SIDE * 3, K, "ce", architecture="resnet-32", shape=(SIDE, SIDE, 3), batch_size=BATCH
    ),
    "bag": training.Recipe(5, K, "ce", architecture="bag", vocabulary=20, batch_size=BATCH),
}


@pytest.fixture(autouse=True)
def _promotion_as_users_have_it():
    """Flax promotes dtypes and ranks; the library is tested strictly elsewhere."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


@pytest.fixture(autouse=True, scope="module")
def _shallow():
    """Of the five blocks of a stage one: fifteen take a minute to compile."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(models.ResNet.__init__.__kwdefaults__, "blocks", 1)
        yield


def slow(name):
    return pytest.param(name, marks=pytest.mark.slow)


def inputs_of(name):
    return WORDS if name == "bag" else IMAGES


@jax.jit(static_argnames="recipe")
def stepped(state, inputs, labels, hyper, *, recipe):
    return training.train_step(state, inputs, labels, hyper, recipe=recipe)


def state_of(recipe, seed=0):
    return jax.jit(lambda: training.init_state(jax.random.key(seed), recipe, BATCH))()


def on_devices(number):
    return jax.set_mesh(jax.make_mesh((number,), ("data",), devices=jax.devices()[:number]))


# ------------------------------------------------------------------------------------- what it is


@pytest.mark.parametrize(("classes", "expected"), [(10, 464_154), (100, 470_004)])
def test_resnet_32_has_the_parameters_of_its_paper(classes, expected):
    """0.46 million (He et al., Table 6), counted layer by layer."""
    convolutions = [(3, 16), *[(16, 16)] * 10, (16, 32), *[(32, 32)] * 9, (32, 64), *[(64, 64)] * 9]
    counted = sum(9 * i * o + 2 * o for i, o in convolutions) + 64 * classes + classes
    assert counted == expected
    model = nnx.eval_shape(
        lambda: models.ResNet((32, 32, 3), classes, blocks=5, loss="ce", rngs=nnx.Rngs(0))
    )
    params = jax.tree.leaves(nnx.state(model, nnx.Param))
    assert sum(int(np.prod(x.shape)) for x in params) == expected
    assert sum(x.ndim == 4 for x in params) == 31  # and the linear one is the 32nd layer


def convolved(x, kernel, stride):
    """`[H, W, C]` by a 3×3 kernel in float64, as SciPy does it."""
    out = np.zeros((*x.shape[:2], kernel.shape[3]))
    for i in range(kernel.shape[2]):
        for o in range(kernel.shape[3]):
            out[..., o] += signal.correlate2d(x[..., i], kernel[..., i, o], mode="same")
    return out[::stride, ::stride]


@pytest.mark.parametrize(("features", "out"), [(4, 4), (4, 8)])
def test_a_residual_block_is_that_of_the_paper(features, out):
    block = models.Block(features, out, rngs=nnx.Rngs(1))
    block = nnx.view(block, use_running_average=True)
    x = RNG.normal(size=(2, 6, 6, features)).astype(np.float32)
    stride = 1 if features == out else 2
    first, second = (
        np.asarray(part.conv.kernel[...], np.float64) for part in (block.first, block.second)
    )
    scale = 1 / np.sqrt(1 + 1e-5)  # of a normalisation that has seen nothing
    for image, found in zip(x, np.asarray(block(jnp.asarray(x))), strict=True):
        hidden = np.maximum(convolved(image, first, stride) * scale, 0)
        residual = convolved(hidden, second, 1) * scale
        short = np.zeros_like(residual)
        start = (out - features) // 2
        short[..., start : start + features] = image[::stride, ::stride]
        np.testing.assert_allclose(found, np.maximum(residual + short, 0), atol=3e-6)


def test_a_bag_is_the_mean_of_its_words_vectors():
    recipe = RECIPES["bag"]
    state = state_of(recipe)
    vectors, output = state.params["vectors"][...], state.params["output"]
    found = recipe.apply(state.params, jnp.asarray(WORDS))
    mean = np.stack(
        [np.mean(np.asarray(vectors, np.float64)[row[row > 0]], axis=0) for row in WORDS]
    )
    expected = mean @ np.asarray(output["kernel"][...]) + np.asarray(output["bias"][...])
    np.testing.assert_allclose(found, expected, atol=1e-6)
    outside = recipe.apply(state.params, jnp.full((1, 5), 20))
    assert np.isnan(outside).all()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"architecture": "cnn"}, "--model cnn needs images"),
        ({"architecture": "resnet-32"}, "--model resnet-32 needs images"),
        ({"architecture": "bag"}, "--model bag needs words"),
        ({"vocabulary": 9}, "--model mlp has no use for words"),
    ],
)
def test_data_that_a_model_cannot_read_is_a_sentence(changes, sentence):
    recipe = dataclasses.replace(training.Recipe(4, 2, "ce"), **changes)
    with pytest.raises(ValueError, match=sentence):
        training.init_state(jax.random.key(0), recipe, 4)


# --------------------------------------------------------------------------------- where it runs


@pytest.mark.parametrize("name", ["bag", *map(slow, ["mlp", "cnn", "resnet-32"])])
def test_a_step_on_eight_devices_is_that_of_one(name):
    """With augmentation where there are images, and with the running means of the whole batch."""
    recipe = dataclasses.replace(RECIPES[name], augmented=name in ("cnn", "resnet-32"))
    found = {}
    for number in (1, 8):
        with on_devices(number):
            batch = jax.device_put((inputs_of(name), LABELS), P("data"))
            hyper = jax.jit(lambda: training.hyper_of(np.full(K, 5)))()
            state, loss, losses = stepped(state_of(recipe), *batch, hyper, recipe=recipe)
            found[number] = loss, losses, state.params, state.batch_stats
    for one, eight in zip(jax.tree.leaves(found[1]), jax.tree.leaves(found[8]), strict=True):
        # Adam divides a gradient by its own size: the smallest ones are mostly rounding.
        np.testing.assert_allclose(one, eight, rtol=2e-5, atol=2e-4)
    np.testing.assert_allclose(found[1][0], found[8][0], rtol=1e-6)
    for one, eight in zip(jax.tree.leaves(found[1][3]), jax.tree.leaves(found[8][3]), strict=True):
        np.testing.assert_allclose(one, eight, rtol=2e-6, atol=1e-6)


@pytest.mark.slow
def test_two_seeds_in_one_vmap_are_two_trainings():
    recipe = dataclasses.replace(RECIPES["cnn"], augmented=True)
    hyper = training.hyper_of(np.full(K, 5))
    states = jax.tree.map(lambda *x: jnp.stack(x), state_of(recipe, 0), state_of(recipe, 1))
    keys = jax.random.split(jax.random.key(5), 2)

    def loss(state, key):
        given = hyper._replace(key=key)
        return stepped(state, jnp.asarray(IMAGES), jnp.asarray(LABELS), given, recipe=recipe)[1]

    together = jax.vmap(loss)(states, keys)
    alone = [loss(state_of(recipe, i), keys[i]) for i in range(2)]
    np.testing.assert_allclose(together, alone, rtol=1e-5)


@pytest.mark.parametrize("name", ["mlp", "bag", *map(slow, ["cnn", "resnet-32"])])
def test_in_bfloat16_only_the_computation_is(name):
    recipe = dataclasses.replace(RECIPES[name], dtype="bfloat16")
    hyper = training.hyper_of(np.full(K, 5))
    state = state_of(recipe)
    text = str(
        jax.make_jaxpr(lambda s, x, y, h: training.train_step(s, x, y, h, recipe=recipe))(
            state, inputs_of(name), LABELS, hyper
        )
    )
    assert "bf16" in text
    new, mean, _ = jax.eval_shape(
        lambda: training.train_step(state, inputs_of(name), LABELS, hyper, recipe=recipe)
    )
    floats = [x.dtype for x in jax.tree.leaves((new.params, new.opt_state, new.batch_stats, mean))]
    assert {str(d) for d in floats} <= {"float32", "int32"}
    if name == "resnet-32":
        return  # it compiles for half a minute
    _, loss, _ = stepped(state, inputs_of(name), LABELS, hyper, recipe=recipe)
    _, exact, _ = stepped(
        state_of(RECIPES[name]), inputs_of(name), LABELS, hyper, recipe=RECIPES[name]
    )
    np.testing.assert_allclose(loss, exact, rtol=0.02)
    assert float(loss) != float(exact)


@pytest.mark.parametrize("name", RECIPES)
def test_a_step_lowers_for_tpu_and_cuda(name):
    recipe = dataclasses.replace(RECIPES[name], augmented=name == "resnet-32")
    state = jax.eval_shape(lambda: training.init_state(jax.random.key(0), recipe, BATCH))
    hyper = jax.eval_shape(lambda: training.hyper_of(np.full(K, 5)))
    batch = jnp.asarray(inputs_of(name)), jnp.asarray(LABELS)
    platforms = "cpu", "cuda", "tpu"
    exported = jax.export.export(stepped, platforms=platforms)(state, *batch, hyper, recipe=recipe)
    assert exported.platforms == platforms


# ----------------------------------------------------------------------------------- augmentation


@pytest.mark.parametrize("channels", [1, 3])
def test_each_image_is_shifted_and_photographs_are_mirrored(channels):
    shape, size = (16, 16, channels), 200
    images = RNG.normal(size=(size, *shape)).astype(np.float32)
    keys = jax.random.split(jax.random.key(0), size)
    found = np.asarray(training.augment(keys, jnp.asarray(images.reshape(size, -1)), shape))
    framed = np.pad(images, [(0, 0), (2, 2), (2, 2), (0, 0)])
    seen = set()
    for row, image in zip(found.reshape(images.shape), framed, strict=True):
        matches = [
            (top, left, mirrored)
            for top in range(5)
            for left in range(5)
            for mirrored in (False, True)
            if np.array_equal(
                row, image[top : top + 16, left : left + 16][:, :: -1 if mirrored else 1]
            )
        ]
        assert len(matches) == 1
        seen |= set(matches)
    assert len({(top, left) for top, left, _ in seen}) == 25
    assert {mirrored for *_, mirrored in seen} == ({False, True} if channels == 3 else {False})


def test_augmentation_is_the_same_bits_on_any_number_of_devices_without_a_message():
    found = []
    for number in (1, 8):
        with on_devices(number):
            rows, labels = jax.device_put((IMAGES, LABELS), P("data"))

            @jax.jit
            def augmented(key, rows, labels):
                keys = epoch.slot_keys(key, labels)
                return training.augment(keys, rows, (SIDE, SIDE, 3))

            key = jax.jit(lambda: jax.random.key(3))()
            found.append(np.asarray(augmented(key, rows, labels)))
            text = augmented.lower(key, rows, labels).compile().as_text()
            assert "all-" not in text
            assert "collective" not in text
    np.testing.assert_array_equal(*found)
    assert (found[0] != IMAGES).any(1).all() or len(np.unique(found[0], axis=0)) == BATCH


def test_augmentation_of_what_is_no_image_is_a_sentence():
    with pytest.raises(ValueError, match="augmentation needs images"):
        training.augment(jax.random.split(jax.random.key(0), 2), jnp.ones((2, 3)), ())
