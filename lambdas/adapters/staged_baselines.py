"""A challenger's staged baseline, and its place once the challenger is champion."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kedge.profile_encoding import decode_baseline, encode_baseline
from lambdas.adapters import objects, package_schemas

_BESIDE = ("reference.json", "slices.npz", "statistics.json", "constraints.json")


def install(s3: Any, bucket: str, *, staged: str, model: str, package_version: str) -> str:
    """Copy a staged baseline to where the monitor looks, named after its package version; return its key."""
    content = s3.get_object(Bucket=bucket, Key=f"{staged}/baseline.npz")["Body"].read()
    baseline = decode_baseline(content)
    named = replace(baseline, baseline=package_version, profile=replace(baseline.profile, baseline=package_version))
    for name in _BESIDE:
        source = {"Bucket": bucket, "Key": f"{staged}/{name}"}
        s3.copy_object(Bucket=bucket, Key=f"baselines/{model}/{package_version}/{name}", CopySource=source)
    if (schema := objects.read(s3, bucket, f"{staged}/{package_schemas.NAME}")) is not None:
        s3.put_object(Bucket=bucket, Key=f"baselines/{model}/{package_version}/{package_schemas.NAME}", Body=schema[0])
    key = f"baselines/{model}/{package_version}.npz"
    s3.put_object(Bucket=bucket, Key=key, Body=encode_baseline(named), ContentType="application/octet-stream")
    return key
