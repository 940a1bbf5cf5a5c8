"""Weights to draw with, and plans of which examples an epoch visits."""

from jimb.sampling._epoch_plan import epoch_plan as epoch_plan
from jimb.sampling._weights import class_power as class_power
from jimb.sampling._weights import clip_quantile as clip_quantile
from jimb.sampling._weights import mix_uniform as mix_uniform
