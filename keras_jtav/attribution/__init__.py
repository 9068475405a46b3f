"""Why a model answers as it does: modalities, words, sound and picture."""

from keras_jtav.attribution.explainer import Explainer, beside, explain
from keras_jtav.attribution.explanation import Explanation, SoundMap, Word

__all__ = ["Explainer", "Explanation", "SoundMap", "Word", "beside", "explain"]
