"""What an instance of a training or transform job costs an hour on demand: a table with its region and its date, not a bill."""

from __future__ import annotations

REGION, DATE = "us-east-1", "2026-11"
# USD an hour. Discounts, spot, storage and other regions are not in it: a model's YAML may say its own figure.
USD_AN_HOUR = {
    "ml.m4.xlarge": 0.24,
    "ml.m5.large": 0.115,
    "ml.m5.xlarge": 0.23,
    "ml.m5.2xlarge": 0.461,
    "ml.m5.4xlarge": 0.922,
    "ml.m5.12xlarge": 2.765,
    "ml.m5.24xlarge": 5.53,
    "ml.c5.large": 0.102,
    "ml.c5.xlarge": 0.204,
    "ml.c5.2xlarge": 0.408,
    "ml.c5.4xlarge": 0.816,
    "ml.c5.9xlarge": 1.836,
    "ml.c5.18xlarge": 3.672,
    "ml.g4dn.xlarge": 0.736,
    "ml.g4dn.2xlarge": 0.94,
    "ml.g5.xlarge": 1.408,
    "ml.g5.2xlarge": 1.515,
    "ml.p3.2xlarge": 3.825,
    "ml.p3.8xlarge": 14.688,
}


def cost_usd(instance_type: str, instance_seconds: float, *, usd_an_hour: float | None = None) -> float | None:
    """What these seconds of this type cost; None where no price is known.

    >>> cost_usd("ml.m5.xlarge", 7200.0), cost_usd("ml.x9.large", 7200.0), cost_usd("ml.x9.large", 7200.0, usd_an_hour=2.0)
    (0.46, None, 4.0)
    """
    price = USD_AN_HOUR.get(instance_type) if usd_an_hour is None else usd_an_hour
    return None if price is None else price * instance_seconds / 3600
