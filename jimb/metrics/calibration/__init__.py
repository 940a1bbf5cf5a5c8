"""How well probabilities are frequencies, of examples that are seen in batches: sums by bin."""

from jimb.metrics.calibration._measures import CalibrationMeasures as CalibrationMeasures
from jimb.metrics.calibration._measures import Reliability as Reliability
from jimb.metrics.calibration._measures import compute as compute
from jimb.metrics.calibration._measures import reliability as reliability
from jimb.metrics.calibration._state import CalibrationState as CalibrationState
from jimb.metrics.calibration._state import init as init
from jimb.metrics.calibration._state import merge as merge
from jimb.metrics.calibration._update import update as update
