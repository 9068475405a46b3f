"""Ways of joining the modalities' vectors: ``{modality: (batch, dim)}`` to one."""

from collections.abc import Callable

from keras_jtav.fusion.bottleneck import build_bottleneck
from keras_jtav.fusion.cmf_ap import build_cmf_ap
from keras_jtav.fusion.early import build_early
from keras_jtav.fusion.gated import build_gated
from keras_jtav.fusion.low_rank import build_low_rank
from keras_jtav.fusion.tensor_fusion import build_tensor_fusion

FUSIONS: dict[str, Callable] = {
    "cmf_ap": build_cmf_ap,
    "early": build_early,
    "tensor_fusion": build_tensor_fusion,
    "low_rank": build_low_rank,
    "gated": build_gated,
    "bottleneck": build_bottleneck,
}
