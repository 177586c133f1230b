from tests.synthesised import resources


def alarms():
    return {
        alarm["Properties"]["MetricName"]: alarm["Properties"]
        for alarm in resources("AWS::CloudWatch::Alarm", "KedgeModels-1").values()
    }


def test_a_model_pages_when_it_was_not_judged_for_two_cadences():
    alarm = alarms()["JudgementAgeCadences"]
    assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (2, "GreaterThanOrEqualToThreshold")
    assert alarm["Dimensions"] == [{"Name": "Model", "Value": "hotel-cancellations"}]
    assert alarm["Namespace"] == "Kedge"


def test_a_model_pages_when_it_is_invoked_and_captures_nothing():
    assert alarms()["InvocationsWithoutCapture"]["Threshold"] == 1


def test_the_registry_keeps_a_models_packages_when_the_stack_goes():
    (group,) = resources("AWS::SageMaker::ModelPackageGroup").values()
    assert group["Properties"]["ModelPackageGroupName"] == "hotel-cancellations"
    assert group["DeletionPolicy"] == "Retain"
