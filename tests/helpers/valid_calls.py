"""One valid call of every public function, with masks where it takes one: a new one is a new row.

A row is `(function of arrays, arrays)`. Masked labels are -1, as data sets have them.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

import jimb
from jimb import difficulty, metrics, mining, posthoc, sampling
from jimb.difficulty import class_wise, data_map, forgetting, last_loss
from jimb.metrics import calibration, ranking
from jimb.posthoc import class_means

B, K = 6, 3
RNG = np.random.default_rng(0)
Z = jnp.asarray(RNG.normal(0, 2, (B, K)), jnp.float32)
P = jax.nn.softmax(Z)
WHERE = jnp.array([True, True, False, True, True, True])
Y = jnp.array([0, 1, -1, 2, 0, 0])  # where it may be masked
IDS = jnp.array([0, 1, 2, 2, 0, 0])
YB = jax.nn.one_hot(IDS, K)
INDEX = jnp.array([5, 4, -1, 2, 1, 0])
COUNTS = jnp.array([6, 2, 1])
WITH_EMPTY = jnp.array([6, 0, 1])
PRIOR = jnp.array([0.6, 0.3, 0.1])
W = jnp.array([1.0, 0.5, 0.0, 2.0, 1.0, 1.0])
KEY = jax.random.key(0)

_seen = difficulty.update(difficulty.init(B, K), Z, IDS)
_matrix = metrics.update(metrics.init(K), IDS, IDS[::-1])
_tally = metrics.update(metrics.init_tally(K), IDS, IDS[::-1])
_weighted = metrics.update(metrics.init_weighted(K), IDS, IDS[::-1], weights=W)
_weighted_tally = metrics.update(metrics.init_weighted_tally(K), IDS, IDS[::-1], weights=W)
_binned = ranking.update(ranking.init(4), P[:, 0], IDS == 0)
_sums = calibration.update(calibration.init(4), P[:, 0], IDS == 0, binary=True)
_mapped = data_map.update(data_map.init(B), Z, IDS)
_forgotten = forgetting.update(forgetting.init(B), Z, IDS)
_lost = last_loss.update(last_loss.init(B, K), Z, IDS)
_by_class = class_wise.update(class_wise.init(K), Z, IDS)
_means = class_means.update(class_means.init(K, K), Z, IDS)
_pool = mining.pool.init(jnp.float32(0), capacity=8, batch_size=2)
_counted = jimb.counting.update(jimb.counting.init(K), IDS)
_pulled = jimb.gradient_ratio.update(
    jimb.gradient_ratio.init(K), Z, YB, loss=jimb.equalization_loss
)
_full, _ = mining.pool.push(_pool, W)


def _masked(loss, *tables, **kwargs):
    return lambda z, y, where, *given: loss(z, y, *given, where=where, **kwargs), (
        *(Z, Y, WHERE),
        *tables,
    )


def _plain(function, *arrays, **kwargs):
    return functools.partial(function, **kwargs), arrays


def _read(function, state):
    return function, (state,)


CALLS = {
    "class_counts": (lambda y, where: jimb.class_counts(y, K, where=where), (Y, WHERE)),
    "multi_hot_counts": (lambda y, where: jimb.multi_hot_counts(y, where=where), (YB, WHERE)),
    "label_density_weights": (
        lambda x, s, where: jimb.label_density_weights(x, num_bins=4, sigma=s, where=where),
        (Z[:, 0], W[3], WHERE),
    ),
    "counting.init": (lambda: jimb.counting.init(K), ()),
    "counting.update": (
        lambda y, where: jimb.counting.update(_counted, y, where=where),
        (Y, WHERE),
    ),
    "counting.merge": (lambda state: jimb.counting.merge(state, _counted), (_counted,)),
    "counting.compute": _read(jimb.counting.compute, _counted),
    "take_class": _plain(jimb.take_class, PRIOR, IDS),
    "sweep": (lambda g: jimb.sweep(lambda g: g**2, {"g": g})(), (W,)),
    "balanced_softmax_loss": _masked(jimb.balanced_softmax_loss, COUNTS),
    "class_balanced_focal_loss": _masked(jimb.class_balanced_focal_loss, COUNTS, gamma=0.5),
    "class_balanced_sigmoid_loss": _masked(jimb.class_balanced_sigmoid_loss, COUNTS),
    "class_balanced_softmax_loss": _masked(jimb.class_balanced_softmax_loss, COUNTS),
    "cosine_logits": _plain(jimb.cosine_logits, Z, jnp.eye(K)),
    "ldam_loss": _masked(jimb.ldam_loss, COUNTS, scale=30.0),
    "logit_adjusted_loss": _masked(jimb.logit_adjusted_loss, PRIOR),
    "one_vs_all_bias_init": (
        lambda n, p: [
            jimb.one_vs_all_bias_init(KEY, (K,)),
            jimb.one_vs_all_bias_init(KEY, (K,), counts=n, num_examples=9),
            jimb.one_vs_all_bias_init(KEY, (K,), prior=p),
        ],
        (COUNTS, PRIOR),
    ),
    "dice_loss": _masked(jimb.dice_loss, axis=0),
    "tversky_loss": (
        lambda z, y, where: jimb.tversky_loss(
            z, y, alpha=0.3, beta=0.7, gamma=0.75, axis=0, sigmoid=True, where=where
        ),
        (Z, YB, YB == YB),
    ),
    "lovasz_softmax_loss": _masked(jimb.lovasz_softmax_loss, axis=0),
    "present_regions": _masked(jimb.present_regions, axis=0),
    "quality_focal_loss": (
        lambda z, y, where: jimb.quality_focal_loss(z, y, where=where),
        (Z, P, YB == YB),
    ),
    "varifocal_loss": (
        lambda z, y, where: jimb.varifocal_loss(z, y, where=where),
        (Z, YB * P, YB == YB),
    ),
    "seesaw_loss": _masked(jimb.seesaw_loss, COUNTS),
    "equalization_loss": (
        lambda z, y, g, m: jimb.equalization_loss(z, y, g, where=m),
        (Z, YB, PRIOR, YB == YB),
    ),
    "equalized_focal_loss": (
        lambda z, y, g, m: jimb.equalized_focal_loss(z, y, g, where=m),
        (Z, YB, PRIOR, YB == YB),
    ),
    "gradient_ratio.init": (lambda: jimb.gradient_ratio.init(K), ()),
    "gradient_ratio.update": (
        lambda s, z, y, m: jimb.gradient_ratio.update(
            s, z, y, loss=jimb.equalization_loss, where=m
        ),
        (_pulled, Z, YB, YB == YB),
    ),
    "gradient_ratio.compute": _read(jimb.gradient_ratio.compute, _pulled),
    "sigmoid_asymmetric_loss": (
        lambda z, y, where: [
            jimb.sigmoid_asymmetric_loss(z, y, where=where, focus_gradient=through)
            for through in (True, False)
        ],
        (Z, YB, YB == YB),
    ),
    "sigmoid_cross_entropy_loss": (
        lambda z, y, where: jimb.sigmoid_cross_entropy_loss(z, y, pos_weight=2.0, where=where),
        (Z, YB, YB == YB),
    ),
    "sigmoid_focal_loss": (
        lambda z, y, where: jimb.sigmoid_focal_loss(z, y, alpha=0.25, gamma=0.5, where=where),
        (Z, YB, YB == YB),
    ),
    "softmax_cross_entropy_loss": _masked(jimb.softmax_cross_entropy_loss, label_smoothing=0.1),
    "softmax_focal_loss": _masked(jimb.softmax_focal_loss, gamma=0.5),
    "vs_loss": _masked(jimb.vs_loss, COUNTS, gamma=0.2, tau=0.5),
    "weighted_mean": (lambda x, w, m: jimb.weighted_mean(x, w, where=m), (W, W, WHERE)),
    "balanced_pos_weight": _plain(jimb.balanced_pos_weight, WITH_EMPTY, 9, allow_empty=True),
    "balanced_alpha": _plain(jimb.balanced_alpha, COUNTS[:2]),
    "effective_number": _plain(jimb.effective_number, WITH_EMPTY, beta=0.999),
    "effective_number_weights": _plain(jimb.effective_number_weights, COUNTS, beta=0.999),
    "inverse_frequency_weights": _plain(
        jimb.inverse_frequency_weights, WITH_EMPTY, allow_empty=True
    ),
    "log_frequency_weights": _plain(jimb.log_frequency_weights, WITH_EMPTY, allow_empty=True),
    "mean_one": _plain(jimb.mean_one, PRIOR, WITH_EMPTY),
    "median_frequency_weights": (
        lambda n, m: jimb.median_frequency_weights(n, image_counts=m, allow_empty=True),
        (WITH_EMPTY, COUNTS),
    ),
    "single_class_weight": (lambda m: jimb.single_class_weight(K, 1, m), (W[3],)),
    "difficulty.init": (lambda: difficulty.init(B, K), ()),
    "difficulty.update": (
        lambda s, z, y, i, where: difficulty.update(s, z, y, index=i, where=where),
        (_seen, Z, Y, INDEX, WHERE),
    ),
    "difficulty.psi": _plain(difficulty.psi, Z, Z[::-1], IDS),
    "difficulty.score": _read(difficulty.score, _seen),
    "difficulty.sampling_weights": (
        lambda s, where: difficulty.sampling_weights(s, where=where),
        (_seen, WHERE),
    ),
    "difficulty.class_prior": (lambda w, y: difficulty.class_prior(w, y, K), (W, Y)),
    "difficulty.effective_sample_size": _plain(difficulty.effective_sample_size, W),
    "difficulty.summarize_weights": (lambda w, y: difficulty.summarize_weights(w, y, K), (W, Y)),
    "difficulty.sweep": (
        lambda s, x, y: difficulty.sweep(
            s, lambda p, x: x @ p, jnp.eye(K), examples=x, labels=y, chunk_size=2
        ),
        (_seen, Z, IDS),
    ),
    **{
        f"difficulty.{module.__name__.rpartition('.')[2]}.init": (lambda m=module: m.init(B), ())
        for module in (forgetting, data_map, class_wise)
    },
    "difficulty.last_loss.init": (lambda: last_loss.init(B, K), ()),
    **{
        f"difficulty.{module.__name__.rpartition('.')[2]}.update": (
            lambda s, z, y, i, where, m=module: m.update(s, z, y, index=i, where=where),
            (state, Z, Y, INDEX, WHERE),
        )
        for module, state in ((forgetting, _forgotten), (data_map, _mapped), (last_loss, _lost))
    },
    "difficulty.class_wise.update": (
        lambda s, z, y, where: class_wise.update(s, z, y, where=where),
        (_by_class, Z, Y, WHERE),
    ),
    "difficulty.forgetting.score": _read(forgetting.score, _forgotten),
    "difficulty.last_loss.score": _read(last_loss.score, _lost),
    "difficulty.data_map.score": _read(data_map.score, _mapped),
    "difficulty.data_map.confidence": _read(data_map.confidence, _mapped),
    "difficulty.data_map.variability": _read(data_map.variability, _mapped),
    "difficulty.data_map.correctness": _read(data_map.correctness, _mapped),
    "difficulty.class_wise.accuracy": _read(class_wise.accuracy, _by_class),
    "difficulty.class_wise.score": _read(class_wise.score, _by_class),
    "metrics.init": (lambda: metrics.init(K), ()),
    "metrics.init_tally": (lambda: metrics.init_tally(K), ()),
    "metrics.init_weighted": (lambda: metrics.init_weighted(K), ()),
    "metrics.init_weighted_tally": (lambda: metrics.init_weighted_tally(K), ()),
    "metrics.update": (
        lambda s, t, u, p, y, w, where: [
            *(metrics.update(x, p, y, where=where) for x in (s, t)),
            metrics.update(u, p, y, weights=w, where=where),
        ],
        (_matrix, _tally, _weighted, IDS, Y, W, WHERE),
    ),
    "metrics.merge": (
        lambda *states: [metrics.merge(x, x) for x in states],
        (_matrix, _tally, _weighted, _weighted_tally),
    ),
    **{
        f"metrics.{function.__name__}": _read(function, _matrix)
        for function in (
            metrics.compute,
            metrics.accuracy,
            metrics.balanced_accuracy,
            metrics.cohen_kappa,
            metrics.geometric_mean,
            metrics.macro_f1,
            metrics.matthews_correlation,
            metrics.mean_iou,
            metrics.per_class_f1,
            metrics.per_class_geometric_mean,
            metrics.per_class_iou,
            metrics.per_class_precision,
            metrics.per_class_recall,
            metrics.per_class_specificity,
        )
    },
    "metrics.f1": (lambda s: metrics.f1(s, positive=1), (_matrix,)),
    "metrics.f_beta": (lambda s, b: metrics.f_beta(s, b, positive=1), (_matrix, W[3])),
    "metrics.macro_f_beta": _plain(metrics.macro_f_beta, _matrix, W[3]),
    "metrics.per_class_f_beta": _plain(metrics.per_class_f_beta, _matrix, W[3]),
    "metrics.average_precision": (
        lambda s, y, w, m: metrics.average_precision(s, y, weights=w, where=m),
        (P[:, 0], IDS == 0, W, WHERE),
    ),
    "metrics.roc_auc": (
        lambda s, y, m, rate: [
            metrics.roc_auc(s, y, where=m),
            metrics.roc_auc(s, y, where=m, max_fpr=rate),
        ],
        (P[:, 0], jnp.array([1, 0, -1, 0, 1, 0]), WHERE, W[1]),
    ),
    "metrics.ranking.init": (lambda: ranking.init(4), ()),
    "metrics.ranking.update": (
        lambda s, x, y, where: ranking.update(s, x, y, where=where),
        (_binned, P[:, 0], jnp.array([1, 0, -1, 0, 1, 0]), WHERE),
    ),
    "metrics.ranking.merge": _plain(ranking.merge, _binned, _binned),
    "metrics.ranking.compute": _read(ranking.compute, _binned),
    "metrics.calibration.init": (lambda: calibration.init(4), ()),
    "metrics.calibration.update": (
        lambda s, p, y, w, where: [
            calibration.update(s, p, y, weights=w, where=where),
            calibration.update(s, p, jax.nn.one_hot(y, K, dtype=int), binary=True),
        ],
        (_sums, P, Y, W, WHERE),
    ),
    "metrics.calibration.merge": _plain(calibration.merge, _sums, _sums),
    "metrics.calibration.compute": (lambda s: calibration.compute(s, num_bins=2), (_sums,)),
    "metrics.calibration.reliability": (
        lambda s: [calibration.reliability(s, num_bins=1, equal_mass=e) for e in (False, True)],
        (_sums,),
    ),
    "metrics.expected_cost": _plain(metrics.expected_cost, _matrix, jnp.ones((K, K))),
    "metrics.shot_accuracy": (
        lambda s, n: metrics.shot_accuracy(s, n, many_above=5, few_below=2),
        (_matrix, COUNTS),
    ),
    "mining.hard_example_weights": (
        lambda x, where: mining.hard_example_weights(x, keep=2, where=where),
        (W, WHERE),
    ),
    "mining.pool.init": (lambda: mining.pool.init(jnp.float32(0), capacity=8, batch_size=2), ()),
    "mining.pool.push": (lambda s, x, m: mining.pool.push(s, x, where=m), (_pool, W, WHERE)),
    "mining.pool.pop": _read(mining.pool.pop, _full),
    "posthoc.adjust_logits": _plain(posthoc.adjust_logits, Z, PRIOR),
    "posthoc.correct_prior": _plain(posthoc.correct_prior, P, PRIOR, PRIOR[::-1]),
    "posthoc.move_threshold": _plain(posthoc.move_threshold, P, COUNTS[:2]),
    "posthoc.scale_logits": (
        lambda z, s, b: [posthoc.scale_logits(z, s), posthoc.scale_logits(z, s, biases=b)],
        (Z, PRIOR, PRIOR),
    ),
    "posthoc.tau_normalize": _plain(posthoc.tau_normalize, Z[:K]),
    "posthoc.fit_temperature": (
        lambda z, y, w, where: [
            posthoc.fit_temperature(z, y, weights=w, where=where),
            posthoc.fit_temperature(z, jax.nn.one_hot(y, K, dtype=int), sigmoid=True),
        ],
        (Z, jnp.array([0, 1, -1, 2, 1, 0]), W, WHERE),  # which the logits do not separate
    ),
    "posthoc.fit_vector_scaling": (
        lambda z, y, w, where: [
            posthoc.fit_vector_scaling(z, y, biases_only=b, weights=w, where=where)
            for b in (False, True)
        ],
        (Z, Y, W, WHERE),
    ),
    "posthoc.choose": (
        lambda g, z, y: posthoc.choose(
            lambda t: (z - t * PRIOR.reshape(1, K)).argmax(-1), g, y, num_classes=K
        ),
        (W[:3], Z, IDS),
    ),
    "posthoc.choose_threshold": (
        lambda p, y, where: posthoc.choose_threshold(p, y, where=where),
        (P[:, 0], jnp.array([1, 0, -1, 0, 1, 0]), WHERE),
    ),
    "posthoc.class_means.init": (lambda: class_means.init(K, K), ()),
    "posthoc.class_means.update": (
        lambda s, x, y, where: class_means.update(s, x, y, where=where),
        (_means, Z, Y, WHERE),
    ),
    "posthoc.class_means.merge": _plain(class_means.merge, _means, _means),
    "posthoc.class_means.center": _read(class_means.center, _means),
    "posthoc.class_means.normalize": _plain(class_means.normalize, Z),
    "posthoc.class_means.logits": _plain(class_means.logits, _means, Z),
    "sampling.balanced_plan": (lambda k: sampling.balanced_plan(k, IDS, K, per_class=2), (KEY,)),
    "sampling.label_shuffle_plan": (lambda k: sampling.label_shuffle_plan(k, IDS, K), (KEY,)),
    "sampling.oversample_plan": (lambda k: sampling.oversample_plan(k, IDS, K), (KEY,)),
    "sampling.undersample_plan": (
        lambda k: [sampling.undersample_plan(k, IDS, K, replacement=r) for r in (False, True)],
        (KEY,),
    ),
    "sampling.class_batches": (
        lambda k: sampling.class_batches(k, IDS, classes_per_batch=2, per_class=2),
        (KEY,),
    ),
    "sampling.stratified_batches": (
        lambda k: sampling.stratified_batches(k, IDS, K, per_class=[1, 2, 1]),
        (KEY,),
    ),
    "sampling.subset_plan": (lambda k, w: sampling.subset_plan(k, w, 3), (KEY, W)),
    "sampling.inclusion_probabilities": (
        lambda w: [sampling.inclusion_probabilities(w, num) for num in (3, 5)],
        (W,),
    ),
    "sampling.repeat_factors": (lambda y, m: sampling.repeat_factors(y, where=m), (YB, WHERE)),
    "sampling.epoch_plan": (lambda k, w: sampling.epoch_plan(k, w, 2 * B), (KEY, W)),
    "sampling.interpolate_within_class": (
        lambda k, x, y, where: sampling.interpolate_within_class(k, x, y, where=where),
        (KEY, Z, Y, WHERE),
    ),
    "sampling.class_power": _plain(sampling.class_power, IDS, COUNTS, power=0.0),
    "sampling.clip_quantile": _plain(sampling.clip_quantile, W, q=0.5),
    "sampling.mix_uniform": _plain(sampling.mix_uniform, W, amount=0.5),
}
