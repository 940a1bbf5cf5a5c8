"""Losses: per-example values, pure and unreduced."""

from jimb.losses._class_balanced import class_balanced_focal_loss as class_balanced_focal_loss
from jimb.losses._class_balanced import class_balanced_sigmoid_loss as class_balanced_sigmoid_loss
from jimb.losses._class_balanced import class_balanced_softmax_loss as class_balanced_softmax_loss
from jimb.losses._sigmoid import sigmoid_cross_entropy_loss as sigmoid_cross_entropy_loss
from jimb.losses._sigmoid import sigmoid_focal_loss as sigmoid_focal_loss
from jimb.losses._softmax import softmax_cross_entropy_loss as softmax_cross_entropy_loss
from jimb.losses._softmax import softmax_focal_loss as softmax_focal_loss
