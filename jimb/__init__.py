"""Pure-functional JAX losses, weights, difficulty and sampling for imbalanced classes."""

from jimb import counting as counting
from jimb import difficulty as difficulty
from jimb import losses as losses
from jimb import metrics as metrics
from jimb import mining as mining
from jimb import posthoc as posthoc
from jimb import sampling as sampling
from jimb._labels import class_counts as class_counts
from jimb._labels import take_class as take_class
from jimb._multi_hot import multi_hot_counts as multi_hot_counts
from jimb._sweep import sweep as sweep
from jimb.heads import DividedLogits as DividedLogits
from jimb.heads import LinearLogits as LinearLogits
from jimb.losses import balanced_softmax_loss as balanced_softmax_loss
from jimb.losses import class_balanced_focal_loss as class_balanced_focal_loss
from jimb.losses import class_balanced_sigmoid_loss as class_balanced_sigmoid_loss
from jimb.losses import class_balanced_softmax_loss as class_balanced_softmax_loss
from jimb.losses import cosine_logits as cosine_logits
from jimb.losses import dice_loss as dice_loss
from jimb.losses import ldam_loss as ldam_loss
from jimb.losses import logit_adjusted_loss as logit_adjusted_loss
from jimb.losses import lovasz_softmax_loss as lovasz_softmax_loss
from jimb.losses import one_vs_all_bias_init as one_vs_all_bias_init
from jimb.losses import present_regions as present_regions
from jimb.losses import quality_focal_loss as quality_focal_loss
from jimb.losses import sigmoid_asymmetric_loss as sigmoid_asymmetric_loss
from jimb.losses import sigmoid_cross_entropy_loss as sigmoid_cross_entropy_loss
from jimb.losses import sigmoid_focal_loss as sigmoid_focal_loss
from jimb.losses import softmax_cross_entropy_loss as softmax_cross_entropy_loss
from jimb.losses import softmax_focal_loss as softmax_focal_loss
from jimb.losses import tversky_loss as tversky_loss
from jimb.losses import varifocal_loss as varifocal_loss
from jimb.losses import vs_loss as vs_loss
from jimb.reduction import weighted_mean as weighted_mean
from jimb.weights import balanced_alpha as balanced_alpha
from jimb.weights import balanced_pos_weight as balanced_pos_weight
from jimb.weights import effective_number as effective_number
from jimb.weights import effective_number_weights as effective_number_weights
from jimb.weights import inverse_frequency_weights as inverse_frequency_weights
from jimb.weights import log_frequency_weights as log_frequency_weights
from jimb.weights import mean_one as mean_one
from jimb.weights import median_frequency_weights as median_frequency_weights
from jimb.weights import single_class_weight as single_class_weight

__version__ = "0.1.0"
