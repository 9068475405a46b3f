"""From a config to everything a model is trained on: posts, words, features."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from keras_jtav.config import Config
from keras_jtav.corpus import all_texts, build_documents, build_vocabulary
from keras_jtav.data import load_posts
from keras_jtav.data.home import home_folder
from keras_jtav.data.media import MediaStore
from keras_jtav.data.pairs import unify_songs
from keras_jtav.data.pipeline import PostFeatures
from keras_jtav.data.post import Post, PostTable, Rejection
from keras_jtav.data.ready_features import ArrayStore, ReadyFeatures
from keras_jtav.data.record_store import RecordStore
from keras_jtav.data.record_stream import StreamedFeatures
from keras_jtav.data.splits import split_posts
from keras_jtav.data.task_rules import post_problem, training_problem, with_texts
from keras_jtav.features.preprocessor import Preprocessor
from keras_jtav.features.spec import FeatureSpec
from keras_jtav.features.tags import choose_tags
from keras_jtav.features.vocabulary import Vocabulary

Progress = Callable[[Iterable, int, str], Iterable]


def silent(items: Iterable, total: int, title: str) -> Iterable:
    """Return the items: a ``Progress`` that shows nothing."""
    return items


@dataclass(frozen=True)
class Prepared:
    """The data of a run.

    Args:
        posts: Usable posts by split.
        rejections: Rows left out.
        class_names: Names of label 0 and label 1.
        vocabulary: Words and their vectors.
        preprocessor: From decoded posts to features.
        spec: Sizes of the features.
        store: Features of the media files.
        features: Features of the posts of each split.
        modalities: What the model sees.
        split: How the posts were split.
        ready: What the data set brought in place of media, if it did.
    """

    posts: dict[str, list[Post]]
    rejections: list[Rejection]
    class_names: tuple[str, str]
    vocabulary: Vocabulary
    preprocessor: Preprocessor
    spec: FeatureSpec
    store: MediaStore | ArrayStore
    features: dict[str, PostFeatures]
    modalities: tuple[str, ...]
    split: str
    ready: ReadyFeatures | None = None


def prepare(config: Config, progress: Progress) -> Prepared:
    """Load and split the posts, train or load word vectors, compute the features.

    Args:
        config: What to prepare.
        progress: Wraps an iterable, given its length and a title.

    Raises:
        ValueError: More rows are unusable than ``data.max_rejected`` allows, or what is
            left cannot be split or trained on.
    """
    table, splits = usable_splits(config)
    ready = table.features
    if ready is not None:
        _check_ready(config, ready)
    vocabulary = build_vocabulary(config, splits["train"], ready)
    preprocessor = Preprocessor(config.features, vocabulary)
    store = _media_store(config, table, preprocessor)
    posts = [post for split in splits.values() for post in split]
    faults = store.prepare(posts, progress)
    rejections = [*table.rejections, *faults]
    check_rejections(rejections, len(posts) + len(table.rejections), config)
    splits = without_faults(splits, faults)
    check_splits(splits, table.class_names, config)
    spec = FeatureSpec.from_options(config.features, vocabulary)
    if ready is not None:
        spec = replace(spec, **ready.sizes)
    if config.features.tags:
        tag_rows = choose_tags(
            all_texts(splits["train"]), vocabulary, config.features.tags
        )
        spec = replace(spec, tag_rows=tag_rows)
    documents = build_documents(config, splits)
    features = {}
    for name, split in splits.items():
        arguments = (split, store, preprocessor, spec, config.task, documents.get(name))
        if name == "train" and config.train.shuffle_buffer:
            buffer = config.train.shuffle_buffer
            features[name] = StreamedFeatures(*arguments, buffer)
        else:
            features[name] = PostFeatures(*arguments)
    return Prepared(
        splits,
        rejections,
        table.class_names,
        vocabulary,
        preprocessor,
        spec,
        store,
        features,
        config.modalities,
        config.data.split,
        ready,
    )


def usable_splits(config: Config) -> tuple[PostTable, dict[str, list[Post]]]:
    """Load and split the posts that a config can use; files are not opened.

    Returns:
        The table without the posts that are left out, and its posts by split.

    Raises:
        ValueError: As ``prepare``, where it can be known without the files.
    """
    table = load_table(config)
    if table.records is not None:
        table.records.refuse(config)
    elif config.train.shuffle_buffer:
        raise ValueError(
            f"`train.shuffle_buffer` is {config.train.shuffle_buffer}, and only "
            f"prepared records are streamed, not the data set {config.dataset.name!r}. "
            "Leave it out, or run `keras-jtav prepare` first."
        )
    table = _usable(table, config.task)
    num_rows = len(table.posts) + len(table.rejections)
    check_rejections(table.rejections, num_rows, config)  # they say why none are left
    splits = split_posts(
        table.posts, config.data.split, config.data.fractions, config.split_seed
    )
    splits, without_content = with_texts(splits, config.data.texts)
    table = replace(table, rejections=[*table.rejections, *without_content])
    check_splits(splits, table.class_names, config)
    return table, splits


def load_table(config: Config) -> PostTable:
    """Return the posts of the config's data set."""
    context = {
        "task": config.task,
        "split": config.data.split,
        "split_seed": config.split_seed,
        "outside": config.data.outside,
        "max_table_bytes": config.data.max_table_bytes,
    }
    return load_posts(config.dataset, context)


def _usable(table: PostTable, task: str) -> PostTable:
    """Return the table without the posts that the task cannot use."""
    posts = unify_songs(table.posts) if task == "retrieval" else table.posts
    reasons = {post.id: post_problem(post, task) for post in posts}
    kept = [post for post in posts if not reasons[post.id]]
    dropped = [Rejection(f"post {id_}", "", why) for id_, why in reasons.items() if why]
    return replace(table, posts=kept, rejections=[*table.rejections, *dropped])


def _media_store(
    config: Config, table: PostTable, preprocessor: Preprocessor
) -> MediaStore | ArrayStore:
    if table.features is not None:
        return table.features.store
    folder = home_folder() / "features"
    arguments = (preprocessor, config.features, config.data, folder, config.modalities)
    if table.records is None:
        return MediaStore(*arguments)
    streamed = config.train.shuffle_buffer > 0
    return RecordStore(table.records, *arguments, streamed=streamed)


def _check_ready(config: Config, ready: ReadyFeatures) -> None:
    """Refuse settings that features which are made already cannot follow."""
    if config.features.fasttext:
        raise ValueError(
            f"The data set {config.dataset.name!r} brings its own word vectors. Leave "
            "--fasttext out."
        )
    encoders = {m: getattr(config, m).name for m in config.modalities}
    others = [f"{m}={name}" for m, name in encoders.items() if name != "vector"]
    if ready.are_vectors and others:
        raise ValueError(
            f"The data set {config.dataset.name!r} has one vector for each modality, "
            f"and `{others[0]}` reads something else. Use --set "
            f"{others[0].partition('=')[0]}=vector."
        )


def without_faults(
    splits: Mapping[str, Sequence[Post]], faults: Sequence[Rejection]
) -> dict[str, list[Post]]:
    """Return the posts of each split that have no fault."""
    bad = {fault.row for fault in faults}
    return {
        name: [post for post in split if f"post {post.id}" not in bad]
        for name, split in splits.items()
    }


def check_splits(
    splits: Mapping[str, Sequence[Post]], class_names: Sequence[str], config: Config
) -> None:
    """Refuse splits that cannot be trained or judged on.

    Raises:
        ValueError: The message says what is lacking.
    """
    problem = training_problem(
        splits, config.task, class_names, config.modalities, config.data.max_rejected
    )
    if problem:
        raise ValueError(f"Training would fail: {problem}.")


def check_rejections(
    rejections: Sequence[Rejection], num_rows: int, config: Config
) -> None:
    """Refuse more unusable rows than a config accepts.

    Raises:
        ValueError: The message has the first of them.
    """
    num_bad = len({rejection.row for rejection in rejections})
    share = num_bad / max(num_rows, 1)
    if share > config.data.max_rejected:
        first = rejections[0]
        is_manifest = config.dataset.name == "manifest"
        advice = " `keras-jtav check` lists all." if is_manifest else ""
        raise ValueError(
            f"{num_bad} of {num_rows} rows ({share:.1%}) cannot be used, more "
            f"than --max-rejected {config.data.max_rejected} allows. The first: "
            f"{first}.{advice}"
        )
