"""Confusion counts as a pytree of sums, and the measures of imbalanced classes read from them."""

from jimb.metrics._confusion import ConfusionState as ConfusionState
from jimb.metrics._confusion import init as init
from jimb.metrics._cost import expected_cost as expected_cost
from jimb.metrics._measures import Measures as Measures
from jimb.metrics._measures import accuracy as accuracy
from jimb.metrics._measures import balanced_accuracy as balanced_accuracy
from jimb.metrics._measures import compute as compute
from jimb.metrics._measures import geometric_mean as geometric_mean
from jimb.metrics._measures import macro_f1 as macro_f1
from jimb.metrics._measures import matthews_correlation as matthews_correlation
from jimb.metrics._per_class import f1 as f1
from jimb.metrics._per_class import per_class_f1 as per_class_f1
from jimb.metrics._per_class import per_class_precision as per_class_precision
from jimb.metrics._per_class import per_class_recall as per_class_recall
from jimb.metrics._shots import ShotAccuracy as ShotAccuracy
from jimb.metrics._shots import shot_accuracy as shot_accuracy
from jimb.metrics._tally import TallyState as TallyState
from jimb.metrics._tally import init_tally as init_tally
from jimb.metrics._update import merge as merge
from jimb.metrics._update import update as update
from jimb.metrics._weighted import WeightedConfusionState as WeightedConfusionState
from jimb.metrics._weighted import WeightedTallyState as WeightedTallyState
from jimb.metrics._weighted import init_weighted as init_weighted
from jimb.metrics._weighted import init_weighted_tally as init_weighted_tally
