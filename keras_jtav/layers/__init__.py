"""The paper's equations as Keras layers, one a file, on ``keras.ops`` alone."""

from keras_jtav.layers.absent_vectors import AbsentVectors
from keras_jtav.layers.attention_bottleneck import AttentionBottleneck
from keras_jtav.layers.attentive_pooling import AttentivePooling
from keras_jtav.layers.bidirectional_gru import bidirectional_gru, set_cudnn
from keras_jtav.layers.context_attention import ContextAttention
from keras_jtav.layers.cross_modal_fusion import CrossModalFusion
from keras_jtav.layers.dense_cnn_block import DenseCNNBlock
from keras_jtav.layers.gated_multimodal_unit import GatedMultimodalUnit
from keras_jtav.layers.in_batch_contrastive import InBatchContrastive
from keras_jtav.layers.learned_tokens import LearnedTokens
from keras_jtav.layers.low_rank_product import LowRankProduct
from keras_jtav.layers.masked_mean import masked_mean
from keras_jtav.layers.outer_product import OuterProduct
from keras_jtav.layers.over_segments import OverSegments
from keras_jtav.layers.picture_statistics import PictureStatistics
from keras_jtav.layers.protagonist_gate import ProtagonistGate
from keras_jtav.layers.protagonist_text import ProtagonistText
from keras_jtav.layers.scaled_unit_norm import ScaledUnitNorm
from keras_jtav.layers.sound_course import SoundCourse
from keras_jtav.layers.tag_attention import TagAttention
from keras_jtav.layers.tag_distance import TagDistance
from keras_jtav.layers.tag_loss import TagLoss, tags_of_words
from keras_jtav.layers.tower import Tower
from keras_jtav.layers.transformer_block import TransformerBlock
from keras_jtav.layers.word_vectors import (
    WordVectors,
    mean_of_words,
    real_words,
    sum_of_pieces,
)

__all__ = [
    "AbsentVectors",
    "AttentionBottleneck",
    "AttentivePooling",
    "ContextAttention",
    "CrossModalFusion",
    "DenseCNNBlock",
    "GatedMultimodalUnit",
    "InBatchContrastive",
    "LearnedTokens",
    "LowRankProduct",
    "OuterProduct",
    "OverSegments",
    "PictureStatistics",
    "ProtagonistGate",
    "ProtagonistText",
    "ScaledUnitNorm",
    "SoundCourse",
    "TagAttention",
    "TagDistance",
    "TagLoss",
    "Tower",
    "TransformerBlock",
    "WordVectors",
    "bidirectional_gru",
    "masked_mean",
    "mean_of_words",
    "real_words",
    "set_cudnn",
    "sum_of_pieces",
    "tags_of_words",
]
