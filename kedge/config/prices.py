"""What AWS takes on demand: SageMaker's instances by the hour, other services by the unit. A table with region and date, no bill.

And how long the data bucket keeps what is paid for by the month, and in which tier.
"""

from __future__ import annotations

from collections.abc import Mapping

REGION, DATE = "us-east-1", "2026-11"
# Other regions differ: most are dearer by up to a third, some by more.
SOURCE = f"prices of {REGION}, {DATE}"
# USD for one, without free tiers and discounts. https://aws.amazon.com/<service>/pricing
USD = {
    "CloudWatch metric": 0.30,  # a month, by the hours with a value
    "CloudWatch alarm": 0.10,  # a month
    "CloudWatch write": 0.01 / 1000,  # a PutMetricData
    "CloudWatch read": 0.01 / 1000,  # a metric of a GetMetricData
    "CloudWatch log GB": 0.50,
    "X-Ray trace": 5.00 / 1_000_000,
    "Lambda GB-second": 0.0000133334,  # arm64
    "Lambda request": 0.20 / 1_000_000,
    "S3 write": 0.005 / 1000,  # PUT, COPY, POST and LIST
    "S3 read": 0.0004 / 1000,  # GET and HEAD
    "S3 GB": 0.023,  # a month, Standard, and Intelligent-Tiering's tier for what is read
    "S3 GB infrequent": 0.0125,  # a month, Intelligent-Tiering, as the next three
    "S3 GB instant": 0.004,
    "S3 object watched": 0.0025 / 1000,  # a month
    "S3 object moved": 0.01 / 1000,  # by a lifecycle rule
    "DynamoDB write": 0.625 / 1_000_000,  # on demand, up to 1 KB
    "DynamoDB read": 0.125 / 1_000_000,  # on demand, up to 4 KB, strongly consistent
    "SQS request": 0.40 / 1_000_000,
    "SNS publish": 0.50 / 1_000_000,
    "Scheduler invocation": 1.00 / 1_000_000,
    "KMS key": 1.00,  # a month
    "KMS request": 0.03 / 10_000,
    "Athena TB": 5.00,
    "Step Functions transition": 0.025 / 1000,
}
# What was replaced or deleted can be brought back for so long, and is paid for so long.
PAST_VERSION_DAYS = 30
# S3 Intelligent-Tiering watches an object for a fee. A smaller one costs more to watch than the infrequent tier saves (the fee
# of a month is the saving of 238 KB), and one below 128 KB is never moved to another tier.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/intelligent-tiering-overview.html
TIERED_BYTES_MIN = 256 * 1024
# By then a day is counted, and what is replaced with every run has its last version.
TIERED_AFTER_DAYS = 7
# Without being read for so long an object moves to the infrequent tier, and to the one for archives, which answers at once too.
INFREQUENT_AFTER_DAYS, INSTANT_AFTER_DAYS = 30, 90
# USD an hour of an instance. Discounts, spot, storage and other regions are not in it: a model's YAML may say its own figure.
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


def cost_sentence(instance_seconds: Mapping[str, float], *, usd_an_hour: float | None = None) -> str:
    """Say what a retraining has cost, or why that is not known; nothing where no job was paid for.

    >>> cost_sentence({"ml.m5.xlarge": 1800.0})
    '30 instance minutes of ml.m5.xlarge cost about 0.12 USD (prices of us-east-1, 2026-11)'
    >>> cost_sentence({"ml.x9.large": 60.0})
    '1 instance minutes of ml.x9.large, whose price is not known: retraining.usd_per_instance_hour may say it'
    """
    paid = {kind: seconds for kind, seconds in sorted(instance_seconds.items()) if seconds > 0}
    if not paid:
        return ""
    used = ", ".join(f"{seconds / 60:,.0f} instance minutes of {kind}" for kind, seconds in paid.items())
    costs = [cost_usd(kind, seconds, usd_an_hour=usd_an_hour) for kind, seconds in paid.items()]
    known = [cost for cost in costs if cost is not None]
    if len(known) < len(costs):
        return f"{used}, whose price is not known: retraining.usd_per_instance_hour may say it"
    source = "retraining.usd_per_instance_hour" if usd_an_hour is not None else SOURCE
    return f"{used} cost about {sum(known):.2f} USD ({source})"
