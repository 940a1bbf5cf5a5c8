"""Pure-functional JAX losses, weights, difficulty and sampling for imbalanced classes."""

from jimb import difficulty as difficulty
from jimb import losses as losses
from jimb import metrics as metrics
from jimb import sampling as sampling
from jimb._labels import class_counts as class_counts
from jimb._labels import take_class as take_class
from jimb.losses import class_balanced_focal_loss as class_balanced_focal_loss
from jimb.losses import class_balanced_sigmoid_loss as class_balanced_sigmoid_loss
from jimb.losses import class_balanced_softmax_loss as class_balanced_softmax_loss
from jimb.losses import sigmoid_cross_entropy_loss as sigmoid_cross_entropy_loss
from jimb.losses import sigmoid_focal_loss as sigmoid_focal_loss
from jimb.losses import softmax_cross_entropy_loss as softmax_cross_entropy_loss
from jimb.losses import softmax_focal_loss as softmax_focal_loss
from jimb.reduction import weighted_mean as weighted_mean
from jimb.weights import effective_number as effective_number
from jimb.weights import effective_number_weights as effective_number_weights
from jimb.weights import inverse_frequency_weights as inverse_frequency_weights

__version__ = "0.1.0"
