import keras
import pytest

from keras_jtav.config import Config
from keras_jtav.experiments import preset_config
from keras_jtav.model import build_model, check_config, without_files


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            "text=lstm",
            "one of att_bigru, bigru, doc2vec, lyrics_han, vector; received 'lstm'",
        ),
        ("text.unit=3", "Unknown key `text.unit`. Valid keys of 'att_bigru': units"),
        ("image.weight=none", "Unknown key `image.weight`"),
        ("fusion.head=8", "Unknown key `fusion.head`. Valid keys of 'cmf_ap'"),
        ("matching.units=3", "`matching=jtav` takes no arguments; received units"),
        ("head=deep", "`head` must be one of dense"),
        ("head.unit=3", "Unknown key `head.unit`. Valid keys of 'dense': units"),
    ],
)
def test_an_unknown_part_or_argument_is_named(setting, message):
    with pytest.raises(ValueError, match=message):
        check_config(Config().override([setting]))


def test_parts_of_absent_modalities_are_not_checked():
    check_config(Config().override(["modalities=text", "image.nonsense=1"]))


@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("task", ["sentiment", "retrieval"])
def test_heavy_layers_compute_in_halves_and_logits_do_not(
    task, precision, tiny_settings
):
    config = preset_config(task, "small").override(tiny_settings)
    train = build_model(config, precision=precision)["train"]
    assert train.output.dtype == "float32"
    assert {tensor.dtype for tensor in train.inputs} <= {
        "float32",
        "int32",
        "bool",
        "uint8",
    }
    by_type = {}
    for layer in train._flatten_layers():
        by_type.setdefault(type(layer).__name__, set()).add(layer.compute_dtype)
    half = precision.removeprefix("mixed_")
    for name in ("Conv2D", "GRU", "ContextAttention", "CrossModalFusion"):
        assert by_type[name] == {half}, name
    delicate = ["WordVectors", "ProtagonistGate", "PixelScaling", "UnitNormalization"]
    if task == "retrieval":
        delicate += ["Tower", "ScaledUnitNorm", "InBatchContrastive"]
    for name in delicate:
        assert by_type[name] == {"float32"}, name
    assert keras.config.dtype_policy().name == "float32"  # as before
    assert all(weight.dtype == "float32" for weight in train.weights)


def test_a_model_whose_weights_come_from_elsewhere_reads_no_file():
    plain = Config()  # DenseNet121, of ImageNet unless something else is said
    assert "weights" not in plain.image.kwargs
    assert without_files(plain).image.kwargs["weights"] == "none"
    settings = ["audio=convnet", "audio.weights=gone.h5", "image=vector"]
    other = without_files(plain.override(settings))
    assert other.audio.kwargs["weights"] == "none"
    assert other.image == plain.override(settings).image
    assert without_files(plain.override(["modalities=text"])).image == plain.image
