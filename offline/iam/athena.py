"""What Athena's and Glue's operations ask of IAM; what a query reads and writes, Athena asks for while it runs."""

from __future__ import annotations

from offline.iam.actions import Need, Needs, Params, Place, nothing


def _on_workgroup(action: str) -> Needs:
    return lambda params, place: [
        Need(f"athena:{action}", place.arn("athena", f"workgroup/{params.get('WorkGroup') or 'primary'}"))
    ]


def _create_table(params: Params, place: Place) -> list[Need]:
    return catalogue_needs("CreateTable", params["DatabaseName"], params["TableInput"]["Name"], place)


def catalogue_needs(action: str, database: str, table: str, place: Place) -> list[Need]:
    """Glue asks for a table, for its database, and for the catalogue that both are in."""
    resources = ("catalog", f"database/{database}", f"table/{database}/{table}")
    return [Need(f"glue:{action}", place.arn("glue", resource)) for resource in resources]


ATHENA: dict[str, Needs] = {
    **{name: _on_workgroup(name) for name in ("StartQueryExecution", "GetWorkGroup")},
    # They name a query, and only the account knows its workgroup: see `offline.iam.implied`.
    **{name: nothing for name in ("GetQueryExecution", "StopQueryExecution")},
}
GLUE: dict[str, Needs] = {"CreateTable": _create_table}
