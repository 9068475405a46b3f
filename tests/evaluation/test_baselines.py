import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from keras_jtav.data.post import Post
from keras_jtav.evaluation.baselines import (
    cca_baseline,
    character_matching_scores,
    logistic_regression_baseline,
)
from keras_jtav.evaluation.ranks import rank_metrics
from keras_jtav.evaluation.simple_features import SimpleFeatures

THINGS = ("sun", "rain", "forest", "street")
COLOURS = ("yellow", "blue", "green", "gray")


@pytest.fixture
def pictures(tmp_path):
    """Return a picture file for each thing."""
    for thing, colour in zip(THINGS, COLOURS, strict=True):
        Image.new("RGB", (8, 8), colour).save(tmp_path / f"{thing}.png")
    return {thing: tmp_path / f"{thing}.png" for thing in THINGS}


def sentiment_posts(num_posts, pictures, seed=0):
    """Label = sunny picture or good words, with a tenth of the labels turned over."""
    random = np.random.default_rng(seed)
    posts = []
    for number in range(num_posts):
        sunny, good = random.integers(2, size=2)
        label = int(sunny + good + random.random() > 1.5)
        label = label ^ int(random.random() < 0.1)
        word = random.choice(
            [["awful", "sad", "tired"], ["great", "happy", "fun"]][good]
        )
        image = pictures[
            random.choice(["sun", "forest"] if sunny else ["rain", "street"])
        ]
        texts = {"caption": f"so {word} today"}
        posts.append(Post(f"{seed}-{number}", texts, image=image, label=label))
    return posts


def song_posts(num_posts, pictures, seed=0):
    """Return posts of as many songs, whose lyrics name what the picture shows."""
    random = np.random.default_rng(seed)
    posts = []
    for number in range(num_posts):
        thing = THINGS[number % 4]
        lyrics = f"{thing} oh {random.choice(['la', 'yeah'])} my {thing}"
        posts.append(
            Post(
                f"{seed}-{number}",
                {"lyrics": lyrics},
                image=pictures[thing],
                song=f"song {seed}-{number}",
            )
        )
    return posts


def test_logistic_regression_beats_each_part_with_both(pictures):
    train = sentiment_posts(160, pictures)
    test = sentiment_posts(200, pictures, seed=1)
    probabilities = logistic_regression_baseline(train, test, ("text", "image"))
    assert list(probabilities) == ["text", "image", "text+image"]
    labels = [post.label for post in test]
    auc = {k: roc_auc_score(labels, p) for k, p in probabilities.items()}
    assert min(auc["text"], auc["image"]) > 0.6
    assert max(auc["text"], auc["image"]) + 0.03 < auc["text+image"] < 0.97


def test_seven_subsets_of_three_modalities_and_missing_parts(pictures):
    posts = sentiment_posts(40, pictures)
    posts = [Post(p.id, p.texts, label=p.label) for p in posts[:5]] + posts[5:]
    probabilities = logistic_regression_baseline(posts, posts[:7])
    assert list(probabilities) == [
        "text",
        "audio",
        "image",
        "text+audio",
        "text+image",
        "audio+image",
        "text+audio+image",
    ]
    for values in probabilities.values():
        assert values.shape == (7,)
        assert ((values > 0) & (values < 1)).all()
    assert np.ptp(probabilities["audio"]) < 1e-9  # no post has any


def test_a_permuted_test_list_gives_permuted_probabilities(pictures):
    train = sentiment_posts(30, pictures)
    test = sentiment_posts(9, pictures, seed=1)
    shared = SimpleFeatures(train)
    plain, turned = (
        logistic_regression_baseline(train, posts, ("text",), shared)["text"]
        for posts in (test, test[::-1])
    )
    assert plain == pytest.approx(turned[::-1])


@pytest.mark.parametrize("num_posts", [2, 4])
def test_a_handful_of_training_posts_is_enough(num_posts):
    train = [
        Post(str(i), {"caption": ["bad", "good"][i % 2]}, label=i % 2)
        for i in range(num_posts)
    ]
    low, high = logistic_regression_baseline(train, train[:2], ("text",))["text"]
    assert low < 0.5 < high


@pytest.mark.parametrize(
    ("labels", "message"),
    [([1, 1], "received labels 1"), ([0, 1, None], "0, 1, None"), ([], "of no post")],
)
def test_training_labels_of_one_class_are_an_error(labels, message):
    posts = [Post(str(i), {"caption": "x"}, label=y) for i, y in enumerate(labels)]
    with pytest.raises(ValueError, match=message):
        logistic_regression_baseline(posts, posts)


def test_cca_finds_lyrics_that_name_what_a_picture_shows(pictures):
    train = song_posts(80, pictures)
    validation = song_posts(8, pictures, seed=1)
    test = song_posts(12, pictures, seed=2)
    for judges in (validation, []):
        scores = cca_baseline(train, judges, test, test, ("image",), ("lyrics",))
        things = np.arange(12) % 4
        right = things[:, None] == things
        assert rank_metrics(scores, right, ks=(1,))["R@1"] > 0.95


def test_cca_of_several_parts_has_a_row_per_query_and_a_column_per_song(pictures):
    posts = song_posts(20, pictures)
    scores = cca_baseline(posts, posts[:4], posts[:3], posts[:5])
    assert scores.shape == (3, 5)
    assert np.isfinite(scores).all()


def test_cca_without_training_posts_is_an_error():
    with pytest.raises(ValueError, match="`train` must have at least one post"):
        cca_baseline([], [], [], [])


def test_validation_posts_without_a_song_are_an_error(pictures):
    posts = song_posts(8, pictures)
    alone = [Post("lonely", image=pictures["sun"])]
    with pytest.raises(ValueError, match="'lonely' names no song"):
        cca_baseline(posts, alone, posts, posts)


def test_characters_match_cognates_and_not_other_scripts():
    lyrics = ["a red tulip", "an old guitar", "eine Trompete"]
    scores = character_matching_scores(["Gitarre", "тюльпан", "", "tulipan"], lyrics)
    assert scores.shape == (4, 3)
    assert scores.argmax(axis=1).tolist() == [1, 0, 0, 0]
    assert not scores[1:3].any()


def test_characters_of_equal_texts_score_one_and_of_no_text_zero():
    assert character_matching_scores(["blue"], ["blue"]) == pytest.approx(
        np.ones((1, 1))
    )
    assert not character_matching_scores(["", ""], [""]).any()
