import numpy as np
import pytest

from keras_jtav.layers import AttentionBottleneck, LearnedTokens


@pytest.fixture
def stream(rng):
    return [rng.normal(size=(4, n, 8)).astype("float32") for n in (2, 3, 3)]


def test_modalities_see_each_other_after_the_second_exchange(stream):
    first, second = AttentionBottleneck(heads=2), AttentionBottleneck(heads=2)
    shared, tokens, other = stream
    once, changed_once = first(stream), first([shared, tokens, other[::-1]])
    np.testing.assert_allclose(once[1], changed_once[1], atol=1e-6)
    assert np.abs(once[0] - changed_once[0]).max() > 1e-3
    twice, changed_twice = second(once), second(changed_once)
    assert np.abs(twice[1] - changed_twice[1]).max() > 1e-3


def test_the_shared_tokens_become_the_mean_of_what_each_modality_wrote(stream):
    layer = AttentionBottleneck(heads=2)
    shared, *modalities = stream
    outputs = layer(stream)
    written = [
        np.asarray(block(np.concatenate([shared, tokens], axis=1)))
        for block, tokens in zip(layer.blocks, modalities, strict=True)
    ]
    mean = (written[0][:, :2] + written[1][:, :2]) / 2
    np.testing.assert_allclose(outputs[0], mean, atol=1e-6)
    np.testing.assert_allclose(outputs[2], written[1][:, 2:], atol=1e-6)


def test_learned_tokens_are_the_same_in_every_row(rng):
    layer = LearnedTokens(tokens=3, dim=2)
    tokens = np.asarray(layer(rng.normal(size=(5, 4))))
    np.testing.assert_array_equal(tokens, np.repeat(layer.learned, 5, axis=0))


def test_contract(check_contract, stream):
    check_contract(AttentionBottleneck(heads=2), inputs=stream)


def test_contract_of_learned_tokens(check_contract, rng):
    rows = rng.normal(size=(4, 3)).astype("float32")
    check_contract(LearnedTokens(tokens=3, dim=2), rows=rows)
