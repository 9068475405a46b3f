import json

import pytest

from keras_jtav.config import Component, Config, check_kwargs, look_up


def test_the_defaults_are_those_of_section_4_1():
    config = Config()
    assert config.features.words == 100
    assert config.features.supporting_words == 5
    assert config.features.embedding_dim == 300
    assert config.features.clip_seconds == 10
    assert config.features.hop_samples == 1024
    assert config.features.bins == 96
    assert config.features.image_size == 224
    assert config.data.fractions == (0.8, 0.1, 0.1)
    assert config.train.negatives == 1


def test_json_round_trip_keeps_everything():
    settings = [
        "task=retrieval",
        "fusion.heads=8",
        "image=vgg19",
        "data.fractions=.6,.2,.2",
    ]
    config = Config().override(settings)
    assert Config.from_json(config.to_json()) == config


def test_overrides_apply_in_order():
    config = Config().override(["text.units=3", "text=bigru", "text.dropout=0.5"])
    assert config.text == Component("bigru", {"dropout": 0.5})


def test_a_number_for_a_text_setting_stays_text():
    assert Config().override(["features.fasttext=7"]).features.fasttext == "7"


def test_an_integer_is_taken_for_a_float():
    assert Config().override(["features.clip_seconds=3"]).features.clip_seconds == 3.0


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("train.epoch=3", "Unknown key `train.epoch`. Valid keys: train.epochs"),
        ("trian.epochs=3", "Unknown key `trian.epochs`. Valid keys: task"),
        ("train=3", "`train` is no single setting"),
        ("train.epochs.x=3", "`train.epochs.x` is no single setting"),
        ("text.units.x=3", "arguments have no parts"),
        ("train.epochs=many", "takes a value of type int; received 'many'"),
        ("train.epochs", "--set takes KEY=VALUE"),
        ("task=translation", "`task` must be one of sentiment, retrieval"),
        ("modalities=text,smell", "`modalities` must be one of text, audio, image"),
        ("modalities=text,text", "each once"),
        ("data.split=even", "`data.split` must be one of"),
        ("data.fractions=.5,.5", "three shares"),
        ("data.fractions=.5,.5,.5", "sum to 1"),
        ("features.spectrogram=stft", "`features.spectrogram` must be one of cqt, mel"),
    ],
)
def test_a_wrong_override_says_what_is_valid(assignment, message):
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        Config().override([assignment])


def test_an_unknown_key_in_a_file_is_refused(tmp_path):
    values = json.loads(Config().to_json())
    values["train"]["epoch"] = 3
    path = tmp_path / "config.json"
    path.write_text(json.dumps(values))
    with pytest.raises(ValueError, match=r"Unknown key `config.train.epoch`"):
        Config.load(path)


def test_check_kwargs_lists_the_valid_arguments():
    def build(spec, *, units=1, dropout=0.0):
        return spec, units, dropout

    check_kwargs("text", Component("gru", {"units": 2}), build, given=("spec",))
    with pytest.raises(
        ValueError,
        match=r"`text\.unit`\. Valid keys of 'gru': units, dropout\. .* text=NAME\.",
    ):
        check_kwargs("text", Component("gru", {"unit": 2}), build, given=("spec",))


def test_look_up_lists_the_names():
    assert look_up("fusion", "early", {"early": 1}) == 1
    with pytest.raises(
        ValueError, match="`fusion` must be one of early; received 'late'"
    ):
        look_up("fusion", "late", {"early": 1})
