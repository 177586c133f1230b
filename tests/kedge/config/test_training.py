"""What the YAML says of the training job is checked by SageMaker's own rules, before anything is deployed."""

import pytest

from kedge.config.reading import parse_model_config
from kedge.config.trainers.algorithm import algorithm_parameters
from kedge.errors import ModelConfigError

YAML = "{model: m, endpoint: {name: e}, features: [{name: x, kind: numeric}], training: {%s}}"
ETA = "eta: {continuous: [0.1, 0.5]}"
TUNE = "validation_fraction: 0.1, tuning: {metric: auc, ranges: {%s}%s}"


def training(text):
    return parse_model_config(YAML % text, source="m.yaml").training


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("max_wait_seconds: 7200", "without training.spot: true"),
        ("spot: true, max_wait_seconds: 600", "refuses a shorter one"),
        ("instance_type: ml.g5.xlarge, volume_gib: 100", "NVMe disks of its own"),
        ("instance_count: 2", "train.py learns on one instance"),
        ("environment: {SAGEMAKER_PROGRAM: x.py}", "has SAGEMAKER_PROGRAM: names that begin with"),
        ("serving_environment: {PIP_NO_BUILD_ISOLATION: '1'}", "choose another"),
        ("environment: {A: '" + "x" * 513 + "'}", "longer than 512 characters"),
        ("environment: {" + ", ".join(f"A{n}: x" for n in range(96)) + "}", "has 96 variables: SageMaker takes 100"),
        ("vpc: {subnets: [], security_groups: [sg-0a0a0a0a]}", "training.vpc.subnets"),
        (
            "vpc: {subnets: [vpc-0a0a0a0a], security_groups: [sg-0a0a0a0a]}",
            "training.vpc.subnets.0 is 'vpc-0a0a0a0a': write it like subnet-",
        ),
        ("vpc: {subnets: [subnet-0a0a0a0a]}", "training.vpc.security_groups"),
        (
            f"vpc: {{subnets: [subnet-0a0a0a0a], security_groups: [{', '.join(f'sg-0000000{n}' for n in range(6))}]}}",
            "at most 5",
        ),
        ("pipeline_parameters: {Rows: train_uri}", "without training.pipeline"),
        ("mlflow_arn: https://mlflow.example.com", "mlflow_arn"),
        ("mlflow_arn: arn:aws:sagemaker:eu-west-1:123456789012:endpoint/team", "mlflow_arn"),
        (
            "pipeline: mine, spot: true, instance_count: 2, entry_point: mine.py",
            "entry_point, training.instance_count, training.spot",
        ),
        ("pipeline: mine, hyperparameters: {TrainUri: s3://b}", "a parameter of the pipeline has one value"),
        ("pipeline: mine, validation_fraction: 0.1", "training.validation_fraction beside training.pipeline"),
        ("validation_rows: random", "training.validation_rows is there without training.validation_fraction"),
        (
            "algorithm: xgboost, source_dir: mine, image: i",
            "training.source_dir, training.image beside training.algorithm",
        ),
        ("algorithm: xgboost, framework: sklearn", "training.framework beside training.algorithm"),
        ("algorithm: xgboost, instance_count: 2", "training.instance_count"),
        ("algorithm: xgboost, hyperparameters: {max_dept: 3}", "did you mean max_depth?"),
        (
            "algorithm: xgboost, hyperparameters: {eta: high}",
            "eta is high: SageMaker's XGBoost takes a number from 0 to 1",
        ),
        (
            "algorithm: xgboost, hyperparameters: {subsample: 80}",
            "subsample is 80: SageMaker's XGBoost takes a number from 0 to 1",
        ),
        ("algorithm: xgboost, hyperparameters: {max_depth: 2.5}", "takes a whole number from 0 on"),
        ("algorithm: xgboost, hyperparameters: {num_round: 0}", "takes a whole number from 1 on"),
        (
            "algorithm: xgboost, hyperparameters: {num_class: 2}",
            "num_class is 2: it follows from problem and labels.classes",
        ),
        (
            "algorithm: xgboost, hyperparameters: {objective: 'binary:hinge'}",
            "binary_classification has binary:logistic",
        ),
        (
            "algorithm: xgboost, hyperparameters: {eval_metric: 'auc, logloss, recal'}",
            "eval_metric has 'recal', which SageMaker's XGBoost does not know; did you mean recall?",
        ),
        ("algorithm: xgboost, hyperparameters: {eval_metric: 'error@half'}", "eval_metric has 'error@half'"),
        ("algorithm: xgboost, hyperparameters: {eval_metric: 'auc@0.5'}", "eval_metric has 'auc@0.5'"),
        (TUNE % ("booster: {categorical: [gbtree, dart, gbtree]}", ""), "categorical has gbtree twice"),
        (TUNE % ("booster: {categorical: [1, '1']}", ""), "categorical has 1 twice"),
        (TUNE % ("eta: {continuous: [0.1]}", ""), "training.tuning.ranges.eta.continuous"),
        (TUNE % ("eta: {continuous: [0.5, 0.1]}", ""), "the first is the smaller one"),
        (TUNE % ("eta: {continuous: [0, 1], scale: logarithmic}", ""), "0.0 is not above 0"),
        (TUNE % ("max_depth: {integer: [0, 1], scale: reverse_logarithmic}", ""), "from 0 to below 1"),
        (
            TUNE % ("eta: {continuous: [0.1, 1], integer: [1, 2]}", ""),
            "each has one of continuous, integer and categorical",
        ),
        (TUNE % ("booster: {categorical: [a], scale: linear}", ""), "scale is for numbers"),
        (
            TUNE % ("trees: {integer: [10, 20]}", ""),
            "ranges has trees: of SageMaker's XGBoost image, also with a script",
        ),
        (TUNE % ("num_round: {integer: [10, 20]}", ""), "has num_round, which train.py does not take"),
        (
            TUNE % ("eta: {continuous: [0.1, 1]}", "") + ", framework: sklearn",
            "has eta, which train_sklearn.py does not take",
        ),
        (TUNE % ("max_depth: {continuous: [2, 5]}", ""), "max_depth takes whole numbers alone; write integer"),
        (
            TUNE % ("trees: {integer: [10, 20]}", "") + ", image: 1.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost",
            "ranges has trees: of SageMaker's XGBoost image, also with a script",
        ),
        (TUNE % (ETA, ", parallel_jobs: 20"), "parallel_jobs is 20, and jobs 10"),
        (TUNE % (ETA, ", direction: minimize"), "auc is better the other way round"),
        (TUNE % (ETA, "") + ", spot: true", "training.spot beside training.tuning"),
        (
            TUNE % (ETA, "") + ", hyperparameters: {eta: 0.3}",
            "eta in training.tuning.ranges and in training.hyperparameters",
        ),
        ((TUNE % (ETA, "")).replace("validation_fraction: 0.1, ", ""), "tuning without training.validation_fraction"),
        ((TUNE % (ETA, "")).replace("auc", "mine"), "metric is mine, a figure of your own"),
        (
            (TUNE % (ETA, ", direction: maximize")).replace("auc", "mine"),
            "from its XGBoost image's log and nothing else",
        ),
        (TUNE % (ETA, ", budget_usd: 1"), "10 jobs of up to 3600 seconds can cost"),
        (TUNE % (ETA, ", budget_usd: 1") + ", instance_type: ml.x9.large", "no price of ml.x9.large is known"),
        ("source_dir: ../elsewhere", "training.source_dir is '../elsewhere'"),
        ("source_dir: /etc", "training.source_dir is '/etc'"),
    ],
)
def test_what_sagemaker_would_refuse_is_refused_with_its_remedy(text, problem):
    with pytest.raises(ModelConfigError, match="training") as refused:
        training(text)
    assert problem in str(refused.value)


def test_a_spot_job_waits_twice_its_run_where_nothing_else_is_said():
    assert training("spot: true, max_runtime_seconds: 600").waits_seconds == 1200
    assert training("spot: true, max_runtime_seconds: 39600").waits_seconds == 39600


def test_several_instances_learn_with_a_script_that_knows_them():
    assert training("instance_count: 2, source_dir: shared_training").instance_count == 2


def test_a_pipeline_may_be_told_of_the_rows_under_its_own_names():
    chosen = training("pipeline: mine, framework: sklearn, pipeline_parameters: {Rows: train_uri, Until: training_end}")
    assert dict(chosen.pipeline_parameters) == {"Rows": "train_uri", "Until": "training_end"}
    assert dict(training("pipeline: mine").pipeline_parameters) == {"TrainUri": "train_uri"}


@pytest.mark.parametrize(
    ("problem", "trainer", "metric", "known"),
    [
        ("regression", "algorithm: xgboost", "auc", "mae, rmse, rmsle"),
        (
            "multiclass_classification, labels: {classes: ['0', '1', '2']}",
            "algorithm: xgboost",
            "auc",
            "merror, mlogloss",
        ),
        ("binary_classification", "instance_count: 1", "aucpr", "auc, logloss"),
        ("regression", "framework: sklearn", "auc", "rmse"),
    ],
)
def test_a_search_by_a_figure_that_no_job_will_say_is_refused(problem, trainer, metric, known):
    tuned = TUNE % ("alpha: {continuous: [0.1, 1]}" if "sklearn" in trainer else ETA, "")
    text = (YAML % f"{trainer}, {tuned}").replace("{model: m", f"{{model: m, problem: {problem}").replace("auc", metric)
    with pytest.raises(
        ModelConfigError, match=rf"training.tuning.metric is {metric}: .* says {known} of the validation rows"
    ):
        parse_model_config(text, source="m.yaml")


ALGORITHM = "{model: m, endpoint: {name: e%s}, features: [{name: x, kind: %s}], training: {algorithm: xgboost}%s}"


@pytest.mark.parametrize(
    ("endpoint", "kind", "rest", "problem"),
    [
        ("", "categorical", "", "reads numbers alone, and x are none"),
        (", content_type: application/json", "numeric", "", "reads CSV, and endpoint.content_type is application/json"),
        (
            "",
            "numeric",
            ", prediction: {field: 1}",
            "one number a row: remove prediction.probabilities and prediction.field",
        ),
        (
            "",
            "numeric",
            ", problem: multiclass_classification, labels: {classes: [a, b, c]}",
            "write the labels as 0, 1, 2, or train with a script",
        ),
    ],
)
def test_what_sagemakers_algorithm_cannot_read_or_answer_is_refused(endpoint, kind, rest, problem):
    with pytest.raises(ModelConfigError, match=r"training\.algorithm") as refused:
        parse_model_config(ALGORITHM % (endpoint, kind, rest), source="m.yaml")
    assert problem in str(refused.value)


def test_several_figures_may_be_said_and_a_regression_has_no_auc():
    chosen = training("algorithm: xgboost, hyperparameters: {eval_metric: 'auc,error@0.7, logloss'}").hyperparameters
    assert chosen == {"eval_metric": "auc,error@0.7, logloss"}
    text = (YAML % "algorithm: xgboost, hyperparameters: {eval_metric: 'rmse,auc'}").replace(
        "{model: m", "{model: m, problem: regression"
    )
    with pytest.raises(ModelConfigError, match=r"eval_metric has auc, and a regression has none: .* write rmse"):
        parse_model_config(text, source="m.yaml")


def test_an_algorithm_is_told_the_problem_unless_the_yaml_says_more():
    assert algorithm_parameters("multiclass_classification", ("0", "1", "2"), {"eval_metric": "merror"}) == {
        "num_round": "100", "objective": "multi:softmax", "eval_metric": "merror", "num_class": "3",
    }  # fmt: skip
