"""What a fusion costs: its weights, and its time per post."""

from __future__ import annotations

import time
from collections.abc import Mapping

import keras
import numpy as np

BATCH_SIZE = 64
WARM_UP = 3  # the first call traces the graph


def fusion_cost(models: Mapping[str, keras.Model]) -> dict[str, float]:
    """Return what the fusion inside of some models costs.

    Args:
        models: What ``build_model`` returned.

    Returns:
        ``fusion_parameters``, and ``milliseconds`` per post (retrieval: per pair);
        nothing for a system without a fusion.
    """
    layers = {
        layer.name: layer for layer in models.get("score", models["train"]).layers
    }
    if "fusion" not in layers:
        return {}
    fusion = layers["fusion"]
    return {
        "fusion_parameters": fusion.count_params(),
        "milliseconds": milliseconds_per_post(fusion),
    }


def milliseconds_per_post(model: keras.Model, repeats: int = 30) -> float:
    """Return the median time of a forward pass, compiled as prediction runs it.

    Handing a batch over is part of it: it is all that a fusion without a layer costs.

    Args:
        model: From one or more float vectors per post.
        repeats: Timed calls, each of ``BATCH_SIZE`` posts.

    Returns:
        Milliseconds per post.
    """
    rng = np.random.default_rng(0)
    batch = {
        tensor.name: rng.normal(size=(BATCH_SIZE, *tensor.shape[1:])).astype("float32")
        for tensor in model.inputs
    }
    seconds = []
    for _ in range(WARM_UP + repeats):
        start = time.perf_counter()
        model.predict_on_batch(batch)
        seconds.append(time.perf_counter() - start)
    return float(1000 * np.median(seconds[WARM_UP:]) / BATCH_SIZE)
