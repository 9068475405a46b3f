"""Two-stage retrieval: what stage 1 loses, and a million songs.

    python benchmarks/song_index.py recall MODEL           # on the model's own data
    python benchmarks/song_index.py build MODEL FOLDER     # a million songs
    python benchmarks/song_index.py query MODEL FOLDER     # in a process of its own
    python benchmarks/song_index.py grow MODEL FOLDER      # --songs more of them
    python benchmarks/song_index.py inside MODEL --songs 100000

MODEL is an exported retrieval model of the small preset, FOLDER where the index goes.
``inside`` writes a version of MODEL with the songs inside. ``--songs 20000`` and
``--queries 20`` try it small.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from clustered_songs import jitter, pictures, portions, real_songs, unit
from timing import peak_megabytes

from keras_jtav.config import Config
from keras_jtav.data.pairs import first_rows_of_songs
from keras_jtav.evaluation.ranks import rank_metrics
from keras_jtav.predict import encode_songs
from keras_jtav.preparation import usable_splits
from keras_jtav.serving import inverted_lists
from keras_jtav.serving.predictor import Predictor
from keras_jtav.serving.search_endpoint import export_with_index
from keras_jtav.serving.song_index import SongIndex

K = 100


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = parser.add_subparsers(required=True)
    recall = parts.add_parser("recall")
    recall.set_defaults(run=measure_recall)
    recall.add_argument("model", type=Path)
    for name, run in (
        ("build", build),
        ("query", query),
        ("grow", grow),
        ("inside", inside),
    ):
        part = parts.add_parser(name)
        part.set_defaults(run=run)
        part.add_argument("model", type=Path)
        if run is not inside:
            part.add_argument("folder", type=Path)
        part.add_argument("--songs", type=int, default=1_000_000)
        part.add_argument("--queries", type=int, default=300)
    options = parser.parse_args()
    options.run(options)


def measure_recall(options):
    """Compare two stages with the full ranking: test queries, songs of all splits."""
    predictor = Predictor(options.model)
    config = Config.from_json(json.dumps(predictor.settings["config"]))
    _, splits = usable_splits(config)
    posts = [post for split in splits.values() for post in split]
    candidates = [posts[row] for row in first_rows_of_songs(posts)]
    asked = splits["test"]
    names = [post.song for post in candidates]
    songs, _ = encode_songs(predictor, candidates)
    queries, _ = predictor.call_on_posts("encode_query", asked, ("image", "caption"))
    del queries["image_ok"]
    matches = np.array([[post.song] for post in asked]) == np.array(names)

    full = score(predictor, queries, songs)
    index = SongIndex(predictor.fingerprint)
    index.add(names, songs)
    print(f"{options.model}: {len(asked)} queries, {len(names)} songs")
    show_ranks("full pairwise", full, matches)
    show_ranks("stage 1 alone", queries["query_tower"] @ songs["song_tower"].T, matches)
    best = np.argsort(-full, axis=1, kind="stable")
    for k in (10, 25, 50, K):
        rows, _ = index.search_rows(queries["query_tower"], k)
        found = np.zeros(full.shape, bool)
        np.put_along_axis(found, rows, True, axis=1)
        show_ranks(
            f"two stages, K = {k}", np.where(found, full, full.min() - 1), matches
        )
        shares = [
            f"first {n}: {np.take_along_axis(found, best[:, :n], axis=1).mean():.4f}"
            for n in dict.fromkeys((1, 10, k))
        ]
        print(f"    share of the full ranking that stage 1 finds: {', '.join(shares)}")
    halves = {
        name: array.astype("float16").astype(array.dtype)
        if array.dtype.kind == "f"
        else array
        for name, array in songs.items()
    }
    by_halves = score(predictor, queries, halves)
    order = np.argsort(-by_halves, axis=1, kind="stable")
    same = (order[:, :10] == best[:, :10]).all(axis=1).mean()
    print(
        f"encodings of songs in float16: largest change of a logit "
        f"{np.abs(by_halves - full).max():.1e} (their deviation is {full.std():.2f}), "
        f"the same first ten in the same order for {same:.3f} of the queries"
    )


def score(predictor, queries, songs):
    """Return the pair scores of all queries with all songs, a query at a time."""
    rows = []
    for number in range(len(queries["query_tower"])):
        one = {name: array[[number]] for name, array in queries.items()}
        rows.append(predictor.call("score", **one, **songs)["logit"][0])
    return np.array(rows)


def show_ranks(name, scores, matches):
    metrics = rank_metrics(scores, matches)
    shown = ", ".join(f"{m} {metrics[m]:.4f}" for m in ("R@1", "R@5", "R@10"))
    print(f"  {name:20} {shown}")


def build(options):
    predictor = Predictor(options.model)
    real = real_songs(predictor)
    index = SongIndex(predictor.fingerprint)
    seconds = 0.0
    for portion in portions(real, options.songs):
        start = time.perf_counter()
        index.add(*portion)
        seconds += time.perf_counter() - start
    print(f"{len(index)} songs, {options.folder}")
    print(f"  add: {seconds:.0f} s")
    start = time.perf_counter()
    index.save(options.folder)
    print(f"  save, with the lists: {time.perf_counter() - start:.0f} s")
    size = sum(path.stat().st_size for path in options.folder.rglob("*.*"))
    lists = sum(path.stat().st_size for path in options.folder.glob("lists-*"))
    print(f"  on disk: {size / 1e6:.0f} MB, of which lists {lists / 1e6:.0f} MB")
    print(f"  peak of memory of the process: {peak_megabytes():.0f} MB")


def grow(options):
    predictor = Predictor(options.model)
    real = real_songs(predictor)
    start = time.perf_counter()
    index = SongIndex.load(options.folder)
    print(f"{len(index)} songs, {options.folder}")
    seconds = elapsed(start)
    first = len(index)
    start = time.perf_counter()
    for ids, encodings in portions(real, options.songs, seed=first):
        index.add([f"{id_}+{first}" for id_ in ids], encodings)
    added = elapsed(start)
    start = time.perf_counter()
    index.save(options.folder)
    print(f"  load {seconds}, add {options.songs} songs {added}, save {elapsed(start)}")
    start = time.perf_counter()
    index.remove(index.ids()[-100:])
    removed = elapsed(start)
    start = time.perf_counter()
    index.save(options.folder)
    print(f"  remove 100 songs {removed}, save {elapsed(start)}")


def inside(options):
    predictor = Predictor(options.model)
    index = SongIndex(predictor.fingerprint)
    for portion in portions(real_songs(predictor), options.songs):
        index.add(*portion)
    start = time.perf_counter()
    version = export_with_index(predictor, index, K)
    print(f"{len(index)} songs in {version}, written in {elapsed(start)}")
    sizes = [
        sum(path.stat().st_size for path in folder.rglob("*.*")) / 1e6
        for folder in (options.model, version)
    ]
    print(f"  {sizes[0]:.0f} MB without them, {sizes[1]:.0f} MB with them")
    start = time.perf_counter()
    search = Predictor(version)
    print(f"  loaded in {elapsed(start)}")
    asked = pictures(options.queries)
    seconds = []
    for image, caption in asked[:1] + asked:
        start = time.perf_counter()
        search.call(
            "search",
            image=np.array([image], object),
            caption=np.array([caption], object),
        )
        seconds.append(time.perf_counter() - start)
    p50, p99 = np.percentile(1000 * np.array(seconds[1:]), (50, 99))
    print(f"  the first query {seconds[0]:.2f} s, then p50 {p50:.1f}, p99 {p99:.1f} ms")


def query(options):
    predictor = Predictor(options.model)
    asked = pictures(options.queries)
    few = SongIndex(predictor.fingerprint)
    few.add(*next(portions(real_songs(predictor), 500)))
    start = time.perf_counter()
    ask(predictor, few, *asked[0])
    print(f"first query of the process, with 500 songs: {elapsed(start)}")
    before, own_before = memory_megabytes(), own_megabytes()
    start = time.perf_counter()
    index = SongIndex.load(options.folder)
    loaded = time.perf_counter() - start
    after = memory_megabytes()
    print(f"{len(index)} songs, {options.folder}")
    print(f"  load: {loaded:.3f} s; memory {after - before:+.0f} MB")

    start = time.perf_counter()
    ask(predictor, index, *asked[0])
    print(f"  first query, files not read yet: {elapsed(start)}")
    times = np.array([ask(predictor, index, *one)[1] for one in asked])
    print(f"  {len(asked)} queries one by one, K = {K}, milliseconds: p50, p99")
    for name, column in zip(
        ("encode", "search", "re-score", "whole"),
        [*times.T, times.sum(axis=1)],
        strict=True,
    ):
        p50, p99 = np.percentile(1000 * column, (50, 99))
        print(f"    {name:10} {p50:7.1f} {p99:7.1f}")
    print(
        f"  memory since before loading {memory_megabytes() - before:+.0f} MB; own "
        f"memory of the process {own_megabytes() - own_before:+.0f} MB"
    )
    towers = np.concatenate(
        [ask(predictor, index, *one)[0]["query_tower"] for one in asked]
    )
    songs = index.encodings(np.arange(0, len(index), max(1, len(index) // 300)))
    rng = np.random.default_rng(1)
    near = unit(songs["song_tower"] + jitter(rng, songs["song_tower"].shape, 0.5))
    for name, queries in (("pictures", towers), ("songs with noise", near)):
        exact, _ = index.search_rows(queries, K, exact=True)
        start = time.perf_counter()
        for one in queries[:20]:
            index.search_rows(one[None], K, exact=True)
        seconds = (time.perf_counter() - start) / 20
        print(
            f"  recall@{K} of the lists for {len(queries)} {name}; exact takes "
            f"{1000 * seconds:.0f} ms a query"
        )
        for lists_read in (16, 32, 64, 128, 256):
            inverted_lists.LISTS_READ = lists_read
            start = time.perf_counter()
            found = [index.search_rows(one[None], K)[0][0] for one in queries]
            seconds = (time.perf_counter() - start) / len(queries)
            recall = np.mean(
                [len(set(a) & set(b)) / K for a, b in zip(found, exact, strict=True)]
            )
            print(
                f"    {lists_read:4} lists read: {recall:.4f}, {1000 * seconds:.1f} ms"
            )


def ask(predictor, index, image, caption):
    """Answer one query; return its encodings and the seconds of each stage."""
    start = time.perf_counter()
    query = predictor.call(
        "encode_query",
        image=np.array([image], object),
        caption=np.array([caption], object),
    )
    del query["image_ok"]
    encoded = time.perf_counter()
    rows, _ = index.search_rows(query["query_tower"], K)
    searched = time.perf_counter()
    scores = predictor.call("score", **query, **index.encodings(rows[0]))["logit"][0]
    index.ids_of(rows[0][np.argsort(-scores, kind="stable")])
    scored = time.perf_counter()
    return query, (encoded - start, searched - encoded, scored - searched)


def elapsed(start):
    return f"{time.perf_counter() - start:.2f} s"


def memory_megabytes():
    return _status("VmRSS:")


def own_megabytes():
    return _status("RssAnon:")


def _status(field):
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    return float("nan")


if __name__ == "__main__":
    sys.exit(main())
