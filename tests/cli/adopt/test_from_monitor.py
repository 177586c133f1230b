"""`kedge adopt --from-monitor`: a Model Monitor schedule is taken over whole, and what is left behind is named."""

from types import SimpleNamespace

import pytest

from kedge.config.reading import parse_model_config
from lambdas.adapters.bucket import baselines
from lambdas.adapters.state import champions
from offline.sagemaker.model_monitor import schedules as monitoring
from tests.cli.adopt.other_team import ENDPOINT, NOW, THEIRS, adopt, captured, deploy, run
from tests.cli.adopt.test_baseline_from_monitor import statistics, training_columns
from tests.handlers.aws_world import ACCOUNT, BUCKET, REGION, TABLE
from tests.offline.sagemaker.test_monitoring import APPLICATION, JOB, OUTPUTS

STATISTICS, TRUTH = f"s3://{THEIRS}/monitor/statistics.json", f"s3://{THEIRS}/truth"


@pytest.fixture
def schedules(world, monkeypatch):
    """Make schedules of the endpoint that is adopted."""
    monitoring.install(
        SimpleNamespace(
            clock=SimpleNamespace(now=NOW),
            arn=lambda service, resource: f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}",
            patch=lambda target, name, value, create: monkeypatch.setattr(target, name, value, raising=not create),
        )
    )
    deploy(world)
    captured(world)
    world.s3.put_object(Bucket=THEIRS, Key="monitor/statistics.json", Body=statistics(*training_columns()).encode())
    return Schedules(world.sagemaker)


class Schedules:
    """What a team with Model Monitor has made."""

    def __init__(self, sagemaker):
        self.sagemaker = sagemaker

    def data_quality(self, name="data", *, cron="cron(0 * ? * * *)", application=None, source=None, **given):
        """A schedule for data quality, with the baseline that its job made."""
        self.sagemaker.create_data_quality_job_definition(
            JobDefinitionName=name,
            DataQualityBaselineConfig={"StatisticsResource": {"S3Uri": STATISTICS}},
            DataQualityAppSpecification={**APPLICATION, **(application or {})},
            DataQualityJobInput=source or {"EndpointInput": endpoint_input(**given)},
            DataQualityJobOutputConfig=OUTPUTS,
            **JOB,
        )
        self.schedule(name, "DataQuality", cron)

    def model_quality(self, name="model", **given):
        """A schedule for model quality, daily, whose labels need a day."""
        offsets = {"StartTimeOffset": "-P8D", "EndTimeOffset": "-P1D"}
        self.sagemaker.create_model_quality_job_definition(
            JobDefinitionName=name,
            ModelQualityAppSpecification={**APPLICATION, "ProblemType": "BinaryClassification"},
            ModelQualityJobInput={
                "EndpointInput": endpoint_input(**offsets, **given),
                "GroundTruthS3Input": {"S3Uri": TRUTH},
            },
            ModelQualityJobOutputConfig=OUTPUTS,
            **JOB,
        )
        self.schedule(name, "ModelQuality", "cron(0 12 ? * * *)")

    def schedule(self, name, kind, cron):
        config = {"MonitoringJobDefinitionName": name, "MonitoringType": kind}
        config |= {"ScheduleConfig": {"ScheduleExpression": cron}}
        self.sagemaker.create_monitoring_schedule(MonitoringScheduleName=name, MonitoringScheduleConfig=config)


def endpoint_input(**given):
    return {"EndpointName": ENDPOINT, "LocalPath": "/opt/ml/processing/input", **given}


def test_a_data_quality_schedule_gives_endpoint_baseline_and_cadence(world, tmp_path, schedules):
    schedules.data_quality()
    done, out = run(tmp_path, "--from-monitor", "data", "--apply")
    assert done.exit_code == 0, done.output
    config = parse_model_config(out.read_text(), source=out.name)
    assert (config.endpoint.name, config.cadence.judge, config.cadence.window_days) == (ENDPOINT, "hourly", 1)
    assert config.feature_names == ("amount", "items", "country")
    champion = champions.load(world.dynamodb, TABLE, ENDPOINT)
    baseline = baselines.load_baseline(world.s3, BUCKET, ENDPOINT, champion.baseline)
    assert baseline.own["amount"].missing == 100
    assert "each hour Kedge judges the last 1 day, not the last hour alone" in done.output


def test_a_model_quality_schedule_gives_attributes_threshold_labels_and_horizon(tmp_path, schedules):
    schedules.data_quality()
    schedules.model_quality(ProbabilityAttribute="0", ProbabilityThresholdAttribute=0.3)
    done, out = run(tmp_path, "--from-monitor", "model", "--from-monitor", "data", "--apply")
    assert done.exit_code == 0, done.output
    config = parse_model_config(out.read_text(), source=out.name)
    assert (config.endpoint.probability_attribute, config.prediction.threshold) == ("0", 0.3)
    assert (config.problem, config.labels.label_horizon_days) == ("binary_classification", 1)
    assert (config.cadence.judge, config.cadence.window_days) == ("daily", 7)
    assert f"aws s3 sync {TRUTH} s3://{BUCKET}/labels/{ENDPOINT}" in done.output
    assert "rows as s3://" in done.output


def test_json_attributes_are_followed_also_where_kedge_would_not_find_the_rows(world, tmp_path, schedules):
    payload = '{"request": [{"row": [51.5, 2, "DE"]}]}'
    captured(world, payload=payload, answer='{"answers": [{"p": 0.25}]}')
    schedules.data_quality(FeaturesAttribute="request[*].row", ProbabilityAttribute="answers[*].p")
    done, out = run(tmp_path, "--from-monitor", "data", "--apply")
    assert done.exit_code == 0, done.output
    config = parse_model_config(out.read_text(), source=out.name)
    assert config.endpoint.features_attribute == "request[*].row"
    assert config.endpoint.probability_attribute == "answers[*].p"
    assert len(config.features) == 3


def test_excluded_columns_are_no_features(tmp_path, schedules):
    schedules.data_quality(ExcludeFeaturesAttribute="1")
    shown, _ = run(tmp_path, "--from-monitor", "data")
    assert shown.exit_code == 0, shown.output
    assert "exclude_features_attribute: '1'" in shown.output
    assert "{name: amount, kind: numeric}" in shown.output
    assert "{name: items" not in shown.output


def test_what_is_not_taken_over_is_said(tmp_path, schedules):
    schedules.data_quality(
        cron="cron(0 17/6 ? * * *)",
        application={"RecordPreprocessorSourceUri": "s3://x/pre.py", "ImageUri": "1.dkr.ecr/own"},
    )
    shown, _ = run(tmp_path, "--from-monitor", "data")
    assert shown.exit_code == 0, shown.output
    for said in ("s3://x/pre.py", "its own image is not taken over", "is neither hourly nor daily"):
        assert said in shown.output


def test_a_baseline_that_is_named_wins_over_the_schedules(tmp_path, schedules):
    schedules.data_quality()
    (tmp_path / "other.json").write_text(statistics(*training_columns()))
    shown, _ = run(tmp_path, "--from-monitor", "data", "--baseline-from", tmp_path / "other.json")
    assert shown.exit_code == 0, shown.output
    assert "other.json" in shown.output


def test_what_cannot_be_taken_over_is_refused_in_a_sentence(tmp_path, schedules):
    batch = {"DataCapturedDestinationS3Uri": "s3://b/c", "DatasetFormat": {"Csv": {}}, "LocalPath": "/opt"}
    schedules.data_quality("batch", source={"BatchTransformInput": batch})
    schedules.data_quality("other", source={"EndpointInput": {"EndpointName": "other", "LocalPath": "/opt"}})
    schedules.data_quality()
    for options, said in (
        (("--from-monitor", "absent"), "no monitoring schedule is called 'absent'"),
        (
            ("--from-monitor", "data", "--from-monitor", "other"),
            "do not watch the same: endpoint payments and endpoint other",
        ),
        (("--from-monitor", "data", "--from-monitor", "batch"), "and transform jobs below s3://b/c"),
        ((), "name one of these: an endpoint, a Model Monitor schedule"),
    ):
        refused, _ = run(tmp_path, *options)
        assert (refused.exit_code, said in refused.stderr) == (2, True), refused.stderr
    refused, _ = adopt(tmp_path, "--from-monitor", "other")
    assert "other watches endpoint other, not payments" in refused.stderr
