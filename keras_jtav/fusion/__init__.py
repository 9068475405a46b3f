"""Ways of joining the modalities' vectors: ``{modality: (batch, dim)}`` to one."""

from collections.abc import Callable

from keras_jtav.fusion.cmf_ap import build_cmf_ap
from keras_jtav.fusion.early import build_early

FUSIONS: dict[str, Callable] = {"cmf_ap": build_cmf_ap, "early": build_early}
