import numpy as np
import pytest

from keras_jtav import judging
from keras_jtav.evaluation.ranks import rank_metrics
from keras_jtav.experiments import preset_config
from keras_jtav.judging import RetrievalJudge, SentimentJudge
from keras_jtav.model import build_model
from keras_jtav.preparation import prepare


@pytest.fixture(scope="module")
def judge(tiny_settings):
    config = preset_config("retrieval", "small").override(tiny_settings)
    prepared = prepare(config, lambda items, total, title: items)
    models = build_model(config, prepared.spec, prepared.vocabulary.matrix)
    return RetrievalJudge(models, prepared)


def test_some_queries_have_the_scores_they_have_among_all(judge):
    rows = np.array([1, 4, 5])
    np.testing.assert_allclose(
        judge.scores("validation", rows), judge.scores("validation")[rows], atol=1e-5
    )
    np.testing.assert_array_equal(
        judge.matches("validation", rows), judge.matches("validation")[rows]
    )
    assert (judge.matches("validation").sum(axis=1) == 1).all()


def test_validation_asks_a_bounded_number_of_queries(judge, monkeypatch):
    everything = rank_metrics(judge.scores("validation"), judge.matches("validation"))
    assert judge.validation.measure() == pytest.approx(everything)
    monkeypatch.setattr(judging, "MAX_VALIDATION_QUERIES", 5)
    asked = []
    monkeypatch.setattr(
        judging, "pair_scores", lambda models, *sides: asked.append(sides) or scores
    )
    scores = np.zeros((5, len(judge.song_rows("validation"))))
    judge.validation.measure()
    assert len(asked[0][0]["image_vector"]) == 5


def test_a_diverged_model_is_told_by_its_first_query(judge, monkeypatch):
    rows = len(judge._prepared.posts["validation"])
    scores = np.full((rows, len(judge.song_rows("validation"))), np.nan)
    monkeypatch.setattr(judging, "pair_scores", lambda models, *sides: scores)
    first = judge._prepared.posts["validation"][0].id
    with pytest.raises(ValueError, match=rf"Query '{first}'.*lower `train.learning"):
        judge.validation.measure()


def test_a_diverged_sentiment_model_is_told_by_its_first_post(tiny_settings):
    config = preset_config("sentiment", "small").override(
        [*tiny_settings, "modalities=text"]
    )
    prepared = prepare(config, lambda items, total, title: items)
    models = build_model(config, prepared.spec, prepared.vocabulary.matrix)
    models["train"].set_weights([w * np.nan for w in models["train"].get_weights()])
    first = prepared.posts["test"][0].id
    with pytest.raises(ValueError, match=f"'{first}' of the test split.*diverged"):
        SentimentJudge(models, prepared).probabilities("test")
