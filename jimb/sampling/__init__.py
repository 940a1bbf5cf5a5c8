"""Plans of which examples an epoch visits."""

from jimb.sampling._epoch_plan import epoch_plan as epoch_plan
