"""A counting command imports what it needs and no more, and sorts as fast as its processor can."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.commands import PLACES, commands
from cli.lean_start import prefer_what_is_fast

ROOT = Path(__file__).parents[2]
ZEN_4 = "vendor_id : AuthenticAMD\ncpu family : 25\nflags : fpu avx512f avx512_vbmi2 avx512_bitalg\n\nprocessor : 1\n"


def run(program, **environment):
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environment},
    )
    return json.loads(done.stdout)


def test_counting_needs_neither_pandas_nor_numpys_compilers_nor_a_template_engine():
    program = (
        "import json, sys\nfrom cli.lean_start import import_lean\nimport_lean()\n"
        "from cli.commands import commands\ncommands('check')\n"
        "import cli.check.question, cli.check.judge, cli.check.table, pyarrow as pa\npa.array(['a'])\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    unwanted = {"pandas", "numpy.f2py", "numpy.testing", "jinja2", "boto3", "rich.console", "scipy.stats", "yaml"}
    unwanted |= {"cli.backtest.command", "urllib.request", "kedge.capture.records", "pyarrow.csv"}
    assert unwanted & set(run(program)) == set()


def test_a_command_brings_those_alone_that_begin_with_its_word_and_any_other_word_brings_all():
    assert [one.name for one in commands("check").registered_commands] == ["check"]
    assert [one.name for one in commands("models").registered_groups] == ["models"]
    every = [one.name for one in (*commands("chek").registered_commands, *commands("chek").registered_groups)]
    assert every == list(dict.fromkeys(name.split()[0] for name in PLACES))


def test_what_was_left_out_can_still_be_imported():
    program = (
        "import json\nfrom cli.lean_start import import_lean\nimport_lean()\nimport numpy as np, pandas, scipy.special\n"
        "print(json.dumps([np.testing.__name__, np.random.default_rng(0).integers(1), float(scipy.special.ndtr(0)),"
        " len(pandas.DataFrame({'x': [1]}))], default=int))"
    )
    assert run(program) == ["numpy.testing", 0, 0.5, 1]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (ZEN_4, "X86_V4 AVX512_ICL"), (ZEN_4.replace("25", "26"), None), (ZEN_4.replace("AuthenticAMD", "GenuineIntel"), None),
        (ZEN_4.replace(" avx512f", ""), None), ("", None),
    ],
)  # fmt: skip
def test_only_a_processor_with_slow_compressed_stores_sorts_without_them(tmp_path, monkeypatch, facts, expected):
    monkeypatch.delenv("NPY_DISABLE_CPU_FEATURES", raising=False)
    (tmp_path / "cpuinfo").write_text(facts)
    prefer_what_is_fast(tmp_path / "cpuinfo")
    found = os.environ.get("NPY_DISABLE_CPU_FEATURES")
    monkeypatch.delenv("NPY_DISABLE_CPU_FEATURES", raising=False)
    assert found == expected


def test_a_switch_that_the_person_has_set_stays(tmp_path, monkeypatch):
    monkeypatch.setenv("NPY_DISABLE_CPU_FEATURES", "AVX512_SPR")
    (tmp_path / "cpuinfo").write_text(ZEN_4)
    prefer_what_is_fast(tmp_path / "cpuinfo")
    assert os.environ["NPY_DISABLE_CPU_FEATURES"] == "AVX512_SPR"


def test_numpy_takes_the_switch_without_a_warning():
    program = (
        "import json, warnings\nwarnings.simplefilter('error')\nfrom cli.lean_start import prefer_what_is_fast\n"
        "prefer_what_is_fast()\nimport numpy as np\nprint(json.dumps(np.sort(np.array([3.0, 1.0, 2.0])).tolist()))"
    )
    assert run(program) == [1.0, 2.0, 3.0]
