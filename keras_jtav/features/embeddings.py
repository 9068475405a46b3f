"""Word vectors: trained on the corpus, or read from a fastText file."""

from __future__ import annotations

import hashlib
import json
import logging
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType

import numpy as np

from keras_jtav.data.home import home_folder
from keras_jtav.features.text import tokenize_texts
from keras_jtav.features.vector_files import read_bin, read_vec
from keras_jtav.features.vocabulary import FIRST_WORD_ROW, OOV_ROW, Vocabulary

_LOG = logging.getLogger(__name__)
_RECIPE = 2  # raise it when the same settings would train other vectors
_MIN_NGRAM, _MAX_NGRAM = 3, 4
_TOKENS_SEEN = 2_000_000
_FEWEST_EPOCHS, _MOST_EPOCHS = 5, 200
_WINDOW = 20
_BAD_FORK = (
    "The installed fastText library starts from undefined values when it trains with "
    "one thread (fasttext-numpy2 0.10.4 does), so no two runs agree. Replace it: pip "
    "uninstall fasttext-numpy2 && pip install fasttext-community"
)
_END_OF_LINE = "</s>"  # fastText's own entry of every vocabulary


def train_vectors(
    texts: Sequence[str],
    dim: int,
    seed: int,
    subwords: bool = True,
    buckets: int = 20_000,
    cache_folder: str | Path | None = None,
) -> Vocabulary:
    """Train skip-gram vectors on a corpus with the fastText library.

    One thread, so the same call gives the same matrix; the result is kept under a name
    made from the words and the settings.

    Choice: the library's unsupervised training takes no seed (its own is fixed), so
    the seed decides the order in which it reads the texts.

    Choice: a small corpus is read up to 200 times and a large one 5 times (about two
    million words in all between), every word counts from its first occurrence, and 20
    words on either side are its context, so that nearly all of a short text is. On
    ``tuxpaint`` (four splits), an English line is among the ten nearest of 100 unseen
    ones to its Russian caption for .27 of the captions after 50 passes and .46 after
    200.

    Args:
        texts: One for each post: its lyrics and caption, ...; tokenised here.
        dim: Size of a vector.
        seed: Decides the order of the texts.
        subwords: Whether unseen words get vectors from n-grams of 3 and 4 characters.
        buckets: Rows that n-grams share (used with ``subwords``).
        cache_folder: Where results are kept; ``None``: ``vectors`` in the home folder.

    Raises:
        ValueError: A corpus without a word.
        ImportError: The fastText library is absent.
        RuntimeError: The installed fork starts from undefined values.

    Source: Bojanowski et al. 2017, https://arxiv.org/abs/1607.04606.
    """
    lines = [" ".join(words) for words in tokenize_texts(texts) if words]
    if not lines:
        raise ValueError(
            "Word vectors need text to be trained on; received no word in "
            f"{len(texts)} texts. Give `features.fasttext` a vector file, or leave "
            "text out of `modalities`."
        )
    order = np.random.default_rng(seed).permutation(len(lines))
    corpus = "\n".join(lines[line] for line in order) + "\n"
    settings = _training_settings(len(corpus.split()), dim, subwords, buckets)
    key = json.dumps([_RECIPE, settings], sort_keys=True) + corpus
    name = hashlib.sha256(key.encode()).hexdigest()[:20]
    folder = Path(cache_folder) if cache_folder else home_folder() / "vectors"
    path = folder / f"{name}.npz"
    if path.is_file():
        try:
            return Vocabulary.load(path)
        except ValueError as error:
            _LOG.warning("Training word vectors again: %s", error)
    vocabulary = _train(corpus, settings)
    vocabulary.save(path)
    return vocabulary


def load_vectors(
    path: str | Path, corpus_words: Iterable[str], vocabulary_size: int
) -> Vocabulary:
    """Read the vectors that are needed from a fastText file.

    Kept are the corpus's words that have a vector and, beside them, the file's most
    frequent words (files are sorted so) that ``tokenize`` can give; of a cased file,
    the lower-case words. A ``.bin`` file has a vector for nearly every corpus word,
    through its n-grams. The result itself is without subwords: the bucket table of the
    usual files is 2.4 GB.

    Choice: an unknown word gets the mean of the kept vectors. Each word counts once,
    so rare ones, which unknown words resemble, decide it.

    Args:
        path: ``.bin`` model or ``.vec`` text.
        corpus_words: Words of the corpus, as ``tokenize`` gives them.
        vocabulary_size: Most words kept beside the corpus's own.

    Raises:
        FileNotFoundError: No such file.
        ValueError: Another suffix, a file of another kind or a cut one, or one with
            no usable word.

    Source: https://fasttext.cc/docs/en/crawl-vectors.html.
    """
    path = Path(path)
    readers = {".bin": read_bin, ".vec": read_vec}
    if path.suffix not in readers:
        raise ValueError(
            f"A fastText file ends in .bin or .vec; received {path.name!r}. Unpack "
            "archives (.gz, .zip) first."
        )
    if not path.is_file():
        raise FileNotFoundError(
            f"No fastText file at {path}. Give an existing .bin or .vec file, or leave "
            "the path empty to train vectors on the corpus."
        )
    wanted = dict.fromkeys(corpus_words)
    vectors = readers[path.suffix](path, wanted, vocabulary_size)
    if not vectors:
        raise ValueError(
            f"{path} has no vector for any word of the corpus and no lower-case word. "
            "Is it a file of another language or kind?"
        )
    known = [word for word in wanted if word in vectors]
    _LOG.info("%s: %d of %d corpus words.", path.name, len(known), len(wanted))
    words = [*known, *(word for word in vectors if word not in wanted)]
    rows = np.stack([vectors[word] for word in words])
    return Vocabulary(words, _with_reserved_rows(rows, rows.mean(axis=0)))


def _training_settings(
    num_tokens: int, dim: int, subwords: bool, buckets: int
) -> dict[str, int]:
    epochs = _TOKENS_SEEN // num_tokens
    return {
        "dim": dim,
        "epoch": min(max(epochs, _FEWEST_EPOCHS), _MOST_EPOCHS),
        "minn": _MIN_NGRAM if subwords else 0,
        "maxn": _MAX_NGRAM if subwords else 0,
        "bucket": buckets if subwords else 0,
        "minCount": 1,
        "ws": _WINDOW,
    }


def _train(corpus: str, settings: dict[str, int]) -> Vocabulary:
    fasttext = _import_fasttext()
    _LOG.info("Training word vectors on %d words.", len(corpus.split()))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "corpus.txt"
        file.write_text(corpus, encoding="utf-8")
        try:
            model = fasttext.train_unsupervised(
                str(file), model="skipgram", thread=1, verbose=0, **settings
            )
        except RuntimeError as error:
            raise RuntimeError(f"{_BAD_FORK} ({error})") from error
    words = model.get_words()
    inputs = np.asarray(model.get_input_matrix(), "float32")
    _check_started(inputs)
    kept = [row for row, word in enumerate(words) if word != _END_OF_LINE]
    vectors = [inputs[model.get_subwords(words[row])[1]].mean(axis=0) for row in kept]
    rows = np.concatenate([inputs[kept], inputs[len(words) :]])
    return Vocabulary(
        [words[row] for row in kept],
        _with_reserved_rows(rows, np.mean(vectors, axis=0)),
        min_ngram=settings["minn"],
        max_ngram=settings["maxn"],
        buckets=settings["bucket"],
    )


def _check_started(inputs: np.ndarray) -> None:
    """Refuse a matrix whose last part never got random starting values.

    They are uniform within 1 / dim, a root mean square of 0.58 / dim, and training
    only moves them apart.
    """
    dim = inputs.shape[1]
    end = inputs.reshape(-1)[-max(inputs.size // 10, dim) :]
    if not np.isfinite(inputs).all() or np.sqrt(np.mean(end**2)) < 0.2 / dim:
        raise RuntimeError(_BAD_FORK)


def _with_reserved_rows(rows: np.ndarray, unknown: np.ndarray) -> np.ndarray:
    """Return the table: padding, unknown word, then ``rows``."""
    matrix = np.zeros((FIRST_WORD_ROW + len(rows), rows.shape[1]), "float32")
    matrix[OOV_ROW] = unknown
    matrix[FIRST_WORD_ROW:] = rows
    return matrix


def _import_fasttext() -> ModuleType:
    try:
        import fasttext
    except ImportError as error:
        raise ImportError(
            "Training word vectors needs the fastText library: pip install "
            "fasttext-community"
        ) from error
    return fasttext
