"""What Athena's and Glue's operations ask of IAM; what a query reads and writes, Athena asks for while it runs."""

from __future__ import annotations

from offline.iam.actions import NOTHING, Need, Needs, Params, needing
from offline.region import Region


def _on_workgroup(action: str) -> Needs:
    @needing(f"athena:{action}")
    def needs(params: Params, region: Region) -> list[Need]:
        return [Need(f"athena:{action}", region.arn("athena", f"workgroup/{params.get('WorkGroup') or 'primary'}"))]

    return needs


@needing("glue:CreateTable")
def _create_table(params: Params, region: Region) -> list[Need]:
    return catalogue_needs("CreateTable", params["DatabaseName"], params["TableInput"]["Name"], region)


def catalogue_needs(action: str, database: str, table: str, region: Region) -> list[Need]:
    """Glue asks for a table, for its database, and for the catalogue that both are in."""
    resources = ("catalog", f"database/{database}", f"table/{database}/{table}")
    return [Need(f"glue:{action}", region.arn("glue", resource)) for resource in resources]


ATHENA: dict[str, Needs] = {
    **{name: _on_workgroup(name) for name in ("StartQueryExecution", "GetWorkGroup")},
    # They name a query, and only the account knows its workgroup: see `offline.iam.implied`.
    **{name: Needs((f"athena:{name}",), NOTHING.of) for name in ("GetQueryExecution", "StopQueryExecution")},
}
GLUE: dict[str, Needs] = {"CreateTable": _create_table}
