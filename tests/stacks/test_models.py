import json

from tests.synthesised import ROOT, resources


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


def test_a_stack_that_no_model_falls_into_stays_and_holds_no_alarm_of_earlier_ones(tmp_path):
    from app import build_app

    build_app(tmp_path, ROOT / "models", model_stacks=3).synth()
    found = [json.loads((tmp_path / f"KedgeModels-{n}.template.json").read_text())["Resources"] for n in (1, 2, 3)]
    kinds = [sorted({resource["Type"] for resource in resources.values()}) for resources in found]
    assert kinds.count(["AWS::CloudFormation::WaitConditionHandle"]) == 2
    assert sum("AWS::SageMaker::ModelPackageGroup" in kind for kind in kinds) == 1
