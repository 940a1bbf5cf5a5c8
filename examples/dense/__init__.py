"""Dense prediction, what detection and segmentation share: canvases, and a network for them.

In reading order: `cutouts` (real images by class), `canvases` (several of them, and clutter, on
one), `pyramid` (features of every location), `batches` (the host's loop over compiled steps).
"""

from examples.dense.batches import fit as fit
from examples.dense.batches import optimizer as optimizer
from examples.dense.batches import plan_of as plan_of
from examples.dense.canvases import SIDE as SIDE
from examples.dense.canvases import Canvases as Canvases
from examples.dense.canvases import compose as compose
from examples.dense.canvases import compose_split as compose_split
from examples.dense.cutouts import CLASSES as CLASSES
from examples.dense.cutouts import Cutouts as Cutouts
from examples.dense.cutouts import load as load
from examples.dense.pyramid import STRIDE as STRIDE
from examples.dense.pyramid import Pyramid as Pyramid
