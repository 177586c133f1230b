"""Where the records of a package lie: an adopted model's where its owner put them, a released package's and a log in the data bucket."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from kedge.config.model import ModelConfig
from kedge.config.policies import challenger_variant

# How the version of what was adopted begins. The registry's versions are numbers.
_ADOPTED = "adopted-"
_MINUTE = "%Y%m%d-%H%M"


@dataclass(frozen=True)
class CapturePlace:
    """A bucket and a prefix without a slash at its end; `foreign` says that the bucket is not Kedge's own."""

    bucket: str
    prefix: str
    foreign: bool = False

    @property
    def uri(self) -> str:
        """The destination as an endpoint's DataCaptureConfig says it."""
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    def of(self, below: str) -> str:
        """The prefix of what stands below, such as a fleet, or a day."""
        return f"{self.prefix}/{below}" if self.prefix else below


def adopted_version(now: datetime) -> str:
    """Name what serves when an endpoint is adopted: a new adoption is a new version, with a baseline of its own.

    >>> adopted_version(datetime(2026, 3, 1, 12))
    'adopted-20260301-1200'
    """
    return f"{_ADOPTED}{now.strftime(_MINUTE)}"


def is_adopted(package_version: str) -> bool:
    """Whether a version was adopted, and not released by Kedge.

    >>> is_adopted("adopted-20260301-1200"), is_adopted("3")
    (True, False)
    """
    return package_version.startswith(_ADOPTED)


def adopted_at(package_version: str) -> datetime | None:
    """When a version was adopted, to the minute; None for a released one.

    >>> adopted_at("adopted-20260301-1200"), adopted_at("3")
    (datetime.datetime(2026, 3, 1, 12, 0, tzinfo=datetime.timezone.utc), None)
    """
    if not is_adopted(package_version):
        return None
    return datetime.strptime(package_version.removeprefix(_ADOPTED), _MINUTE).replace(tzinfo=UTC)


def version_label(package_version: str) -> str:
    """A version as a table or a chart names it.

    >>> version_label("adopted-20260301-1200"), version_label("3")
    ('adopted 2026-03-01', 'v3')
    """
    adopted = adopted_at(package_version)
    return f"v{package_version}" if adopted is None else f"adopted {adopted:%Y-%m-%d}"


def package_words(package_version: str) -> str:
    """A version as a sentence names it.

    >>> package_words("adopted-20260301-1200"), package_words("3")
    ('the version adopted on 2026-03-01', 'package version 3')
    """
    adopted = adopted_at(package_version)
    if adopted is None:
        return f"package version {package_version}"
    return f"the version adopted on {adopted:%Y-%m-%d}"


def registry_number(package_version: str) -> int:
    """The version's number in the registry; 0 for what was adopted, because every package is newer than that.

    >>> registry_number("adopted-20260301-1200"), registry_number("3")
    (0, 3)
    """
    return 0 if is_adopted(package_version) else int(package_version)


def capture_prefix(model: str, package_version: str) -> str:
    """Say where a package's captured requests are written, so that two fleets' captures never mix."""
    return f"capture/{model}/{package_version}"


def tried_prefix(config: ModelConfig, package_version: str, *, champion_version: str) -> str:
    """Say where a version's requests are captured that answers beside a champion: an endpoint config has one place for all variants.

    >>> from kedge.config.sections import Endpoint, Feature
    >>> config = ModelConfig(model="m", endpoint=Endpoint(name="e"), features=(Feature(name="x", kind="numeric"),))
    >>> tried_prefix(config, "3", champion_version="2")
    'capture/m/2/e/kedge-challenger-v3'
    """
    place = capture_prefix(config.model, champion_version)
    return f"{place}/{config.endpoint.name}/{challenger_variant(package_version)}"


def log_prefix(model: str) -> str:
    """Where the team that serves a model writes its records; Firehose writes there too."""
    return f"logs/{model}"


def capture_place(config: ModelConfig, package_version: str, *, data_bucket: str) -> CapturePlace:
    """Say where a package's requests are captured.

    >>> from kedge.config.sections import Capture, Endpoint, Feature
    >>> there = Capture(uri="s3://theirs/logs/", sampling_percentage=20)
    >>> features = (Feature(name="x", kind="numeric"),)
    >>> config = ModelConfig(model="m", endpoint=Endpoint(name="e"), features=features, capture=there)
    >>> place = capture_place(config, "adopted-20260301-1200", data_bucket="ours")
    >>> place.uri, place.foreign
    ('s3://theirs/logs', True)
    >>> capture_place(config, "3", data_bucket="ours").uri
    's3://ours/capture/m/3'
    """
    if is_adopted(package_version) and config.capture.uri is not None:
        bucket, prefix = split_uri(config.capture.uri)
        return CapturePlace(bucket, prefix, foreign=bucket != data_bucket)
    if config.source == "log":
        return CapturePlace(data_bucket, log_prefix(config.model))
    return CapturePlace(data_bucket, capture_prefix(config.model, package_version))


def sampled_percentage(config: ModelConfig, package_version: str) -> int:
    """Say which share of a package's requests is captured: what Kedge released captures all."""
    return config.capture.sampling_percentage if is_adopted(package_version) else 100


def split_uri(uri: str) -> tuple[str, str]:
    """Bucket and prefix of an S3 URI, the prefix without a slash at its end.

    >>> split_uri("s3://theirs/logs/"), split_uri("s3://theirs")
    (('theirs', 'logs'), ('theirs', ''))
    """
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    return bucket, prefix.strip("/")
