"""Bundles for the worker processes of the local engine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam import coders
from apache_beam.coders.coder_impl import create_OutputStream
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner.execution import GroupingBuffer, ListBuffer
from apache_beam.transforms.core import Windowing
from apache_beam.transforms.window import GlobalWindows

from pipeline import local_bundles
from pipeline.engine import make_pipeline
from pipeline.local_bundles import cut_into_bundles

WINDOW = GlobalWindows().get_window_coder()
BYTES = coders.WindowedValueCoder(coders.BytesCoder(), WINDOW)
PAIRS = coders.WindowedValueCoder(
    coders.TupleCoder([coders.VarIntCoder(), coders.BytesCoder()]), WINDOW
)
GROUPS = coders.WindowedValueCoder(
    coders.TupleCoder([coders.VarIntCoder(), coders.IterableCoder(coders.BytesCoder())]),
    WINDOW,
)


@pytest.fixture(autouse=True)
def small_bundles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_bundles, "_BUNDLE_BYTES", 1000)


def encoded(coder: coders.Coder, value: Any) -> bytes:
    stream = create_OutputStream()
    coder.get_impl().encode_to_stream(GlobalWindows.windowed_value(value), stream, True)
    return bytes(stream.get())


def listed(*elements: bytes) -> ListBuffer:
    buffer = ListBuffer(BYTES.get_impl())
    for element in elements:
        buffer.append(encoded(BYTES, element))
    return buffer


def grouped(keys: int, values: int, size: int) -> GroupingBuffer:
    buffer = GroupingBuffer(PAIRS, GROUPS, Windowing(GlobalWindows()))
    for value in range(values):
        for key in range(keys):
            buffer.append(encoded(PAIRS, (key, bytes([value]) * size)))
    return buffer


def decoded(coder: coders.Coder, bundle: dict[str, Any], name: str) -> list[Any]:
    return [each.value for each in coder.get_impl().decode_all(b"".join(bundle[name]))]


def test_what_is_small_is_one_bundle_for_each_worker() -> None:
    bundles = cut_into_bundles({"read": listed(*(bytes([at]) for at in range(7)))}, 2)
    assert [decoded(BYTES, bundle, "read") for bundle in bundles] == [
        [b"\0", b"\2", b"\4", b"\6"],
        [b"\1", b"\3", b"\5"],
    ]


def test_what_is_large_is_cut_and_all_of_it_is_there() -> None:
    elements = [bytes([at]) * 300 for at in range(40)]
    bundles = cut_into_bundles({"read": listed(*elements)}, 2)
    sizes = [sum(map(len, bundle["read"])) for bundle in bundles]
    assert max(sizes) <= 1300
    assert len(bundles) >= 12
    given = [element for bundle in bundles for element in decoded(BYTES, bundle, "read")]
    assert sorted(given) == elements


def test_groups_stay_whole() -> None:
    bundles = cut_into_bundles({"read": grouped(keys=20, values=5, size=100)}, 2)
    assert len(bundles) >= 10
    groups = [
        (key, list(values)) for bundle in bundles for key, values in decoded(GROUPS, bundle, "read")
    ]
    assert sorted(groups) == [
        (key, [bytes([value]) * 100 for value in range(5)]) for key in range(20)
    ]


def test_no_input_is_one_bundle_and_each_input_has_its_own() -> None:
    assert cut_into_bundles({"read": listed()}, 3) == [{"read": []}]
    both = cut_into_bundles({"first": listed(b"a"), "second": listed(b"b")}, 2)
    assert [
        (decoded(BYTES, bundle, "first"), decoded(BYTES, bundle, "second")) for bundle in both
    ] == [([b"a"], []), ([], [b"b"])]


def _block(number: int) -> bytes:
    return bytes([number]) * 400


def _note_bundle(folder: str) -> Any:
    class Note(beam.DoFn):
        def start_bundle(self) -> None:
            self.numbers: list[int] = []

        def process(self, group: Any) -> Any:
            _, blocks = group
            self.numbers += [block[0] for block in blocks]
            yield from blocks

        def finish_bundle(self) -> None:
            name = f"{os.getpid()}-{min(self.numbers, default='none')}"
            Path(folder, name).write_text(",".join(map(str, sorted(self.numbers))))

    return Note()


def test_workers_get_bundle_after_bundle_and_nothing_twice(tmp_path: Path) -> None:
    options = PipelineOptions(["--direct_running_mode=multi_processing", "--direct_num_workers=2"])
    pipeline = make_pipeline(options, 0)
    _ = (
        pipeline
        | beam.Create(range(40))
        | beam.Map(lambda number: (number % 10, _block(number)))
        | beam.GroupByKey()
        | beam.ParDo(_note_bundle(str(tmp_path)))
    )
    pipeline.run()
    bundles = [path.read_text().split(",") for path in tmp_path.iterdir()]
    assert sorted(int(number) for bundle in bundles for number in bundle) == list(range(40))
    # Ten groups of 1.6 kB in bundles of about 1 kB, where Beam would make two.
    assert len(bundles) == 10
    assert len({path.name.partition("-")[0] for path in tmp_path.iterdir()}) == 2
