"""Rows of one id are found whatever batches they come in, and ids of one hash are told apart."""

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kedge.capture import id_hashes
from kedge.capture.id_hashes import WaitingIds, hash_ids

IDS = st.lists(st.text("abc", min_size=1, max_size=2), max_size=8)


@pytest.mark.parametrize("one_hash", [False, True])
@given(batches=st.lists(IDS, min_size=1, max_size=4), parts=st.lists(st.sets(st.text("abc", max_size=2)), max_size=3))
def test_the_first_row_of_each_id_that_no_part_holds_is_new(one_hash, batches, parts):
    with pytest.MonkeyPatch.context() as patch:
        if one_hash:
            patch.setattr(id_hashes, "blake2b", lambda *_, **__: SimpleNamespace(digest=lambda: b"the same"))
        arrays = [pa.array(ids, pa.string()) for ids in batches]
        waiting = WaitingIds([hash_ids(ids) for ids in arrays])
        for part in parts:
            texts = pa.array(sorted(part), pa.string())
            waiting.meet(np.sort(hash_ids(texts)), lambda texts=texts: texts)
        found = [waiting.new(ids, hash_ids(ids)).tolist() for ids in arrays]
    seen, expected = set().union(*parts), []
    for ids in batches:
        expected.append([id_ not in seen and not seen.add(id_) for id_ in ids])
    assert found == expected


def test_a_part_whose_hashes_meet_none_is_not_read():
    ids = pa.array(["a", "b"])
    waiting = WaitingIds([hash_ids(ids)])
    asked = []
    waiting.meet(np.sort(hash_ids(pa.array(["c"]))), lambda: asked.append(1))
    assert (asked, waiting.new(ids, hash_ids(ids)).tolist()) == ([], [True, True])
