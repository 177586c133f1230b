"""A challenger's staged baseline, its digest, and its place once the challenger is released."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kedge.errors import ChangedSinceGateError
from kedge.profile.encoding import decode_baseline, encode_baseline
from lambdas.adapters.bucket import layout, objects

_INSTALLED = (
    layout.BASELINE,
    layout.REFERENCE,
    layout.SLICES,
    layout.STATISTICS,
    layout.CONSTRAINTS,
    layout.SCHEMA,
)


def digest(files: Mapping[str, bytes]) -> str:
    """One SHA-256 of the names and contents of the files that a release installs; others do not count."""
    lines = [f"{hashlib.sha256(files[name]).hexdigest()} {name}" for name in sorted(_INSTALLED) if name in files]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def install(s3: Any, bucket: str, *, staged: str, sha256: str | None, model: str, package_version: str) -> str:
    """Put a staged baseline where the monitor looks, named after its package version, and return its key.

    Raises
    ------
    ChangedSinceGateError
        The files are not those that the package was registered with.
    """
    read = {name: objects.read(s3, bucket, f"{staged}/{name}") for name in _INSTALLED}
    files = {name: found[0] for name, found in read.items() if found is not None}
    if (found := digest(files)) != sha256:
        place = f"s3://{bucket}/{staged}/"
        raise ChangedSinceGateError(what="baseline", place=place, expected=sha256, found=found)
    # What was compared is written: a copy in S3 would read the files a second time.
    return put(s3, bucket, files, model=model, package_version=package_version)


def put(s3: Any, bucket: str, files: Mapping[str, bytes], *, model: str, package_version: str) -> str:
    """Put the files of a baseline where the monitor looks, named after its package version, and return its key."""
    baseline = decode_baseline(files[layout.BASELINE])
    named = replace(baseline, baseline=package_version, profile=replace(baseline.profile, baseline=package_version))
    for name in (name for name in _INSTALLED if name in files and name != layout.BASELINE):
        s3.put_object(Bucket=bucket, Key=layout.beside_baseline_key(model, package_version, name), Body=files[name])
    key = layout.baseline_key(model, package_version)
    s3.put_object(Bucket=bucket, Key=key, Body=encode_baseline(named), ContentType="application/octet-stream")
    return key
