"""Files that are either whole or not there."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path


def write_all(texts: Mapping[Path | None, str]) -> None:
    """Write every file or none: each is complete beside its place before the first is put there."""
    waiting: list[tuple[Path, Path]] = []
    try:
        for path, text in texts.items():
            if path is not None:
                if path.is_dir():
                    raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
                path.parent.mkdir(parents=True, exist_ok=True)
                beside = path.with_name(f".{path.name}.part")
                waiting.append((beside, path))
                beside.write_text(text, encoding="utf-8")
        for beside, path in waiting:
            beside.replace(path)
    finally:
        for beside, _ in waiting:
            beside.unlink(missing_ok=True)
