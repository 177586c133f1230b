"""`kedge check` against the drift libraries of the field, whole processes on the same files in the same run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmarks import data
from benchmarks.measure import ROOT, Spent, best, run
from benchmarks.results import Figure, Section
from benchmarks.scale import Scale

# Pinned, so that a ratio does not move by itself; each with what it needs beside itself to read Parquet and to start.
PEERS = {
    "evidently": ("evidently==0.7.21", "pandas==2.3.3", "pyarrow==26.0.1"),
    "nannyml": ("nannyml==0.13.1", "pyarrow==26.0.1", "statsmodels==0.15.0"),
    "alibi_detect": ("alibi-detect==0.13.0", "pyarrow==20.0.0"),
    "whylogs": ("whylogs[viz]==1.6.4", "pandas==2.3.3", "pyarrow==26.0.1"),
}
# What a peer would send home is no part of its work.
SILENCE = {"NML_DISABLE_USAGE_LOGGING": "1", "WHYLOGS_NO_ANALYTICS": "True", "DO_NOT_TRACK": "1"}
# As an installer leaves an environment, and as a container that may not write finds it every time.
NO_BYTE_CODE = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPYCACHEPREFIX": str(ROOT / "build" / "bench" / "no-byte-code")}
BYTE_CODE = (
    "`make install` compiles what `kedge` imports. Of the peers byte-code is written too before they are measured; "
    "without it, as their installers leave them, they take longer."
)
ENVIRONMENTS = ROOT / "build" / "bench"
RATIO_MAX, PEAK_MIB_MAX, WALL_TIMES_MAX = 0.1, 400.0, 1.5
COMMAND = "python -m benchmarks peers"
_READ = "import sys, pyarrow.parquet as pq\nfor path in sys.argv[1:]:\n  for _ in pq.ParquetFile(path).iter_batches(65536): pass"
_UV = Path(sys.executable).with_name("uv")
# Whatever else the machine does only adds: so the best of these runs is compared.
_TIMES = 5
# A peer that takes longer is no yardstick.
_INSTALL_SECONDS = 900


def section(work: Path, scale: Scale) -> Section:
    """Measure Kedge at two sizes and each peer at one."""
    reference = data.write(work / f"reference-{scale.reference_rows}.parquet", rows=scale.reference_rows, seed=1)
    window = data.write(work / f"window-{scale.rows}.parquet", rows=scale.rows, seed=2)
    large = data.write(work / f"window-{scale.large_rows}.parquet", rows=scale.large_rows, seed=3)
    ours = best(check_command(reference, window), times=_TIMES)
    ours_large = run(check_command(reference, large))
    found: dict[str, Spent] = {}
    skipped: list[str] = []
    for peer in PEERS:
        python, reason = environment(peer)
        spent = run(peer_command(python, peer, reference, window), environment=SILENCE) if python else None
        if python is None or spent is None or spent.exit_code:
            skipped.append(f"- {peer} was skipped: {reason or _last_line(spent)}")
        else:
            found[peer] = spent
    figures = _figures(scale, ours, ours_large, found)
    for rows, side in ((scale.rows, window), (scale.large_rows, large)):
        figures += _walls(f"{rows:,} rows", reference, side)
    if found:
        fastest = min(found, key=lambda peer: found[peer].cpu_seconds)
        python, _ = environment(fastest)
        command = peer_command(python, fastest, reference, window)
        # As often as Kedge: a ratio of the best of many runs to a single one would flatter it.
        later = best(command, times=_TIMES, environment=SILENCE)
        bare = best(command, times=_TIMES, environment=SILENCE | NO_BYTE_CODE)
        figures += _ratios(fastest, ours, later, bare)
    return Section("The whole of `kedge check` against its peers", figures, "\n".join([BYTE_CODE, *skipped]))


def check_command(reference: Path, window: Path) -> list[str]:
    """`kedge check` as a person types it."""
    sides = ["--baseline", str(reference), "--window", str(window)]
    return [sys.executable, "-m", "cli", "check", *sides, "--prediction", data.PREDICTION]


def peer_command(python: Path | None, peer: str, reference: Path, window: Path) -> list[str]:
    """A peer's usual report, in its own environment."""
    return [str(python), str(script(peer)), str(reference), str(window)]


def environment(peer: str) -> tuple[Path | None, str]:
    """A peer's own virtual environment, made when it is missing; None, and why, where it cannot be."""
    folder = ENVIRONMENTS / peer
    python = folder / "bin" / "python"
    done = folder / "installed"
    wanted = " ".join(PEERS[peer])
    if done.exists() and done.read_text() == wanted:
        return python, ""
    for arguments in (
        ["venv", "--quiet", "--clear", "--python", "3.11", str(folder)],
        ["pip", "install", "--quiet", "--compile-bytecode", "--python", str(python), *PEERS[peer]],
    ):
        reason = _uv(arguments)
        if reason:
            return None, reason
    done.write_text(wanted)
    return python, ""


def script(peer: str) -> Path:
    """The program that a peer's environment runs."""
    return Path(__file__).parent / "peer_scripts" / f"run_{peer}.py"


def _uv(arguments: list[str]) -> str:
    """Run uv; its last line where it fails."""
    try:
        done = subprocess.run(  # noqa: S603  # uv, from our own environment
            [str(_UV), *arguments],
            capture_output=True,
            text=True,
            timeout=_INSTALL_SECONDS,
            check=False,
            env={**os.environ, "VIRTUAL_ENV": ""},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["uv failed"])[-1]


def _figures(scale: Scale, ours: Spent, ours_large: Spent, found: dict[str, Spent]) -> list[Figure]:
    rows, large = f"{scale.rows:,} rows", f"{scale.large_rows:,} rows"
    figures = [
        Figure(f"kedge check, {rows}", ours.cpu_seconds, "CPU s", COMMAND),
        Figure(f"kedge check, {rows}, peak memory", ours.peak_mib, "MiB", COMMAND, PEAK_MIB_MAX),
        Figure(f"kedge check, {large}", ours_large.cpu_seconds, "CPU s", COMMAND),
        Figure(f"kedge check, {large}, peak memory", ours_large.peak_mib, "MiB", COMMAND, PEAK_MIB_MAX),
    ]
    for peer, spent in found.items():
        figures.append(Figure(f"{peer}, {rows}", spent.cpu_seconds, "CPU s", COMMAND))
        figures.append(Figure(f"{peer}, {rows}, peak memory", spent.peak_mib, "MiB", COMMAND))
    return figures


def _walls(rows: str, reference: Path, window: Path) -> list[Figure]:
    """How long a person waits for the whole command, against Arrow's own reading of the same files with all cores."""
    reading = _shortest([sys.executable, "-c", _READ, str(reference), str(window)])
    ours = _shortest(check_command(reference, window))
    return [
        Figure(f"pyarrow reads both files with all cores, {rows}", reading, "s", COMMAND),
        Figure(f"kedge check, {rows}, from start to end", ours, "s", COMMAND),
        Figure(
            f"kedge check, {rows}, against reading with all cores", ours / reading, "times", COMMAND, WALL_TIMES_MAX
        ),
    ]


def _shortest(command: list[str]) -> float:
    return min(run(command).wall_seconds for _ in range(_TIMES))


def _ratios(peer: str, ours: Spent, later: Spent, bare: Spent) -> list[Figure]:
    """Kedge against the fastest peer, which has or has not its byte-code."""
    return [
        Figure(f"{peer}, the fastest, best of {_TIMES} runs", later.cpu_seconds, "CPU s", COMMAND),
        Figure(f"the same without byte-code, best of {_TIMES}", bare.cpu_seconds, "CPU s", COMMAND),
        Figure(
            f"kedge check against {peer} as its installer leaves it",
            ours.cpu_seconds / bare.cpu_seconds,
            "times its CPU",
            COMMAND,
            RATIO_MAX,
        ),
        Figure(
            f"kedge check against {peer} with byte-code",
            ours.cpu_seconds / later.cpu_seconds,
            "times its CPU",
            COMMAND,
            RATIO_MAX,
        ),
    ]


def _last_line(spent: Spent | None) -> str:
    return (spent.output.strip().splitlines() or ["it failed"])[-1] if spent else "it failed"
