import re
from dataclasses import replace

import numpy as np
import pytest

from keras_jtav.data.manifest import write_manifest
from keras_jtav.data.pairs import first_rows_of_songs, unify_songs
from keras_jtav.demo.answers import SentimentAnswers, SongAnswers
from keras_jtav.predict import rank_songs
from keras_jtav.preparation import load_table, silent

for_sentiment = pytest.mark.parametrize("finished_run", ["sentiment"], indirect=True)
for_retrieval = pytest.mark.parametrize("finished_run", ["retrieval"], indirect=True)


@pytest.fixture
def post(finished_run):
    return next(post for post in load_table(finished_run[0]).posts if not post.missing)


@for_sentiment
def test_a_post_gets_its_label_its_parts_and_its_words(predictor, post):
    answers = SentimentAnswers(predictor)
    texts = (post.texts["lyrics"], post.texts["caption"])
    page = answers.answer(str(post.image), str(post.audio), *texts)
    parts = ("image", "audio", "lyrics", "caption")
    answer, _ = predictor.call_on_posts("serving_default", [post], parts)
    assert f"{100 * answer['probability'][0]:.1f} %" in page
    assert re.search(r'<h1 id="label">(negative|positive)</h1>', page)
    assert re.findall("<dt>([a-z]*)</dt>", page) == ["text", "audio", "image"]
    assert f">{post.texts['lyrics'].split()[0].lower()}</span>" in page


@for_sentiment
def test_any_part_may_be_missing(predictor, post, tmp_path):
    answers = SentimentAnswers(predictor)
    assert "Give at least one of" in answers.answer(None, None, " ", "")
    assert '<h1 id="label">' in answers.answer(str(post.image), None, "", "")
    assert '<h1 id="label">' in answers.answer(None, None, "", "so happy")
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    page = answers.answer(None, str(tmp_path / "broken.wav"), "", "<b>so</b> happy")
    assert "Counted as missing: broken.wav" in page
    assert "<b>so" not in page


@for_retrieval
def test_a_caption_is_not_shown_as_the_words_of_a_song(predictor, post, tmp_path):
    song = replace(post, texts={"lyrics": "..."}, image=None)
    write_manifest([song], tmp_path / "songs.csv")
    answers = SongAnswers(predictor, tmp_path / "songs.csv", silent, outside=True)
    page = answers.answer(None, "wonderful")
    assert f"<li><b>{song.song}</b>" in page
    assert "wonderful" not in page


@for_retrieval
def test_a_picture_gets_the_songs_that_predict_ranks_best(
    finished_run, predictor, post, tmp_path
):
    posts = unify_songs(load_table(finished_run[0]).posts)
    songs = [posts[row] for row in first_rows_of_songs(posts)][:20]
    write_manifest(songs, tmp_path / "songs.csv")
    answers = SongAnswers(predictor, tmp_path / "songs.csv", silent, outside=True)
    page = answers.answer(str(post.image), "so happy")
    query = (post.image, "so happy")
    ranked = rank_songs(predictor, tmp_path / "songs.csv", *query, outside=True)
    shown = re.findall(r"<li><b>([^<]*)</b> <span class=\"score\">([^<]*)</span>", page)
    assert [name for name, _ in shown] == ranked["song"].tolist()[:10]
    scores = [float(score) for _, score in shown]
    np.testing.assert_allclose(scores, ranked["score"][:10], atol=0.006)
    assert page.count("<audio") >= 8
    assert page.count('<p class="words">') >= 8
    assert "Give a picture or a caption." in answers.answer(None, "")


@for_retrieval
def test_songs_of_which_nothing_is_known_are_not_shown(predictor, tmp_path):
    table = tmp_path / "songs.csv"
    rows = ["song,lyrics,caption,audio", "blue,I walk,,", "captioned,,so happy,"]
    table.write_text("\n".join([*rows, "gone,,,gone.wav"]))
    page = SongAnswers(predictor, table, silent).answer(None, "so happy")
    assert re.findall(r"<li><b>([^<]*)</b>", page) == ["blue"]
    table.write_text("\n".join([rows[0], rows[2]]))
    with pytest.raises(ValueError, match="holds no usable row"):
        SongAnswers(predictor, table, silent)
