"""Whether posts are still those that a folder of results was begun with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from keras_jtav.data.post import Post
from keras_jtav.data.record_folder import post_to_json
from keras_jtav.data.whole_file import write_text
from keras_jtav.devices import Processes

POSTS_FILE = "posts.json"

Posts = Mapping[str, Sequence[Post]]


def split_hash(posts: Posts) -> str:
    """Return a name of a split: equal names, equal posts.

    Args:
        posts: By split.
    """
    ids = {name: sorted(post.id for post in split) for name, split in posts.items()}
    return hashlib.sha256(json.dumps(ids).encode()).hexdigest()[:12]


def keep_to_posts(
    folder: Path, posts: Posts, processes: Processes | None = None
) -> None:
    """Write down with which posts a folder begins; refuse others ever after.

    What a network learned of posts must not be judged on them once they have come to
    another part of the split. Labels and texts count too: the numbers of words follow
    from the texts. A folder of an earlier version that lacks the file gets it now.

    Args:
        folder: Of a run or a table.
        posts: By split.
        processes: Those that train together; the first one has the folder.

    Raises:
        ValueError: Other posts, or another split of them.
    """
    processes = processes or Processes()
    path, now = folder / POSTS_FILE, _described(posts)
    is_begun = path.exists()
    begun = json.loads(path.read_text(encoding="utf-8")) if is_begun else now
    begun = processes.agree(begun)
    if begun != now:
        raise ValueError(
            f"{folder} was begun with other posts: {_difference(begun, now)}. Put them "
            "back as they were, give another --runs-dir, or delete that folder."
        )
    if processes.is_first and not is_begun:
        folder.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(now))


def _described(posts: Posts) -> dict:
    content = hashlib.sha256()
    for name, split in posts.items():
        for post in sorted(split, key=lambda post: post.id):
            row = [name, post_to_json(post, {}), post.missing]
            content.update(json.dumps(row, sort_keys=True).encode())
    return {
        "sizes": {name: len(split) for name, split in posts.items()},
        "split": split_hash(posts),
        "content": content.hexdigest()[:12],
    }


def _difference(begun: Mapping, now: Mapping) -> str:
    if begun["split"] == now["split"]:
        return "they have other labels, texts, songs or groups now"
    sizes = [
        ", ".join(f"{name} {number}" for name, number in described["sizes"].items())
        for described in (begun, now)
    ]
    return (
        f"there were {sizes[0]} (split {begun['split']}), and there are {sizes[1]} "
        f"(split {now['split']})"
    )
