"""Losses: per-example values, pure and unreduced."""

from jimb.losses._class_balanced import class_balanced_focal_loss as class_balanced_focal_loss
from jimb.losses._class_balanced import class_balanced_sigmoid_loss as class_balanced_sigmoid_loss
from jimb.losses._class_balanced import class_balanced_softmax_loss as class_balanced_softmax_loss
from jimb.losses._class_balanced import one_vs_all_bias_init as one_vs_all_bias_init
from jimb.losses._prior_shift import balanced_softmax_loss as balanced_softmax_loss
from jimb.losses._prior_shift import cosine_logits as cosine_logits
from jimb.losses._prior_shift import ldam_loss as ldam_loss
from jimb.losses._prior_shift import logit_adjusted_loss as logit_adjusted_loss
from jimb.losses._prior_shift import vs_loss as vs_loss
from jimb.losses._sigmoid import sigmoid_asymmetric_loss as sigmoid_asymmetric_loss
from jimb.losses._sigmoid import sigmoid_cross_entropy_loss as sigmoid_cross_entropy_loss
from jimb.losses._sigmoid import sigmoid_focal_loss as sigmoid_focal_loss
from jimb.losses._softmax import softmax_cross_entropy_loss as softmax_cross_entropy_loss
from jimb.losses._softmax import softmax_focal_loss as softmax_focal_loss
