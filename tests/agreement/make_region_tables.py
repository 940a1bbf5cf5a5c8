"""Makes region_tables.json: what MONAI and segmentation-models-pytorch give on small images.

Run once, where these are installed (MONAI 1.6 and segmentation-models-pytorch 0.6 under torch 2.14
made the stored tables): `python tests/agreement/make_region_tables.py`.
"""

import importlib.util
import itertools
import json
import sys
import types
from pathlib import Path

import monai.losses
import numpy as np
import torch

# Its losses import nothing of its networks, which want more packages.
smp = types.ModuleType("segmentation_models_pytorch")
smp.__path__ = importlib.util.find_spec(smp.__name__).submodule_search_locations
sys.modules[smp.__name__] = smp
smp_losses = importlib.import_module("segmentation_models_pytorch.losses")

B, K, H, W = 2, 3, 2, 4
rng = np.random.default_rng(0)
LOGITS = rng.normal(0, 2, (B, K, H, W)).astype(np.float32)
IDS = rng.integers(0, K, (B, H, W))
IDS[1] %= 2  # the last class is not there
IGNORED = np.where(rng.uniform(size=IDS.shape) < 0.3, 255, IDS)
SOFT = np.moveaxis(rng.dirichlet(np.ones(K), (B, H, W)), -1, 1).astype(np.float32)
BINARY = (rng.uniform(size=LOGITS.shape) < 0.4).astype(np.float32)


def case(call, loss, target, **settings):
    """One stored row: the call, its target and settings, value and gradient of the value's sum."""
    logits = torch.tensor(LOGITS, requires_grad=True)
    value = loss(logits, torch.tensor(target))
    value.sum().backward()
    return {
        "call": call,
        "target": target.tolist(),
        "settings": settings,
        "value": value.detach().squeeze().numpy().tolist(),
        "gradient": logits.grad.numpy().tolist(),
    }


def monai_rows():
    one_hot = np.moveaxis(np.eye(K, dtype=np.float32)[IDS], -1, 1)
    kinds = (({"softmax": True}, one_hot), ({"sigmoid": True}, BINARY))
    for (kind, target), batch, smooth in itertools.product(kinds, (False, True), (1e-5, 1.0)):
        common = kind | {"batch": batch, "smooth_nr": smooth, "smooth_dr": smooth}
        for extra in ({}, {"jaccard": True}):
            settings = common | extra
            loss = monai.losses.DiceLoss(reduction="none", **settings)
            yield case("monai.DiceLoss", loss, target, **settings)
        settings = common | {"alpha": 0.3, "beta": 0.7}
        loss = monai.losses.TverskyLoss(reduction="none", **settings)
        yield case("monai.TverskyLoss", loss, target, **settings)
    settings = {"softmax": True, "soft_label": False, "smooth_nr": 1.0, "smooth_dr": 1.0}
    loss = monai.losses.DiceLoss(reduction="none", **settings)
    yield case("monai.DiceLoss", loss, SOFT, **settings)


def smp_rows():
    for gamma, smooth in itertools.product((0.75, 2.0), (0.0, 1.0)):
        settings = {"alpha": 0.3, "beta": 0.7, "gamma": gamma, "smooth": smooth}
        loss = smp_losses.TverskyLoss("binary", eps=0.0, **settings)
        yield case("smp.TverskyLoss", loss, BINARY, **settings)
    for per_image, target in itertools.product((False, True), (IDS, IGNORED)):
        loss = smp_losses.LovaszLoss("multiclass", per_image=per_image, ignore_index=255)
        yield case("smp.LovaszLoss", loss, target, per_image=per_image)


def main():
    rows = [*monai_rows(), *smp_rows()]
    lines = ",\n".join(json.dumps(row) for row in rows)
    path = Path(__file__).with_name("region_tables.json")
    path.write_text(f'{{"logits": {json.dumps(LOGITS.tolist())},\n"rows": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
