"""Losses: per-example values, and those of regions, pure and unreduced.

How exact they are in float32, for logits up to 1e4 in size; `s` is the magnitude of the exponent's
argument, at most 120, and γ is 0 for cross-entropy (the tests hold each bound):

- hard labels: value and gradient within `4e-6 + 1.2e-7·(1 + γ)·s` of the exact number, relative,
  wherever that is above 1e-37;
- soft labels: the same; the gradient, which crosses 0, relative to the sum of its terms' sizes;
- `equalization_loss` and `equalized_focal_loss`: the same, with the γ of each class;
- prior-shift losses and Seesaw: the same, with s taken after the shift, and larger by `max |z|` for
  `vs_loss` with γ > 0, which rounds each class's product;
- `sigmoid_asymmetric_loss`: 2.6e-5 for γ up to 8, but for the hundredth of the shift next to it
  (6e-5 on a GPU, whose exponentials are less exact);
- `quality_focal_loss`: 8e-6 for β up to 5, but for labels next to p, whose difference cancels;
- losses of regions: 2e-6 of the exact number, however small it is; `lovasz_softmax_loss` 4e-7.

bfloat16 and float16 logits: computed in float32 and rounded once.

What holds for all:

- the classes are the last axis of the logits, and no `axis=` names them: class tables, soft labels
  and `take_class` all go by the last one, and the axes of a region are those of its pixels. Of
  channel-first logits take `jnp.moveaxis(z, 1, -1)`, which a compiler turns into another way of
  reading;
- batch and classes may be divided over a mesh, Auto or Explicit: losses are laid out like the
  batch, and devices exchange a few numbers for each row, never its classes. Inside `jax.shard_map`,
  where a loss sees one device's logits, wrap those in `DividedLogits` if classes are mapped;
- softmax losses of class ids but Seesaw also take `LinearLogits`, which are never stored;
- a label that is wrong and not masked has loss NaN, with a checkify message; where nothing is
  traced, Python and NumPy labels raise ValueError in its place;
- a loss that is not finite has a gradient that is not finite, so that a loss scale sees it; unless
  `where` or a weight of 0, here or in `weighted_mean`, excludes it.
"""

from jimb.losses._asymmetric import sigmoid_asymmetric_loss as sigmoid_asymmetric_loss
from jimb.losses._bias import one_vs_all_bias_init as one_vs_all_bias_init
from jimb.losses._class_balanced import class_balanced_focal_loss as class_balanced_focal_loss
from jimb.losses._class_balanced import class_balanced_sigmoid_loss as class_balanced_sigmoid_loss
from jimb.losses._class_balanced import class_balanced_softmax_loss as class_balanced_softmax_loss
from jimb.losses._cosine import cosine_logits as cosine_logits
from jimb.losses._dense_detection import quality_focal_loss as quality_focal_loss
from jimb.losses._dense_detection import varifocal_loss as varifocal_loss
from jimb.losses._equalization import equalization_loss as equalization_loss
from jimb.losses._equalization import equalized_focal_loss as equalized_focal_loss
from jimb.losses._lovasz import lovasz_softmax_loss as lovasz_softmax_loss
from jimb.losses._prior_shift import balanced_softmax_loss as balanced_softmax_loss
from jimb.losses._prior_shift import ldam_loss as ldam_loss
from jimb.losses._prior_shift import logit_adjusted_loss as logit_adjusted_loss
from jimb.losses._prior_shift import vs_loss as vs_loss
from jimb.losses._seesaw import seesaw_loss as seesaw_loss
from jimb.losses._sigmoid import sigmoid_cross_entropy_loss as sigmoid_cross_entropy_loss
from jimb.losses._sigmoid import sigmoid_focal_loss as sigmoid_focal_loss
from jimb.losses._softmax import softmax_cross_entropy_loss as softmax_cross_entropy_loss
from jimb.losses._softmax import softmax_focal_loss as softmax_focal_loss
from jimb.losses._tversky import dice_loss as dice_loss
from jimb.losses._tversky import present_regions as present_regions
from jimb.losses._tversky import tversky_loss as tversky_loss
