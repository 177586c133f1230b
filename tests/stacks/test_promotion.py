"""Who may take an approved package from which account, and nothing beside it."""

import json

import pytest

from app import build_app
from kedge.errors import ModelConfigError
from tests.stacks.names import templates
from tests.synthesised import example_models

ACCOUNTS = {"dev": "111111111111", "staging": "222222222222", "production": "333333333333"}
STAGES = {
    "dev": {"account": ACCOUNTS["dev"], "alert_email": "dev@example.com"},
    "staging": {"account": ACCOUNTS["staging"], "takes_from": "dev"},
    "production": {"account": ACCOUNTS["production"], "takes_from": "staging"},
}


@pytest.fixture(scope="module")
def every(tmp_path_factory):
    directory = tmp_path_factory.mktemp("stages")
    build_app(directory, example_models(), nag=True, stages=STAGES).synth()
    return templates(directory), directory


@pytest.fixture(scope="module")
def found(every):
    return every[0]


def of_kind(template, kind):
    return {name: each for name, each in template["Resources"].items() if each["Type"] == kind}


def statements(template, kind, document):
    return [s for each in of_kind(template, kind).values() for s in each["Properties"][document]["Statement"]]


def takers(template, kind, document):
    return [s for s in statements(template, kind, document) if s.get("Sid", "").startswith("PackageTaker")]


def test_each_stage_has_its_stacks_in_its_own_account_and_region(every):
    found, directory = every
    assert {name.partition("-")[0] for name in found} == {*ACCOUNTS}
    places = {
        artifact["environment"]
        for stage in ACCOUNTS
        for artifact in json.loads((directory / f"assembly-{stage}" / "manifest.json").read_text())[
            "artifacts"
        ].values()
        if artifact["type"] == "aws:cloudformation:stack"
    }
    assert places == {f"aws://{account}/eu-west-1" for account in ACCOUNTS.values()}


def test_a_stage_has_its_own_facts_where_it_says_them(found):
    mails = {
        name: json.dumps(of_kind(each, "AWS::SNS::Subscription")) for name, each in found.items() if "Storage" in name
    }
    having = {name for name, text in mails.items() if "dev@example.com" in text}
    assert having == {"dev-KedgeStorage"}


def test_only_a_stage_that_takes_has_the_function(found):
    having = {
        name for name, each in found.items() for key in of_kind(each, "AWS::Lambda::Function") if "TakePackage" in key
    }
    assert having == {"staging-KedgeRelease", "production-KedgeRelease"}


@pytest.mark.parametrize(("stage", "next_one"), [("dev", "staging"), ("staging", "production")])
def test_the_one_role_of_the_next_stage_may_read_packages_and_no_rows(found, stage, next_one):
    storage, models = found[f"{stage}-KedgeStorage"], found[f"{stage}-KedgeModels-1"]
    (group,) = of_kind(models, "AWS::SageMaker::ModelPackageGroup").values()
    granted = [
        *takers(storage, "AWS::S3::BucketPolicy", "PolicyDocument"),
        *takers(storage, "AWS::KMS::Key", "KeyPolicy"),
        *group["Properties"]["ModelPackageGroupPolicy"]["Statement"],
    ]
    for statement in granted:
        assert f":iam::{ACCOUNTS[next_one]}:root" in json.dumps(statement["Principal"])
        role = json.dumps(statement["Condition"]["ArnLike"]["aws:PrincipalArn"])
        assert f":iam::{ACCOUNTS[next_one]}:role/{next_one}-kedge-take-package-*" in role
    actions = {action for s in granted for action in ([s["Action"]] if isinstance(s["Action"], str) else s["Action"])}
    assert actions == {
        *("s3:GetObject", "s3:ListBucket", "kms:Decrypt"),
        *("sagemaker:DescribeModelPackageGroup", "sagemaker:DescribeModelPackage", "sagemaker:ListModelPackages"),
    }
    objects = json.dumps([s["Resource"] for s in granted if s["Action"] == "s3:GetObject"])
    assert "/artefacts/*" in objects
    assert "/retraining/*/baseline/*" in objects
    assert not any(rows in objects for rows in ("/train/", "/holdout/", 'retraining/*"', "labels", "predictions"))


def test_the_last_stage_lets_nobody_read(found):
    storage, models = found["production-KedgeStorage"], found["production-KedgeModels-1"]
    assert (
        takers(storage, "AWS::S3::BucketPolicy", "PolicyDocument")
        == takers(storage, "AWS::KMS::Key", "KeyPolicy")
        == []
    )
    (group,) = of_kind(models, "AWS::SageMaker::ModelPackageGroup").values()
    assert "ModelPackageGroupPolicy" not in group["Properties"]


def test_who_takes_reads_only_in_the_account_and_stage_before_and_writes_only_at_home(found):
    release = found["production-KedgeRelease"]
    (role,) = [each for name, each in of_kind(release, "AWS::IAM::Role").items() if name.startswith("TakePackage")]
    assert role["Properties"]["RoleName"] == "production-kedge-take-package-eu-west-1"
    (policy,) = [each for name, each in of_kind(release, "AWS::IAM::Policy").items() if name.startswith("TakePackage")]
    said = {s["Sid"]: s for s in policy["Properties"]["PolicyDocument"]["Statement"] if "Sid" in s}
    assert f":{ACCOUNTS['staging']}:model-package/staging-*" in json.dumps(said["SeeSourcePackages"]["Resource"])
    for sid in ("ReadSource", "FindSource"):
        assert said[sid]["Condition"] == {"StringEquals": {"aws:ResourceAccount": ACCOUNTS["staging"]}}
    assert f":kms:eu-west-1:{ACCOUNTS['staging']}:key/*" in json.dumps(said["DecryptSource"]["Resource"])
    assert "ImportValue" in json.dumps(said["WriteObjects"]["Resource"])
    assert "NeverApprove" in said


def test_one_stage_of_several_can_be_synthesised_alone(tmp_path):
    build_app(tmp_path, example_models(), stages=STAGES, stage="staging").synth()
    assert {name.partition("-")[0] for name in templates(tmp_path)} == {"staging"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"stages": "dev"}, "an object is needed"),
        ({"stages": {"dev": "111111111111"}}, "an object is needed"),
        ({"stages": {"dev": {}}}, "stages.dev.account is None: the 12 digits"),
        ({"stages": {"dev": {"account": "1"}}}, "stages.dev.account is '1': the 12 digits"),
        ({"stages": {"dev": {"account": "1" * 12, "acount": "x"}}}, "stages.dev has acount: known are account, alert_email"),
        ({"stages": {"dev": {"account": "1" * 12, "takes_from": "x"}}}, "stages.dev.takes_from is 'x': the name of another"),
        ({"stages": STAGES | {"staging": {**STAGES["staging"], "region": "us-east-1"}}}, "in its own region|its own region alone"),
        ({"stages": STAGES, "stage": "test"}, "stage is 'test', and stages has dev, staging, production"),
        ({"package_source": "staging"}, "package_source is 'staging': an account, or account/stage"),
        ({"package_takers": ["arn:aws:iam::1:root"]}, "package_takers is 'arn:aws:iam::1:root'"),
        ({"package_takers": 7}, "package_takers is 7"),
    ],
)  # fmt: skip
def test_what_the_context_says_wrongly_is_refused_with_its_place(tmp_path, given, said):
    with pytest.raises(ModelConfigError, match=said):
        build_app(tmp_path, example_models(), **given)
