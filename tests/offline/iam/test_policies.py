"""IAM's policy language, statement by statement."""

import pytest

from offline.iam.policies import PolicyError, condition_holds, decide, read_policy


def verdict(resource, facts=None, **statement):
    return decide(read_policy({"Statement": {"Effect": "Allow", "Resource": "*", **statement}}), resource, facts or {})


@pytest.mark.parametrize(
    ("pattern", "resource", "matches"),
    [
        ("arn:aws:s3:::data/audit/*", "arn:aws:s3:::data/audit/m/1.json", True),
        ("arn:aws:s3:::data/audit/*", "arn:aws:s3:::data/reports/m/1.json", False),
        ("arn:aws:s3:::data", "arn:aws:s3:::data/key", False),
        ("arn:aws:s3:::data/?", "arn:aws:s3:::data/k", True),
        ("arn:aws:s3:::data/a.b", "arn:aws:s3:::data/axb", False),
    ],
)
def test_resources_match_with_wildcards_and_nothing_else_wild(pattern, resource, matches):
    assert (verdict(resource, Action="s3:GetObject", Resource=pattern) == "Allow") is matches


def test_a_deny_wins_whatever_the_order():
    statements = read_policy(
        {
            "Statement": [
                {"Effect": "Allow", "Action": "*", "Resource": "*"},
                {"Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::secret/*"},
            ]
        }
    )
    assert decide(statements, "arn:aws:s3:::secret/1", {}) == "Deny"
    assert decide(statements, "arn:aws:s3:::open/1", {}) == "Allow"


def test_actions_ignore_case_and_not_action_means_all_others():
    (allow,) = read_policy({"Statement": {"Effect": "Allow", "Action": "s3:get*", "Resource": "*"}})
    assert allow.covers("s3:GetObject")
    assert not allow.covers("s3:PutObject")
    (others,) = read_policy({"Statement": {"Effect": "Deny", "NotAction": "s3:GetObject", "Resource": "*"}})
    assert others.covers("s3:PutObject")
    assert not others.covers("s3:GetObject")


@pytest.mark.parametrize(
    ("operator", "wanted", "facts", "holds"),
    [
        ("StringEquals", ["Approved", "Rejected"], {"key": "Approved"}, True),
        ("StringEquals", "Approved", {}, False),
        ("StringEqualsIfExists", "Approved", {}, True),
        ("StringNotEqualsIfExists", "Pending", {"key": "Pending"}, False),
        ("StringNotEqualsIfExists", "Pending", {}, True),
        ("StringNotEquals", "Pending", {}, True),
        ("StringLike", "audit/*", {"key": "audit/m"}, True),
        ("StringNotLike", "audit/*", {"key": "audit/m"}, False),
        ("ArnLike", "arn:aws:events:*:*:rule/a", {"key": "arn:aws:events:eu-west-1:1:rule/a"}, True),
        ("NumericLessThan", "100", {"key": 99}, True),
        ("NumericLessThan", 100, {"key": 100}, False),
        ("Bool", "false", {"key": True}, False),
        ("Bool", True, {"key": "true"}, True),
        ("Null", "true", {}, True),
        ("Null", "true", {"key": "x"}, False),
        ("ForAllValues:StringEquals", ["a", "b"], {"key": ["a", "b"]}, True),
        ("ForAllValues:StringEquals", ["a"], {"key": ["a", "b"]}, False),
        ("ForAnyValue:StringEquals", ["a"], {"key": ["a", "b"]}, True),
    ],
)
def test_conditions_hold_as_documented(operator, wanted, facts, holds):
    assert condition_holds(operator, "Key", wanted, facts) is holds


def test_what_the_evaluator_does_not_know_is_an_error():
    with pytest.raises(PolicyError, match="IpAddress"):
        condition_holds("IpAddress", "aws:SourceIp", "10.0.0.0/8", {})
    with pytest.raises(PolicyError, match="variables"):
        verdict("arn:aws:s3:::home/me", Action="s3:GetObject", Resource="arn:aws:s3:::home/${aws:username}")
