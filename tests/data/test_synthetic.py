import hashlib
from collections import Counter, defaultdict

import numpy as np
import pytest
import soundfile
from PIL import Image
from sklearn.metrics import roc_auc_score

from keras_jtav.data import synthetic, synthetic_songs
from keras_jtav.data.synthetic import load_synthetic
from keras_jtav.data.synthetic_media import MAJOR, TIMBRES, render_picture, render_sound
from keras_jtav.data.synthetic_texts import (
    BAD_WORDS,
    CALM_WORDS,
    FILLER_WORDS,
    GOOD_WORDS,
    LIVELY_WORDS,
    THEMES,
    compose_caption,
    compose_lyrics,
)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_JTAV_HOME", str(tmp_path))
    return tmp_path


def digests(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def folder_of(table):
    return next(post.audio for post in table.posts if post.audio).parent.parent


def test_writes_readable_files_and_shares_each_song():
    table = load_synthetic(songs=12, posts_per_song=3, missing=0)
    assert len(table.posts) == 36
    assert not table.rejections
    assert table.class_names == ("negative", "positive")
    assert all(post.missing == () for post in table.posts)
    by_song = defaultdict(list)
    for post in table.posts:
        by_song[post.song].append(post)
    assert len(by_song) == 12
    for posts in by_song.values():
        assert (
            len({(post.audio, post.texts["lyrics"], post.label) for post in posts}) == 1
        )
        assert len({post.image for post in posts}) == 3
    for post in table.posts:
        recording = soundfile.info(post.audio)
        assert recording.subtype == "PCM_16"
        assert (recording.samplerate, recording.channels) in {
            (rate_hz, channels) for rate_hz, channels, _ in synthetic_songs.FORMATS
        }
        assert 2.2 < recording.duration < 2.8
        with Image.open(post.image) as picture:
            assert picture.mode == "RGB"
            assert 64 <= picture.width == picture.height <= 96
        assert 20 <= len(post.texts["lyrics"].split()) <= 60
        assert 3 <= len(post.texts["caption"].split()) <= 6


def test_bytes_depend_on_the_seed_alone(tmp_path, monkeypatch):
    first = digests(folder_of(load_synthetic(songs=4, seed=1)))
    monkeypatch.setenv("KERAS_JTAV_HOME", str(tmp_path / "again"))
    assert digests(folder_of(load_synthetic(songs=4, seed=1))) == first
    other = digests(folder_of(load_synthetic(songs=4, seed=2)))
    assert not set(other.values()) & set(first.values())


def test_a_song_does_not_depend_on_how_many_there_are():
    few = digests(folder_of(load_synthetic(songs=3, missing=0)))
    many = digests(folder_of(load_synthetic(songs=5, missing=0)))
    del few["posts.csv"]
    assert few.items() <= many.items()


def test_a_whole_folder_is_reused(monkeypatch):
    first = load_synthetic(songs=2)
    monkeypatch.setattr(synthetic, "write_song", None)  # would raise if called
    assert load_synthetic(songs=2) == first


def test_a_failure_leaves_nothing_behind(home, monkeypatch):
    def fail(*_):
        raise RuntimeError("disk full")

    monkeypatch.setattr(synthetic, "write_song", fail)
    with pytest.raises(RuntimeError, match="disk full"):
        load_synthetic(songs=2)
    assert list((home / "synthetic").iterdir()) == []


def test_two_processes_at_once_agree(home, monkeypatch):
    # The other one finishes while this one is writing.
    write_manifest = synthetic.write_manifest

    def finish_elsewhere(posts, path):
        write_manifest(posts, path)
        folder = home / "synthetic" / path.parent.name
        folder.mkdir()
        write_manifest(posts, folder / "posts.csv")
        (folder / "audio").symlink_to(path.parent / "audio")

    monkeypatch.setattr(synthetic, "write_manifest", finish_elsewhere)
    table = load_synthetic(songs=1, missing=0)
    assert len(table.rejections) == 2  # the other one's folder was read: no files in it
    assert len(list((home / "synthetic").iterdir())) == 1


@pytest.fixture
def shown(monkeypatch):
    """What the renderers are told, in place of the time they take."""
    seen = {"sound": [], "picture": []}

    def note_sound(generator, theme, mood, energy, rate_hz, channels):
        seen["sound"].append((theme, mood, energy))
        return np.zeros((10, channels), np.float32)

    def note_picture(generator, theme, mood, energy):
        seen["picture"].append((theme, mood, energy))
        return Image.new("RGB", (1, 1))

    monkeypatch.setattr(synthetic_songs, "render_sound", note_sound)
    monkeypatch.setattr(synthetic_songs, "render_picture", note_picture)
    return seen


def test_missing_parts(shown):
    posts = load_synthetic(songs=500, posts_per_song=2, missing=0.4).posts
    lacking = Counter(part for post in posts for part in post.missing)
    assert max(len(post.missing) for post in posts) == 1
    # A tenth of 500 songs lacks its lyrics: deviation sqrt(.1 * .9 / 500) = .013
    for part in ("lyrics", "caption", "audio", "image"):
        assert lacking[part] / 1000 == pytest.approx(0.1, abs=0.04)
    by_song = defaultdict(set)
    for post in posts:
        by_song[post.song].add((post.audio, post.texts.get("lyrics", "")))
    assert all(len(contents) == 1 for contents in by_song.values())


def test_signals_are_as_strong_as_documented(shown):
    posts = load_synthetic(songs=800, posts_per_song=1, missing=0).posts
    labels = [post.label for post in posts]
    for kind, mood_auc in (("sound", 0.846), ("picture", 0.839)):
        moods = [mood for _, mood, _ in shown[kind]]
        # Of 100 songs 2 have the wrong label: .98 * .846 + .02 * (1 - .846) = .832;
        # standard deviation of an AUC of 800 about .014
        expected = 0.98 * mood_auc + 0.02 * (1 - mood_auc)
        assert roc_auc_score(labels, moods) == pytest.approx(expected, abs=0.045)
    same = [
        sound[0] is picture[0]
        for sound, picture in zip(shown["sound"], shown["picture"], strict=True)
    ]
    # .7 by design, a twelfth of the rest by chance: .725; standard deviation .016
    assert np.mean(same) == pytest.approx(0.725, abs=0.05)
    energies = np.array([[row[2] for row in shown[kind]] for kind in shown])
    # Variance 1 shared, .25 each of their own: 1 / 1.25
    assert np.corrcoef(energies)[0, 1] == pytest.approx(0.8, abs=0.05)


def test_every_post_can_lack_a_part():
    posts = load_synthetic(songs=10, missing=1).posts
    assert all(len(post.missing) == 1 for post in posts)


def test_labels_are_balanced_and_differ_within_songs_only_in_xor():
    moods = load_synthetic(songs=40, missing=0).posts
    assert 0.25 < np.mean([post.label for post in moods]) < 0.75
    xor = load_synthetic(songs=40, missing=0, variant="xor").posts
    labels = np.array([post.label for post in xor]).reshape(40, 2)
    assert (labels[:, 0] != labels[:, 1]).any()


def test_xor_needs_picture_and_sound():
    posts = load_synthetic(songs=40, missing=0, variant="xor", seed=5).posts
    warm = np.array([_is_warm(post) for post in posts])
    major = np.array([_is_major(post) for post in posts])
    labels = np.array([post.label for post in posts])
    assert np.mean((warm != major) == labels) > 0.85
    for alone in (warm, major):
        assert abs(np.mean(alone == labels) - 0.5) < 0.2


@pytest.mark.parametrize("variant", ["text", "sound", "picture"])
def test_one_part_alone_shows_the_mood(variant):
    posts = load_synthetic(songs=60, missing=0, variant=variant, seed=5).posts
    labels = np.array([post.label for post in posts])
    for part, tell in (("picture", _is_warm), ("sound", _is_major)):
        right = np.mean(np.array([tell(post) for post in posts]) == labels)
        if part == variant:
            assert right > 0.9
        else:
            assert abs(right - 0.5) < 0.25


def _is_warm(post):
    """Whether the rim of the picture has more red than blue."""
    with Image.open(post.image) as picture:
        pixels = np.asarray(picture).astype(float)
    return pixels[0, :, 0].mean() > pixels[0, :, 2].mean()


def _is_major(post):
    """Whether major thirds and sixths carry more power than minor ones."""
    samples, rate_hz = soundfile.read(post.audio, always_2d=True)
    spectrum = np.abs(np.fft.rfft(samples.mean(axis=1))) ** 2
    hertz = np.fft.rfftfreq(len(samples), 1 / rate_hz)
    register = 60
    power = dict.fromkeys((3, 4, 8, 9), 0.0)
    for semitones in power:
        for octave in (-12, 0, 12):
            pitch_hz = 440 * 2 ** ((register + octave + semitones - 69) / 12)
            power[semitones] += spectrum[np.abs(hertz / pitch_hz - 1) < 0.015].sum()
    return power[4] + power[9] > power[3] + power[8]


def test_word_lists_and_themes_do_not_overlap():
    lists = [theme.words for theme in THEMES]
    lists += [BAD_WORDS, GOOD_WORDS, CALM_WORDS, LIVELY_WORDS, FILLER_WORDS]
    words = [word for one in lists for word in one]
    assert len(words) == len(set(words))
    assert len({(theme.timbre, theme.register) for theme in THEMES}) == len(THEMES)
    assert len({(theme.shape, theme.hue) for theme in THEMES}) == len(THEMES)
    assert {theme.timbre for theme in THEMES} == set(TIMBRES)


def test_mood_and_energy_choose_the_words():
    generator = np.random.default_rng(0)
    shares = {"theme": 0.2, "mood": 0.4, "energy": 0.4}
    lyrics = compose_lyrics(generator, THEMES[0], 9.0, -9.0, shares).split()
    assert set(lyrics) <= {*THEMES[0].words, *GOOD_WORDS, *CALM_WORDS}
    assert set(lyrics) & set(GOOD_WORDS)
    caption = compose_caption(generator, THEMES[1], -9.0, 9.0, {"theme": 1, "mood": 1})
    kinds = [word in THEMES[1].words for word in caption.split()]
    assert sum(kinds) == 1
    assert sum(word in BAD_WORDS for word in caption.split()) == 1


def test_mood_and_energy_of_a_picture():
    def pixels(mood, energy):
        picture = render_picture(np.random.default_rng(0), THEMES[3], mood, energy)
        return np.asarray(picture).astype(float)

    warm, cool, busy = pixels(2, 0), pixels(-2, 0), pixels(-2, 2)
    # A colour turns from (70, 95, 150) to (235, 190, 120): red minus blue rises by 195.
    rise = (warm - cool)[..., 0].mean() - (warm - cool)[..., 2].mean()
    assert 80 < rise < 195
    assert np.abs(np.diff(busy, axis=1)).mean() > np.abs(np.diff(cool, axis=1)).mean()


def test_a_note_is_where_the_theme_puts_it():
    theme = THEMES[0]
    sound = render_sound(np.random.default_rng(4), theme, 9.0, 0.0, 22_050, 1)[:, 0]
    spectrum = np.abs(np.fft.rfft(sound))
    hertz = np.argmax(spectrum) * 22_050 / len(sound)
    expected = 440 * 2 ** ((theme.register + MAJOR[list(theme.motif)] - 69) / 12)
    assert np.min(np.abs(hertz / expected - 1)) < 0.01


def test_sound_is_stereo_on_request_and_never_clips():
    sound = render_sound(np.random.default_rng(0), THEMES[3], 0.0, 2.0, 11_025, 2)
    assert sound.dtype == np.float32
    assert sound.shape[1] == 2
    assert np.abs(sound).max() < 1
    assert np.corrcoef(sound.T)[0, 1] == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"songs": 0}, "must be at least 1; received 0 and 2"),
        ({"posts_per_song": 0}, "must be at least 1; received 600 and 0"),
        (
            {"variant": "sum"},
            "`variant` must be one of moods, xor, text, sound, picture; received 'sum'",
        ),
        ({"missing": 1.5}, "`missing` must be between 0 and 1; received 1.5"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        load_synthetic(**arguments)
