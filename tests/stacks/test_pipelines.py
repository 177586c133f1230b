"""Pipelines as trainers: the machine starts those that models name, and nobody touches another."""

import json

from app import build_app
from tests.synthesised import ROOT


def test_only_the_pipeline_that_a_model_names_may_be_started_followed_and_stopped(tmp_path):
    text = (ROOT / "models" / "hotel-cancellations.yaml").read_text()
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "hotel-cancellations.yaml").write_text(text + "\ntraining: {pipeline: Hotel-Training}\n")
    build_app(tmp_path / "assembly", tmp_path / "models", nag=True).synth()
    found = {}
    for path in (tmp_path / "assembly").glob("*.template.json"):
        for resource in json.loads(path.read_text())["Resources"].values():
            if resource["Type"] == "AWS::IAM::Policy":
                for each in resource["Properties"]["PolicyDocument"]["Statement"]:
                    if "Pipeline" in json.dumps(each["Action"]):
                        found[each["Sid"]] = json.dumps(each["Resource"])
    assert {"StartPipelines", "FollowPipelines", "SeeExecutions", "ListExecutionsOfPipelines", "StopPipelines"} == set(
        found
    )
    for sid, resource in found.items():
        tail = "" if sid in ("StartPipelines", "ListExecutionsOfPipelines") else "/execution/*"
        assert f'pipeline/hotel-training{tail}"' in resource, sid
