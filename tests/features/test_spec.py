import subprocess
import sys

import numpy as np
import pytest

from keras_jtav.config import FeatureOptions
from keras_jtav.features.spec import FeatureSpec
from keras_jtav.features.vocabulary import Vocabulary


def test_the_papers_sizes():
    vocabulary = Vocabulary(["sun"], np.zeros((3, 300), "float32"))
    # 10 s at 22,050 Hz: 1 + 220,500 // 1024 = 216 frames.
    assert FeatureSpec.from_options(FeatureOptions(), vocabulary) == FeatureSpec(
        words=100,
        supporting_words=5,
        pieces=1,
        embedding_rows=3,
        embedding_dim=300,
        frames=216,
        bins=96,
        image_size=224,
    )


def test_subwords_and_short_clips():
    vocabulary = Vocabulary(["sun"], np.zeros((13, 8), "float32"), 3, 5, 10)
    options = FeatureOptions(clip_seconds=0.1, hop_samples=512)
    spec = FeatureSpec.from_options(options, vocabulary)
    assert (spec.pieces, spec.embedding_rows) == (24, 13)
    assert spec.frames == 1 + 2205 // 512


def test_a_size_below_one_is_refused():
    with pytest.raises(ValueError, match="`image_size` must be at least 1; received 0"):
        FeatureSpec(1, 1, 1, 1, 1, 1, 1, 0)


def test_it_loads_no_tensorflow():
    code = "import sys, keras_jtav.features.spec; print('tensorflow' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
