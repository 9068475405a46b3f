"""Encoders: features of one modality to one vector ``(batch, dim)``."""

from collections.abc import Callable

from keras_jtav.encoders.applications import (
    build_densenet121,
    build_resnet101,
    build_vgg19,
)
from keras_jtav.encoders.att_bigru import build_att_bigru, build_bigru
from keras_jtav.encoders.convnet import build_convnet
from keras_jtav.encoders.dcrnn import build_dcrnn
from keras_jtav.encoders.doc2vec import build_doc2vec
from keras_jtav.encoders.lyrics_han import build_lyrics_han
from keras_jtav.encoders.mfcc import build_mfcc
from keras_jtav.encoders.small_cnn import build_small_cnn
from keras_jtav.encoders.squeezenet import build_squeezenet
from keras_jtav.encoders.vector import (
    build_audio_vector,
    build_image_vector,
    build_text_vector,
)

ENCODERS: dict[str, dict[str, Callable]] = {
    "text": {
        "att_bigru": build_att_bigru,
        "bigru": build_bigru,
        "doc2vec": build_doc2vec,
        "lyrics_han": build_lyrics_han,
        "vector": build_text_vector,
    },
    "audio": {
        "convnet": build_convnet,
        "dcrnn": build_dcrnn,
        "mfcc": build_mfcc,
        "vector": build_audio_vector,
    },
    "image": {
        "densenet121": build_densenet121,
        "vgg19": build_vgg19,
        "resnet101": build_resnet101,
        "squeezenet": build_squeezenet,
        "small_cnn": build_small_cnn,
        "vector": build_image_vector,
    },
}
