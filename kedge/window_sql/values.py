"""Values in Athena's SQL, each read as its sibling in Python reads it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pyarrow as pa

from kedge.columns.casting import MISSING_WORDS
from kedge.columns.class_codes import BOOLEANS, canonical, class_numbers
from kedge.labels.join_sql import literal
from kedge.outcomes.score_cells import CELL_OF_ONE, DROPPED_BITS
from kedge.slices.groupings import Grouping

MISSING, STRANGE = -1, -2
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
# Up to here every whole number is a double and a bigint, and both write it alike.
_WHOLE_MAX = 1e15
# What a level's spelling begins with in a map of levels: how it is to be compared.
_USUAL_KEY, _WORD_KEY, _BOOLEAN_KEY, _NUMBER_KEY = "=", "~", "?", "#"
_EPSILON = float(np.finfo(np.float64).eps)


def double(value: float) -> str:
    """A number as SQL writes a double; without an exponent it would be a decimal.

    >>> double(0.1), double(-2.0), double(1e-7)
    ('0.1E0', '(-2.0E0)', '1E-07')
    """
    if math.isinf(value):
        return f"CAST('{'-' if value < 0 else ''}Infinity' AS double)"
    text = repr(float(value)).upper()
    text = text if "E" in text else f"{text}E0"
    return f"({text})" if text.startswith("-") else text


def number(column: str, kind: pa.DataType) -> str:
    """A column as double, as `cast_numbers` reads it; NULL where that is NaN, which no stored number is. Of text "inf" is no number either.

    >>> number("x", pa.float32())
    'CAST(x AS double)'
    """
    if pa.types.is_floating(kind):
        return column if pa.types.is_float64(kind) else f"CAST({column} AS double)"
    if not pa.types.is_string(kind):
        return "CAST(NULL AS double)"
    text = f"trim({column})"
    words = "".join(f" WHEN lower({text}) = {literal(word)} THEN {digit}E0" for word, digit in BOOLEANS.items())
    return f"CASE WHEN regexp_like({text}, {literal(_NUMBER)}) THEN TRY_CAST({text} AS double){words} END"


def is_missing(column: str) -> str:
    """Whether a text is none, or a word for "no value".

    >>> is_missing("t")[:33]
    "(t IS NULL OR t IN ('', 'nan', 'N"
    """
    return f"({column} IS NULL OR {column} IN ({listed(MISSING_WORDS)}))"


def class_code(column: str, names: Sequence[str]) -> str:
    """Position of a text among names, in any spelling, as `class_codes` finds it.

    >>> class_code("t", ["a"])[-62:]
    " THEN -1 ELSE CASE trim(t) WHEN 'a' THEN 0 ELSE -2 END END END"
    """
    usual, spelt, booleans = _spellings(names)
    word = _canonical(column) if any(name.lstrip("-").isdigit() for name in spelt) else f"trim({column})"
    other = _case(word, spelt, _case(f"lower(trim({column}))", booleans, str(STRANGE)))
    return _case(column, usual, f"CASE WHEN {is_missing(column)} THEN {MISSING} ELSE {other} END")


def number_code(value: str, names: Sequence[str]) -> str:
    """Position of a number among names that are numbers.

    >>> number_code("x", ["1", "2.5", "b"])
    'CASE WHEN x IS NULL THEN -1 WHEN x = 1.0E0 THEN 0 WHEN x = 2.5E0 THEN 1 ELSE -2 END'
    """
    # Of two spellings of one number the last one has the rows, as in `class_codes`.
    codes = {numbers[0]: code for code, name in enumerate(names) if (numbers := class_numbers([name]))}
    found = "".join(f" WHEN {value} = {double(one)} THEN {code}" for one, code in codes.items())
    return f"CASE WHEN {value} IS NULL THEN {MISSING}{found} ELSE {STRANGE} END"


def group_code(column: str, kind: pa.DataType, grouping: Grouping, levels: str) -> str:
    """Group of a value, as `Grouping.codes` finds it.

    Parameters
    ----------
    levels : str
        SQL of a map with the codes of `level_codes`: a level may be sensitive, and Athena keeps what stands in a query.

    >>> group_code("x", pa.float64(), Grouping("x", "numeric", edges=(7.0,)), "m")
    'CASE WHEN x IS NULL THEN 2 WHEN x <= 7.0E0 THEN 0 ELSE 1 END'
    """
    if grouping.kind == "numeric":
        return band_code(number(column, kind), grouping.edges)
    missing, strange = len(grouping.levels) + 1, len(grouping.levels)
    if not pa.types.is_string(kind):
        value = number(column, kind)
        # Added to 0, both zeros have the same bits.
        found = _looked_up(levels, _NUMBER_KEY, f"CAST({bits(f'({value} + 0E0)')} AS varchar)")
        return f"CASE WHEN {value} IS NULL THEN {missing} ELSE coalesce({found}, {strange}) END"
    word, lower = _canonical(column), f"lower(trim({column}))"
    # The usual spelling first: to read a number costs more.
    usual, *others = (
        _looked_up(levels, *each) for each in ((_USUAL_KEY, column), (_WORD_KEY, word), (_BOOLEAN_KEY, lower))
    )
    known = f"CASE WHEN {is_missing(column)} THEN {missing} ELSE coalesce({', '.join(others)}, {strange}) END"
    return f"coalesce({usual}, {known})"


def level_codes(kind: pa.DataType, grouping: Grouping) -> dict[str, int]:
    """The codes of a column's levels by their spellings, as `group_code` looks them up.

    >>> level_codes(pa.string(), Grouping("x", "categorical", levels=("a", "1")))
    {'=a': 0, '=1': 1, '~a': 0, '~1': 1, '?true': 1}
    """
    if grouping.kind == "numeric":
        return {}
    if pa.types.is_string(kind):
        kinds = zip((_USUAL_KEY, _WORD_KEY, _BOOLEAN_KEY), _spellings(grouping.levels), strict=True)
        return {key + text: code for key, codes in kinds for text, code in codes.items()}
    # Of two spellings of one number the last one has the rows, as in `class_codes`.
    names = _of_precision(kind, grouping.levels)
    numbers = {n[0] + 0.0: code for code, name in enumerate(names) if (n := class_numbers([name]))}
    return {f"{_NUMBER_KEY}{np.float64(one).view(np.int64)}": code for one, code in numbers.items()}


def band_code(value: str, edges: Iterable[float]) -> str:
    """Number of edges below a value; one more than the last band for NULL.

    >>> band_code("x", [0.5])
    'CASE WHEN x IS NULL THEN 2 WHEN x <= 0.5E0 THEN 0 ELSE 1 END'
    """
    cuts = [f" WHEN {value} <= {double(edge)} THEN {place}" for place, edge in enumerate(edges)]
    return f"CASE WHEN {value} IS NULL THEN {len(cuts) + 1}{''.join(cuts)} ELSE {len(cuts)} END"


def bits(value: str) -> str:
    """A double's 64 bits as a whole number.

    >>> bits("x")
    'from_big_endian_64(to_ieee754_64(x))'
    """
    return f"from_big_endian_64(to_ieee754_64({value}))"


def score_cell(score: str, cleared_bits: int) -> str:
    """Cell of a score, as `cells_of` and then `coarsened` find it."""
    near = f"abs(CASE WHEN {score} < 5E-1 THEN {score} ELSE 1E0 - {score} END)"
    kept = f"bitwise_right_shift({bits(near)}, {DROPPED_BITS + cleared_bits}) * {2**cleared_bits}"
    return f"CASE WHEN {score} < 5E-1 THEN {kept} ELSE {CELL_OF_ONE} - {kept} END"


def rounded(value: str) -> str:
    """The nearest whole number, of two the even one, as `numpy.rint` rounds."""
    tie = f"2E0 * floor((floor({value}) + 1E0) / 2E0)"
    return f"CASE WHEN {value} - floor({value}) = 5E-1 THEN {tie} ELSE floor({value} + 5E-1) END"


def log_loss(chance: str) -> str:
    """What an answer that gave the truth this chance costs, cut as in `count_binary`."""
    return f"(-ln(least(greatest({chance}, {double(_EPSILON)}), {double(1.0 - _EPSILON)})))"


def listed(texts: Iterable[str]) -> str:
    """Texts as a list.

    >>> listed(["a", "b"])
    "'a', 'b'"
    """
    return ", ".join(map(literal, texts))


def _looked_up(levels: str, key: str, text: str) -> str:
    return f"element_at({levels}, {literal(key)} || {text})"


def _spellings(names: Sequence[str]) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
    """Codes of classes as they are usually written, in their one spelling, and as booleans."""
    known = {canonical(name): code for code, name in enumerate(names)}
    by_boolean = {BOOLEANS.get(name.lower(), name): code for name, code in known.items()}
    booleans = {said: by_boolean[digit] for said, digit in BOOLEANS.items() if digit in by_boolean}
    spelt = known | {
        digit: by_boolean[digit] for digit in BOOLEANS.values() if digit in by_boolean and digit not in known
    }
    return {name: code for name, code in known.items() if name not in MISSING_WORDS}, spelt, booleans


def _of_precision(kind: pa.DataType, names: Sequence[str]) -> list[str]:
    """Names that are numbers, as the column holds them: of four bytes, 0.1 is another number."""
    if not pa.types.is_float32(kind):
        return [*names]
    return [str(float(np.float32(known[0]))) if (known := class_numbers([name])) else name for name in names]


def _case(value: str, codes: Mapping[str, int], otherwise: str) -> str:
    found = "".join(f" WHEN {literal(text)} THEN {code}" for text, code in codes.items())
    return f"CASE {value}{found} ELSE {otherwise} END" if found else otherwise


def _canonical(column: str) -> str:
    text = f"trim({column})"
    value = f"TRY_CAST({text} AS double)"
    whole = (
        f"regexp_like({text}, {literal(_NUMBER)}) AND abs({value}) < {double(_WHOLE_MAX)} AND {value} = floor({value})"
    )
    return f"CASE WHEN {whole} THEN CAST(CAST({value} AS bigint) AS varchar) ELSE {text} END"
