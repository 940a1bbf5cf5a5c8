"""Instance difficulty: draw more often what the model unlearns again and again.

From epoch to epoch the prediction of an example moves towards its label or away from it: difficulty
is `D = (c + Σ away) / (c + Σ towards)`, 1 for a new example and more for a hard one. The next epoch
draws in proportion to D, and rare classes are learnt earlier although nobody counts them. With a
large pseudocount c all are drawn alike; a small one gives most draws to a smaller share of them.

The task: ten digits, with 80 training images of 0 and 4 of 9. The model is of Flax NNX.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from sklearn.datasets import load_digits

import jimb

SIZES = [80, 57, 41, 29, 21, 15, 10, 7, 5, 4]  # training images of each digit
VISITS, BATCH, EPOCHS, SEEDS = 256, 32, 40, 8
State = jimb.difficulty.DifficultyState

optimizer = optax.adam(0.01)
images, digits = load_digits(return_X_y=True)
x, y = jnp.asarray(images / 16, jnp.float32), jnp.asarray(digits, jnp.int32)


def new_model(rngs: nnx.Rngs) -> tuple[nnx.GraphDef, nnx.State]:
    """One hidden layer, split into its structure and its parameters."""
    layers = nnx.Linear(64, 32, rngs=rngs), nnx.relu, nnx.Linear(32, 10, rngs=rngs)
    return nnx.split(nnx.Sequential(*layers))


graphdef, _ = new_model(nnx.Rngs(0))


@jax.jit
def predict(params: nnx.State, rows: jax.Array) -> jax.Array:
    """Logits `[rows, 10]`."""
    return nnx.merge(graphdef, params)(x[rows])


def train_step(carry: tuple, rows: jax.Array) -> tuple:
    """A plain step on these images."""

    def loss_fn(params: nnx.State) -> jax.Array:
        return jimb.softmax_cross_entropy_loss(predict(params, rows), y[rows]).mean()

    params, opt_state = carry
    updates, opt_state = optimizer.update(jax.grad(loss_fn)(params), opt_state)
    return (optax.apply_updates(params, updates), opt_state), None


@jax.jit
def run_epoch(carry: tuple, state: State, train: jax.Array, key: jax.Array, c: float) -> tuple:
    """Draws by difficulty, trains, and looks once at every training image."""
    weights = jimb.difficulty.sampling_weights(state, pseudocount=c)
    plan = jimb.sampling.epoch_plan(key, weights, VISITS)
    carry, _ = jax.lax.scan(train_step, carry, train[plan].reshape(-1, BATCH))
    state = jimb.difficulty.update(state, predict(carry[0], train), y[train])
    return carry, state, jimb.difficulty.effective_sample_size(weights) / len(train)


print("         effective share, epoch 2   right, epoch 10   right, epoch 40")
for c in (1e6, 1.0, 0.1):
    history = []
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        of_class = [rng.permutation(np.flatnonzero(digits == k)) for k in range(10)]
        train = jnp.concatenate([rows[:n] for rows, n in zip(of_class, SIZES, strict=True)])
        test = jnp.concatenate([rows[80:170] for rows in of_class])
        params = new_model(nnx.Rngs(seed))[1]
        carry, state = (params, optimizer.init(params)), jimb.difficulty.init(len(train), 10)
        for key in jax.random.split(jax.random.key(seed), EPOCHS):
            carry, state, share = run_epoch(carry, state, train, key, c)
            right = predict(carry[0], test).argmax(-1) == y[test]
            history.append((share, right.mean()))
    share, right = np.reshape(history, (SEEDS, EPOCHS, 2)).mean(0).T
    print(f"c = {c:<7g} {share[1]:22.2f} {right[9]:17.3f} {right[39]:17.3f}")
