import json

import pytest

from tests.synthesised import example_models, resources


def test_the_registry_keeps_a_models_packages_when_the_stack_goes():
    (group,) = resources("AWS::SageMaker::ModelPackageGroup").values()
    assert group["Properties"]["ModelPackageGroupName"] == "hotel-cancellations"
    assert group["DeletionPolicy"] == "RetainExceptOnCreate"


def test_a_stack_that_no_model_falls_into_stays_and_holds_no_alarm_of_earlier_ones(tmp_path, monkeypatch):
    import app

    # Whoever synthesises asks cdk.json: the CDK's CLI, `make synth` and `kedge account serve`.
    (tmp_path / "cdk.json").write_text('{"context": {"model_stacks": 3}}')
    monkeypatch.setattr(app, "ROOT", tmp_path)
    app.build_app(tmp_path, example_models()).synth()
    found = [json.loads((tmp_path / f"KedgeModels-{n}.template.json").read_text())["Resources"] for n in (1, 2, 3)]
    kinds = [sorted({resource["Type"] for resource in resources.values()}) for resources in found]
    assert sum("AWS::CloudFormation::WaitConditionHandle" in kind for kind in kinds) == 2
    assert sum("AWS::SageMaker::ModelPackageGroup" in kind for kind in kinds) == 1


@pytest.mark.parametrize("given", ["0", "two", "-1", "1.5", ""])
def test_a_number_of_stacks_that_is_none_is_a_sentence(monkeypatch, given):
    import app

    monkeypatch.setattr("sys.argv", ["app.py", "-c", f"model_stacks={given}"])
    with pytest.raises(SystemExit, match=f"model_stacks is '{given}'.* it must be a whole number of at least 1"):
        app.main()
