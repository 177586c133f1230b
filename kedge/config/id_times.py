"""Ids that begin with the time of their request: the format that a model's YAML gives, as a pattern."""

from __future__ import annotations

import re

# Digits of each part; what has no fixed width cannot be cut out of an id.
_DIGITS = {"%Y": 4, "%m": 2, "%d": 2, "%H": 2, "%M": 2, "%S": 2, "%f": 6}
_DATE = ("%Y", "%m", "%d")


def id_time_pattern(time_format: str) -> str:
    r"""The regular expression of an id's beginning, with the groups `year`, `month` and `day`.

    Parameters
    ----------
    time_format : str
        As `strptime` takes it, of parts of fixed width: %Y, %m and %d, perhaps %H, %M, %S and %f; UTC.

    Raises
    ------
    ValueError
        Saying what is wrong with the format.

    >>> id_time_pattern("bk-%Y%m%d%H")
    '^bk\\-(?P<year>[0-9]{4})(?P<month>[0-9]{2})(?P<day>[0-9]{2})[0-9]{2}'
    """
    parts = re.findall(r"%.?|[^%]+", time_format)
    said = [part for part in parts if part.startswith("%")]
    strange = [part for part in said if part not in _DIGITS]
    if strange:
        raise ValueError(f"{strange[0]} has no fixed width; {', '.join(_DIGITS)} have")
    absent = [part for part in _DATE if part not in said]
    if absent:
        raise ValueError(f"a full date is needed, and it lacks {', '.join(absent)}")
    doubled = [part for part in said if said.count(part) > 1]
    if doubled:
        raise ValueError(f"{doubled[0]} is in it twice")
    return "^" + "".join(_piece(part) for part in parts)


def _piece(part: str) -> str:
    if part not in _DIGITS:
        return re.escape(part)
    digits = f"[0-9]{{{_DIGITS[part]}}}"
    names = dict(zip(_DATE, ("year", "month", "day"), strict=True))
    return f"(?P<{names[part]}>{digits})" if part in names else digits
