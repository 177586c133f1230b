"""A model's people: its own addresses, its team's, the deployment's routes; and what cannot work is refused."""

import pytest

from kedge.config.reading import parse_model_config
from kedge.config.teams import Teams, parse_teams, with_owner
from kedge.errors import ModelConfigError
from kedge.package_schema import decode_schema, encode_schema
from tests.builders import YAML

TEAMS = """
default: risk
teams:
  risk:
    email: [risk@example.com]
    slack: {channel: C024BE91L, secret: kedge/slack}
    runbook: https://example.com/runbook
  fraud:
    email: [fraud@example.com]
    pagerduty: {secret: kedge/pagerduty-fraud}
routes:
  - {to: [email]}
"""


def model(extra=""):
    return parse_model_config(YAML + extra, source="parcels.yaml")


def teams(text=TEAMS):
    return parse_teams(text, source="teams.yaml")


def test_a_model_without_a_team_has_the_default_team_and_the_deployments_routes():
    config = with_owner(model(), teams())
    assert (config.owner.team, config.owner.email) == ("risk", ("risk@example.com",))
    assert config.owner.reachable == {"email", "slack"}
    assert [route.to for route in config.alerts.routes] == [("email",)]


def test_what_a_model_says_itself_wins_over_its_team():
    extra = "\nowner: {team: fraud, runbook: 'https://example.com/mine'}\nalerts: {routes: [{severity: [CRITICAL], to: [pagerduty]}]}\n"
    config = with_owner(model(extra), teams())
    assert config.owner.runbook == "https://example.com/mine"
    assert config.owner.email == ("fraud@example.com",)
    assert [route.to for route in config.alerts.routes] == [("pagerduty",)]


def test_a_team_whose_channels_are_its_own_has_its_own_routes():
    own = TEAMS.replace("    pagerduty: {", "    routes: [{severity: [CRITICAL], to: [pagerduty]}]\n    pagerduty: {")
    config = with_owner(model("\nowner: {team: fraud}\n"), teams(own))
    assert [route.to for route in config.alerts.routes] == [("pagerduty",)]
    assert [route.to for route in with_owner(model(), teams(own)).alerts.routes] == [("email",)]
    mine = with_owner(model("\nowner: {team: fraud}\nalerts: {routes: [{to: [email]}]}\n"), teams(own))
    assert [route.to for route in mine.alerts.routes] == [("email",)]


@pytest.mark.parametrize(
    "owner",
    [
        "pagerduty: {secret: 0123456789abcdef0123456789ABCDEF}",
        "pagerduty: 0123456789abcdef0123456789ABCDEF",
        "slack: {channel: C024BE91L, secret: xoxb-0123456789abcdef}",
        "webhook: {url: 'https://ann:0123456789abcdef@example.com/', secret: kedge/w}",
    ],
)
def test_a_secret_in_place_of_its_name_is_refused_without_a_word_of_it(owner):
    for read in (lambda: teams(f"teams: {{risk: {{{owner}}}}}"), lambda: model(f"\nowner: {{{owner}}}\n")):
        with pytest.raises(ModelConfigError, match="may be a secret") as refused:
            read()
        assert "0123456789abcdef" not in str(refused.value)


def test_a_route_without_an_address_names_the_place_and_the_remedy():
    with pytest.raises(
        ModelConfigError, match=r"write it there, or give the team routes of its own \(teams\.fraud\.routes\)"
    ):
        with_owner(model("\nowner: {team: fraud}\n"), teams(TEAMS + "  - {to: [slack]}\n"))
    with pytest.raises(ModelConfigError, match=r"a route leads to slack, and no owner\.slack has an address"):
        with_owner(model("\nalerts: {routes: [{to: [slack]}]}\n"), Teams())


def test_without_teams_a_model_is_as_it_was():
    config = with_owner(model(), Teams())
    assert config.owner.team is None
    assert config.alerts.routes is None


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ("\nowner: {team: nobody}", "owner.team is 'nobody', which is not in teams.yaml; the teams there are: risk, fraud"),
        ("\nalerts: {routes: [{to: [pagerduty]}]}", "a route leads to pagerduty, and neither owner.pagerduty nor the team 'risk'"),
        ("\nalerts: {routes: [{to: []}]}", "alerts.routes.0.to"),
        ("\nalerts: {routes: [{kinds: [fires], to: [email]}]}", "routes.kinds has fires; groups of kinds are windows, approvals"),
        ("\nowner: {slack: {channel: '#general', secret: kedge/slack}}", "owner.slack.channel is '#general': write it like C024BE91L"),
        ("\nowner: {pagerduty: {secret: R0UT1NGKEY}}", "write it like kedge/pagerduty-risk"),
        ("\nowner: {pagerduty: {secret: kedge/größe}}", "write it like kedge/pagerduty-risk"),
        ("\nowner: {email: [nobody]}", "owner.email.0 is 'nobody': write it like risk@example.com"),
        ("\nowner: {runbok: 'https://x.y'}", "owner.runbok is not a field; did you mean runbook?"),
        ("\nowner: {runbook: 'javascript:alert(1)'}", "owner.runbook is 'javascript:alert(1)': write it like https://"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_with_its_place(extra, words):
    with pytest.raises(ModelConfigError) as refused:
        with_owner(model(extra), teams())
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("default: risk", "default is 'risk', which is not among teams: none"),
        ("teams: {risk: {team: fraud}}", "teams.risk.team: a team's name stands before it"),
        ("teams: {risk: {mail: [a@b.c]}}", "teams.risk.mail is not a field; did you mean email?"),
        ("teams: {Risk Team: {}}", "teams.Risk Team"),
        ("- risk", "the file must be a mapping of fields"),
    ],
)
def test_a_faulty_teams_file_is_refused_with_its_place(text, words):
    with pytest.raises(ModelConfigError) as refused:
        teams(text)
    assert str(refused.value).startswith("teams.yaml: ")
    assert words in str(refused.value)


def test_addresses_are_not_kept_with_a_package():
    config = with_owner(model(), teams())
    assert b"example.com" not in encode_schema(config)
    assert decode_schema(encode_schema(config)).owner.email == ()


SLACK = "owner: {slack: {channel: C024BE91L, %s}}"
TENANT = "tenant: 0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0, team: 1b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0"
IN_TEAMS = "owner: {teams: {%s}}"


@pytest.mark.parametrize(
    ("owner", "words"),
    [
        (SLACK % "workspace: T07EA123LEP, secret: kedge/slack", "slack needs either secret"),
        (SLACK % "secret: null", "slack needs either secret"),
        (SLACK % "workspace: acme.slack.com", "owner.slack.workspace"),
        (IN_TEAMS % f"{TENANT}, secret: kedge/teams", "teams needs either secret"),
        (IN_TEAMS % TENANT, "teams needs either secret"),
        (IN_TEAMS % f"{TENANT}, channel: general", "owner.teams.channel"),
        (IN_TEAMS % "tenant: contoso.com", "owner.teams.tenant"),
        ("owner: {pagerduty: {secret: kedge/pd, url: 'https://events.example.com'}}", "owner.pagerduty.url"),
    ],
)
def test_a_chat_is_reached_in_one_way_and_its_ids_have_the_services_form(owner, words):
    with pytest.raises(ModelConfigError, match=words):
        model(f"\n{owner}")


def test_a_room_of_amazon_qs_has_a_name_and_a_chat_of_ones_own_has_none():
    own = model("\n" + SLACK % "secret: kedge/slack").owner
    room = model("\n" + SLACK % "workspace: T07EA123LEP").owner
    in_teams = model("\n" + IN_TEAMS % f"{TENANT}, channel: '19:0a1b2c3d4e5f@thread.tacv2'").owner
    assert (own.room("slack"), room.room("slack")) == (None, "slack-T07EA123LEP-C024BE91L")
    assert in_teams.room("teams").startswith("teams-")
