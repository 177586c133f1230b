import io
import json
import tracemalloc
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from kedge.columns.casting import Column
from kedge.errors import EncodingError
from kedge.profile.counting import count_rows, count_rows_by_hour
from kedge.profile.encoding import (
    decode_baseline,
    decode_profile,
    decode_profiles,
    encode,
    encode_baseline,
    encode_profile,
    encode_profiles,
)
from kedge.profile.freezing import Fineness, freeze_baseline
from kedge.profile.packed_profiles import rows_of
from kedge.stored import PACKED
from tests.builders import make_baseline, make_config, make_window

BASELINE = make_baseline(make_config())


def test_a_baseline_comes_back_as_it_was():
    decoded = decode_baseline(encode_baseline(BASELINE))
    assert decoded.columns == BASELINE.columns
    assert decoded.profile == BASELINE.profile
    for name, bins in BASELINE.bins.items():
        assert (decoded.bins[name].edges == bins.edges).all()
        assert decoded.bins[name].levels == bins.levels
    assert count_rows(decoded, make_window(seed=1)) == count_rows(BASELINE, make_window(seed=1))


def test_every_kind_of_column_and_what_is_known_of_it_comes_back():
    kinds = ("numeric", "categorical", "boolean", "timestamp")
    columns = tuple(Column(kind, "feature", kind, "float64") for kind in kinds)
    rows = pa.table(
        {
            "numeric": [1.0, 2.5, None],
            "categorical": ["a", "a", "rare"],
            "boolean": [True, None, False],
            "timestamp": ["2016-01-01", "", "2015-12-01T06:00:00Z"],
        }
    )
    frozen = freeze_baseline("m", "1", columns, rows, rows.slice(0, 0), fineness=Fineness(maximum_levels=1))
    frozen = replace(frozen, importance={"numeric": 0.7}, design_effects={"timestamp": 3.5})
    decoded = decode_baseline(encode_baseline(frozen))
    assert (decoded.columns, decoded.profile) == (columns, frozen.profile)
    assert (decoded.importance, decoded.design_effects) == ({"numeric": 0.7}, {"timestamp": 3.5})
    assert decoded.bins["categorical"].rare.tolist() == frozen.bins["categorical"].rare.tolist()
    assert len(decoded.bins["categorical"].rare) == 1
    assert count_rows(decoded, rows) == count_rows(frozen, rows) == frozen.profile
    assert decode_profile(encode_profile(decoded.profile)) == frozen.profile


def test_a_profile_comes_back_as_it_was():
    profile = count_rows(BASELINE, make_window())
    assert decode_profile(encode_profile(profile)) == profile


def test_the_same_content_gives_the_same_bytes():
    assert encode_baseline(make_baseline(make_config())) == encode_baseline(BASELINE)


def test_an_hour_of_five_rows_is_small():
    profile = count_rows(BASELINE, make_window(rows=5))
    assert len(encode_profile(profile)) < 1500


def test_hours_come_back_by_their_number():
    hours = count_rows_by_hour(BASELINE, make_window(rows=50), np.arange(50) % 7 + 10)
    assert decode_profiles("day", encode_profiles("day", {}, hours))[1] == hours


def test_no_profiles_at_all_are_a_file_too():
    assert decode_profiles("day", encode_profiles("day", {}, {}))[1] == {}


@pytest.mark.parametrize("version", [1, 4])
def test_a_file_of_another_version_is_refused_by_name(monkeypatch, version):
    with monkeypatch.context() as patch:
        for kind in ("baseline", "profile"):
            patch.setitem(PACKED, kind, replace(PACKED[kind], version=version))
        old = encode_baseline(BASELINE), encode_profile(BASELINE.profile)
    for decoder, data in zip((decode_baseline, decode_profile), old, strict=True):
        with pytest.raises(
            EncodingError, match=rf"of version {version}, not a \w+ of version 2( to 3)?: .* must be rebuilt"
        ):
            decoder(data)


@pytest.mark.parametrize(
    "data", [b"", b"not a zip", encode_profile(BASELINE.empty()), encode("baseline", {"version": 999}, [])]
)
def test_what_is_no_baseline_of_this_version_is_refused(data):
    with pytest.raises(EncodingError, match="baseline"):
        decode_baseline(data)


def test_a_file_cut_short_is_refused():
    with pytest.raises(EncodingError):
        decode_baseline(encode_baseline(BASELINE)[:-40])
    with pytest.raises(EncodingError):
        decode_baseline(encode_baseline(BASELINE)[:200])


def of_version_2(profiles, width):
    """Profiles as version 2 wrote them: all in one array."""
    used = {key: np.flatnonzero(counts) for key, counts in profiles.items()}
    header = {
        "kind": "profile",
        "version": 2,
        "keys": [*profiles],
        "rows": [int(counts.sum()) for counts in profiles.values()],
        "sizes": [len(cells) for cells in used.values()],
        "baseline": "1",
        "width": width,
    }
    sink = io.BytesIO()
    np.savez_compressed(
        sink,
        header=np.frombuffer(json.dumps(header).encode(), np.uint8),
        cells=np.concatenate([*used.values()]).astype(np.uint32),
        counts=np.concatenate([profiles[key][cells] for key, cells in used.items()]),
    )
    return sink.getvalue()


def test_profiles_that_version_2_wrote_side_by_side_are_unpacked_one_at_a_time():
    width = 200_000
    written = {hour: np.zeros(width, np.int64) for hour in range(24)}
    for hour, counts in written.items():
        counts[hour::50_000] = hour + 1
    content = of_version_2(written, width)
    tracemalloc.start()
    try:
        _, profiles, _ = decode_profiles("profile", content)
        assert rows_of(profiles) == {hour: int(counts.sum()) for hour, counts in written.items()}
        for hour in profiles:
            np.testing.assert_array_equal(profiles[hour].counts, written[hour])
        assert tracemalloc.get_traced_memory()[1] < 5 * written[0].nbytes
    finally:
        tracemalloc.stop()
