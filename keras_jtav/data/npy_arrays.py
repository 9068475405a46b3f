"""The arrays that the authors' released code reads, in its layout.

They are features: word vectors, spectrograms, DenseNet121 features, and for sentiment
one vector for each modality. There are no media, so that no model that eats raw media
can come of them.

Retrieval, ``dataset_a`` (``split="dagger"``) and ``dataset_b`` (``section``)::

    dataset_a/train_data/train_lyric.npy               (pairs, words, dim)
    dataset_a/train_data/train_caption.npy             (pairs, caption words, dim)
    dataset_a/train_data/train_audio.npy               (pairs, frames, bins, 1)
    dataset_a/train_data/train_image_densenet121.npy   (pairs, 1, 1, channels)
    dataset_a/splits/train.npy                         one 0 or 1 for each pair
    dataset_a/train_data/test_...                      the same four
    dataset_a/splits/test.npy                          (queries * songs), row-major

In training a row of all four is a pair of a query and a song. For test the released
code scores every row of image and caption (a query) with every row of lyric and audio
(a song); if there are as many labels as rows, test rows are read as pairs too. Posts
are made of the pairs with label 1: false songs are drawn anew in every epoch, not read.
Rows of equal content are one song, and posts of equal content one post. There is no
validation split; ``split_posts`` takes one from training.

Sentiment, for each modality of text, audio and image and each split of train, val and
test::

    data/text/X_train_text_shutter_mood.npy            (posts, text dim)
    label/y_train_shutter_mood.npy                     (posts)

A row of zeros is a missing part, a word vector of zeros padding.

Choice: spectrograms are brought to 0 to 1 by the least and the largest value of the
training songs, as their unit is not known.

Source:
    github.com/mengshor/JTAV: retrieval/icls.py, sentiment_analysis/multi_modal.py.
"""

from __future__ import annotations

from pathlib import Path

from keras_jtav.config import MODALITIES
from keras_jtav.data.array_files import ArrayFolder
from keras_jtav.data.data_folder import existing_folder
from keras_jtav.data.npy_pairs import PairReader
from keras_jtav.data.post import Post, PostTable
from keras_jtav.data.ready_features import (
    ArrayStore,
    PseudoWords,
    ReadyFeatures,
    row_path,
)

DATASETS = {"dagger": "dataset_a", "section": "dataset_b"}
SENTIMENT_SPLITS = {"train": "train", "val": "validation", "test": "test"}


def load_npy(
    task: str = "sentiment", split: str = "dagger", folder: str | Path = ""
) -> PostTable:
    """Make posts of the arrays of a folder (see the module for the layout).

    Args:
        task: ``sentiment`` or ``retrieval``.
        split: Of retrieval: ``dagger`` or ``section``.
        folder: Where the layout begins.

    Returns:
        Posts of the splits train and test, for sentiment validation too, and their
        features.

    Raises:
        FileNotFoundError: No such folder, or an array that is not there.
        ValueError: No folder given, another split, or an array of another shape, kind
            or content; the message names the file.
    """
    path = existing_folder(folder, "npy")
    if task == "sentiment":
        return _sentiment_table(ArrayFolder(path))
    if split not in DATASETS:
        raise ValueError(
            f"The released arrays have the splits {' and '.join(DATASETS)}; received "
            f"data.split={split}."
        )
    return PairReader(ArrayFolder(path / DATASETS[split])).table()


def _sentiment_table(arrays: ArrayFolder) -> PostTable:
    """Return posts whose every part is one vector, and these vectors."""
    words = PseudoWords()
    audio, image, posts = {}, {}, []
    for name, split in SENTIMENT_SPLITS.items():
        rows = {
            modality: arrays.open(
                f"data/{modality}/X_{name}_{modality}_shutter_mood.npy",
                (f"{name} posts", f"{modality} dim"),
            )
            for modality in MODALITIES
        }
        labels = _sentiment_labels(arrays, name)
        audio[rows["audio"].path] = rows["audio"].array[:, None]
        image[rows["image"].path] = rows["image"].array
        for number, label in enumerate(labels):
            vectors = {modality: rows[modality].row(number) for modality in MODALITIES}
            media = {
                part: row_path(rows[part].path, number) if vectors[part].any() else None
                for part in ("audio", "image")
            }
            text = words.text(vectors["text"][None])
            post = Post(
                f"{split}-{number}", {"lyrics": text}, label=label, split=split, **media
            )
            posts.append(post)
    features = ReadyFeatures(
        ArrayStore(audio, image),
        words.names,
        words.vectors,
        frames=1,
        bins=arrays.sizes["audio dim"],
        image_features=arrays.sizes["image dim"],
        are_vectors=True,
    )
    return PostTable(posts, features=features)


def _sentiment_labels(arrays: ArrayFolder, name: str) -> list[int]:
    """Return the labels of a split.

    Raises:
        ValueError: Other than one for each post.
    """
    file, num_posts = f"label/y_{name}_shutter_mood.npy", arrays.sizes[f"{name} posts"]
    labels = arrays.labels(file)
    if len(labels) != num_posts:
        raise ValueError(
            f"{arrays.folder / file} has {len(labels)} labels; expected one for each "
            f"of {num_posts} posts."
        )
    return labels.tolist()
