"""How long the data bucket keeps what was replaced or deleted, and from when on S3 keeps an object in cheaper tiers."""

from __future__ import annotations

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
