"""Reads the files of ``write_all.py`` by the package's own ways, and tells what came.

In a process of its own, so that a crash or a hang of a decoder is one of this script,
and its peak of memory can be told. Takes the folder and a SavedModel of sentiment. What
it found is JSON in ``found.json`` of the folder.
"""

import json
import os
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from pictures import saved
from PIL import Image
from recordings import written

from keras_jtav.data.check import check_table
from keras_jtav.data.manifest import read_manifest, write_manifest
from keras_jtav.data.media import MediaStore
from keras_jtav.data.outside import is_inside
from keras_jtav.data.post import Post
from keras_jtav.data.tables import read_table
from keras_jtav.experiments import preset_config
from keras_jtav.features.preprocessor import Preprocessor
from keras_jtav.features.vocabulary import Vocabulary
from keras_jtav.options import DataOptions, FeatureOptions
from keras_jtav.preparation import prepare, silent

LENIENT = DataOptions(max_rejected=1.0)
SMALL = FeatureOptions(
    words=4, spectrogram="mel", clip_seconds=1.0, hop_samples=512, bins=8, image_size=16
)
BATCH = 16


class Findings:
    """Counts cases, and keeps what should not have happened.

    Args:
        log: File that names the case at hand, for whoever finds the process dead.
    """

    def __init__(self, log):
        self.counts = Counter()
        self.faults = []
        self.slowest = []  # seconds and cases that took more than one
        self.grown = []  # by how many MB the peak rose, and at what
        self._log = log

    def fault(self, case, what):
        self.faults.append(f"{case}: {what}")

    def timed(self, cases):
        """Yield the cases, and note what each one took."""
        for case in cases:
            name = str(case)[:200]
            self._log.write_text(name)
            start, before = time.monotonic(), peak_bytes()
            yield case
            seconds, grown = time.monotonic() - start, (peak_bytes() - before) / 1e6
            if seconds > 1:
                self.slowest.append((round(seconds, 1), name))
            if grown > 50:
                self.grown.append((round(grown), name))


def peak_bytes():
    """Return this program's peak of memory (`ru_maxrss` counts its parent's, too)."""
    status = Path("/proc/self/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def media_posts(folder):
    """Return a post for each of the media, and their table."""
    posts = []
    for modality in ("image", "audio"):
        for number, path in enumerate(sorted((folder / modality).iterdir())):
            texts, media = {"caption": "la"}, {modality: path}
            posts.append(Post(f"{modality}-{number}", texts, label=number % 2, **media))
    write_manifest(posts, folder / "posts.csv")
    return read_manifest(folder / "posts.csv").posts, folder / "posts.csv"


def medium(post):
    """Return the one modality of a post, and its file."""
    return next((m, getattr(post, m)) for m in ("image", "audio") if getattr(post, m))


def read_media(posts, table, findings):
    """Read by ``check`` and by training: both use a file, or both name it."""
    report = check_table(table, "sentiment", LENIENT, progress=findings.timed)
    unreadable = [f for f in report.findings if f.kind.startswith("unreadable")]
    named = {Path(finding.file): finding.message for finding in unreadable}
    words = Vocabulary(["la"], np.zeros((3, 2), "float32"))
    modalities = ("text", "audio", "image")
    cache = table.parent / "cache"
    store = MediaStore(Preprocessor(SMALL, words), SMALL, LENIENT, cache, modalities)
    rejected = {Path(r.file): str(r) for r in store.prepare(posts, silent)}
    for post in posts:
        modality, path = medium(post)
        if (path in named) != (path in rejected):
            findings.fault(path.name, f"{named.get(path)} but {rejected.get(path)}")
        findings.counts["rejected" if path in rejected else "used"] += 1
        if path in rejected:
            if rejected[path].count(path.name) != 1:
                findings.fault(path.name, f"not named once in {rejected[path]!r}")
            continue
        read = {"image": store.image, "audio": store.spectrogram}[modality]
        features = read(path)
        if not np.isfinite(features).all() or not features.size:
            findings.fault(path.name, f"gave features {features.shape}, not finite")


def serve_media(model, posts, findings):
    """Feed the bytes to the exported model: a good row in each batch stays as it is."""
    endpoint = tf.saved_model.load(model).signatures["serving_default"]
    noise = np.random.default_rng(1).normal(0, 0.1, 22_050).astype("float32")
    picture = saved(Image.linear_gradient("L").convert("RGB"), "PNG")
    good = {"image": picture, "audio": written(noise, 22_050, "WAV-PCM_16")}

    def answer(rows):
        names = ("image", "audio", "lyrics", "caption")
        columns = {n: tf.constant([row.get(n, b"") for row in rows]) for n in names}
        return {name: array.numpy() for name, array in endpoint(**columns).items()}

    alone = answer([good])["logit"][0]
    starts = range(0, len(posts), BATCH - 1)
    for batch in findings.timed([posts[start:][: BATCH - 1] for start in starts]):
        rows = [{m: path.read_bytes()} for m, path in map(medium, batch)]
        found = answer([good, *rows])
        if not np.isclose(found["logit"][0], alone, atol=1e-4):
            findings.fault(batch[0].id, "disturbed a good row of its batch")
        if not all(np.isfinite(found[n]).all() for n in ("logit", "probability")):
            findings.fault(batch[0].id, "answers that are no numbers, in its batch")
        for row, post in enumerate(batch, 1):
            ok = found[f"{medium(post)[0]}_ok"][row]
            findings.counts["served" if ok else "flagged"] += 1
    return answer


def read_tables(paths, answer, findings):
    """Read tables by ``check``, as training does, and serve their texts."""
    posts = {}
    for path in findings.timed(paths):
        findings.counts["tables"] += 1
        try:
            check_table(path, data=LENIENT).render().encode()
            for post in read_one(path, findings):
                posts.setdefault(str(post.texts), post)
        except Exception:
            findings.fault(path.name, traceback.format_exc(limit=-2))
    learn(list(posts.values()), paths[0].parent, findings)
    for start in range(0, len(posts), BATCH):
        batch = list(posts.values())[start : start + BATCH]
        rows = [{n: t.encode() for n, t in post.texts.items()} for post in batch]
        if not np.isfinite(answer(rows)["logit"]).all():
            findings.fault(batch[0].texts, "texts whose answer is no number")


def read_one(path, findings):
    """Return the posts of a table, and look at how it was taken."""
    try:
        table = read_manifest(path)
    except (ValueError, FileNotFoundError) as error:
        findings.counts["tables rejected"] += 1
        if path.name not in str(error):
            findings.fault(path.name, f"is not named by {error}")
        return []
    findings.counts["tables used"] += 1
    if len(table.posts) + len(table.rejections) != len(read_table(path)[1]):
        findings.fault(path.name, "lost a row")
    for rejection in table.rejections:
        findings.counts["rows rejected"] += 1
        if not rejection.reason or not rejection.row.startswith("row "):
            findings.fault(path.name, f"a row without a reason: {rejection}")
    for post in table.posts:
        findings.counts["rows used"] += 1
        files = [file for file in (post.image, post.audio) if file]
        if not all(is_inside(file, path.parent) for file in files):
            findings.fault(path.name, f"reads {files}")
    return table.posts[:20]


def learn(posts, folder, findings):
    """Prepare absurd texts as training does: words, vectors, splits."""
    rows = [
        Post(f"t{n}", post.texts, label=n % 2, image=folder / "a.png")
        for n, post in enumerate(posts)
        if post.texts
    ]
    write_manifest(rows, folder / "posts.csv")
    settings = ["dataset=manifest", f"dataset.path={folder / 'posts.csv'}"]
    settings += ["features.embedding_dim=8", "features.image_size=16"]
    prepared = prepare(preset_config("sentiment", "small").override(settings), silent)
    kept = sum(map(len, prepared.posts.values()))
    findings.counts["texts learned"] = kept
    if kept != len(rows) or not np.isfinite(prepared.vocabulary.matrix).all():
        findings.fault("texts", f"{kept} of {len(rows)} kept")


def main(folder, model):
    folder = Path(folder)
    findings = Findings(folder / "at-hand")
    posts, table = media_posts(folder)
    findings.counts["media"] = len(posts)
    read_media(posts, table, findings)
    answer = serve_media(model, posts, findings)
    paths = sorted((folder / "tables").glob("[0-9][0-9][0-9][0-9]-*"))
    read_tables(paths, answer, findings)
    found = {name: vars(findings)[name] for name in ("counts", "faults", "grown")}
    found |= {"peak_bytes": peak_bytes(), "slowest": findings.slowest}
    (folder / "found.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
