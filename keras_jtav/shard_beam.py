"""Shards made by Apache Beam: records one by one on any worker, then shard by shard.

The function of a record and the one that writes a shard are those of the pool of
processes, and so the files are the same byte for byte. Every worker must have this
package, and reach the media and the folder of the shards by the same paths.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from keras_jtav.data.post import Post
from keras_jtav.sharding import MadeRecord, RecordMaker, Shard, write_shard

RUNNERS = {
    "spark": "SparkRunner",
    "flink": "FlinkRunner",
    "dataflow": "DataflowRunner",
}

Placed = tuple[str, tuple[int, Post]]  # name of a shard, place in it, post


def make_shards(
    shards: Sequence[Shard], runner: str, options: Sequence[str], workers: int
) -> None:
    """Make shards in one pipeline, and wait for its end.

    Args:
        shards: What to make.
        runner: ``direct``, which is this machine, or a key of ``RUNNERS``.
        options: Options of Beam and of its runner, as on a command line.
        workers: Processes of ``direct``.
    """
    # By its class, as the name "DirectRunner" may stand for one that is downloaded.
    chosen = FnApiRunner() if runner == "direct" else RUNNERS[runner]
    if runner == "direct":
        mode = "multi_processing" if workers > 1 else "in_memory"
        own = [f"--direct_num_workers={workers}", f"--direct_running_mode={mode}"]
        options = [*own, *options]
    posts = [
        (shard.name, (place, post))
        for shard in shards
        for place, post in enumerate(shard.posts)
    ]
    keys = {shard.name: shard.key for shard in shards}
    first = shards[0]
    with beam.Pipeline(chosen, PipelineOptions(list(options))) as pipeline:
        (
            pipeline
            | "posts" >> beam.Create(posts)
            | "records" >> beam.ParDo(_MakeRecords(first.maker))
            | "by shard" >> beam.GroupByKey()
            | "shards" >> beam.ParDo(_WriteShard(first.folder, keys))
        )


class _MakeRecords(beam.DoFn):
    def __init__(self, maker: RecordMaker) -> None:
        super().__init__()
        self._maker = maker

    def process(self, element: Placed) -> Iterator[tuple[str, tuple[int, MadeRecord]]]:
        shard, (place, post) = element
        yield shard, (place, self._maker(post))


class _WriteShard(beam.DoFn):
    def __init__(self, folder: str, keys: dict[str, str]) -> None:
        super().__init__()
        self._folder = folder
        self._keys = keys

    def process(
        self, element: tuple[str, Iterable[tuple[int, MadeRecord]]]
    ) -> Iterator[str]:
        shard, placed = element
        made = [record for _, record in sorted(placed, key=lambda pair: pair[0])]
        write_shard(self._folder, shard, self._keys[shard], made)
        yield shard
