from tests.synthesised import resources


def test_only_decisions_on_model_packages_start_a_release_and_undelivered_ones_are_kept():
    (rule,) = resources("AWS::Events::Rule", "KedgeRelease").values()
    assert rule["Properties"]["EventPattern"] == {
        "source": ["aws.sagemaker"],
        "detail-type": ["SageMaker Model Package State Change"],
        "detail": {"ModelApprovalStatus": ["Approved", "Rejected"]},
    }
    (target,) = rule["Properties"]["Targets"]
    assert "Arn" in target["DeadLetterConfig"]
    assert target["Arn"]["Fn::GetAtt"][0].startswith("Approvals")


def test_an_approval_waits_a_day_for_the_lease():
    (queue,) = (
        q for path, q in resources("AWS::SQS::Queue", "KedgeRelease").items() if "RedrivePolicy" in q["Properties"]
    )
    properties = queue["Properties"]
    assert properties["VisibilityTimeout"] * properties["RedrivePolicy"]["maxReceiveCount"] >= 24 * 3600


def test_only_the_release_machine_may_change_an_endpoint():
    changing = {
        path
        for path, policy in resources("AWS::IAM::Policy").items()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow" and "sagemaker:UpdateEndpoint" in statement["Action"]
    }
    assert [path.split("/")[1].startswith("KedgeReleaseRole") for path in changing] == [True]
