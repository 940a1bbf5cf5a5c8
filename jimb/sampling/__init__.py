"""Weights to draw with, plans of which examples an epoch visits, and examples in between."""

import importlib as _importlib
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from jimb.sampling._class_batches import class_batches as class_batches
from jimb.sampling._class_plans import balanced_plan as balanced_plan
from jimb.sampling._class_plans import label_shuffle_plan as label_shuffle_plan
from jimb.sampling._class_plans import oversample_plan as oversample_plan
from jimb.sampling._class_plans import undersample_plan as undersample_plan
from jimb.sampling._epoch_plan import epoch_plan as epoch_plan
from jimb.sampling._interpolate import interpolate_within_class as interpolate_within_class
from jimb.sampling._repeat_factors import repeat_factors as repeat_factors
from jimb.sampling._stratified_batches import stratified_batches as stratified_batches
from jimb.sampling._subset_plan import inclusion_probabilities as inclusion_probabilities
from jimb.sampling._subset_plan import subset_plan as subset_plan
from jimb.sampling._weights import class_power as class_power
from jimb.sampling._weights import clip_quantile as clip_quantile
from jimb.sampling._weights import mix_uniform as mix_uniform

if _TYPE_CHECKING:
    from jimb.sampling import grain as grain


def __getattr__(name: str) -> _Any:
    """`jimb.sampling.grain`, imported when it is asked for: the one module that needs Grain."""
    if name == "grain":
        return _importlib.import_module("jimb.sampling.grain")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
