import pytest

from kedge.errors import QueryTooLongError
from lambdas.adapters import athena_queries
from lambdas.adapters.athena_queries import SQL_BYTES_MAX


def test_a_query_that_athena_would_not_take_is_refused_with_its_remedy():
    with pytest.raises(QueryTooLongError, match=r"262,145 bytes, .* shorten the window \(training\.window_days"):
        athena_queries.run("é" + " " * (SQL_BYTES_MAX - 1), database="d", workgroup="w", remaining_seconds=lambda: 60.0)
