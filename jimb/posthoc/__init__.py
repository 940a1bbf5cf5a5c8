"""After training: thresholds, priors, calibration, classifier heads, and how to choose."""

from jimb.posthoc import class_means as class_means
from jimb.posthoc._choose import Choice as Choice
from jimb.posthoc._choose import choose as choose
from jimb.posthoc._heads import scale_logits as scale_logits
from jimb.posthoc._heads import tau_normalize as tau_normalize
from jimb.posthoc._priors import adjust_logits as adjust_logits
from jimb.posthoc._priors import correct_prior as correct_prior
from jimb.posthoc._priors import move_threshold as move_threshold
from jimb.posthoc._temperature import fit_temperature as fit_temperature
from jimb.posthoc._threshold import choose_threshold as choose_threshold
from jimb.posthoc._vector_scaling import VectorScaling as VectorScaling
from jimb.posthoc._vector_scaling import fit_vector_scaling as fit_vector_scaling
