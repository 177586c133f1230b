import pyarrow.parquet as pq
import pytest

from kedge.config.training import Training
from kedge.errors import ModelConfigError
from stacks.parts.catalogue import load_models
from stacks.parts.workshop import framework_images, refuse_downloads, require_scripts
from tests.synthesised import ROOT, example_models

NOT_FEATURES = {"id", "timestamp", "booking_ts", "label_ts", "label"}


@pytest.fixture
def hotel():
    (model,) = load_models(example_models())
    return model


def test_the_models_features_are_the_columns_of_the_bookings(hotel):
    schema = pq.read_schema(ROOT / "demo" / "data" / "hotel_bookings.parquet")
    assert {feature.name for feature in hotel.features} == set(schema.names) - NOT_FEATURES
    for feature in hotel.features:
        categorical = str(schema.field(feature.name).type).startswith("dictionary")
        assert (feature.kind == "categorical") is categorical, feature.name


def test_categoricals_come_first_in_the_payload(hotel):
    assert [feature.kind for feature in hotel.features] == ["categorical"] * 7 + ["numeric"] * 13


def test_its_limits_are_the_shipped_defaults(hotel):
    for section in ("drift", "labels", "performance", "retraining", "gate", "training", "alerts"):
        assert getattr(hotel, section) == type(getattr(hotel, section))(), section


def test_a_file_that_is_not_named_after_its_model_is_refused(tmp_path):
    text = (ROOT / "models" / "hotel-cancellations.yaml").read_text()
    (tmp_path / "other.yaml").write_text(text)
    with pytest.raises(ModelConfigError, match=r"belongs in hotel-cancellations\.yaml"):
        load_models(tmp_path)


def test_each_framework_and_version_that_is_used_has_its_image(hotel):
    sklearn = Training.model_validate({"framework": "sklearn"})
    other = hotel.training.model_copy(update={"framework": "sklearn", "framework_version": "1.2-1"})
    own = hotel.training.model_copy(update={"framework_version": "7-7", "image": "mine:1"})
    models = [hotel.model_copy(update={"training": training}) for training in (hotel.training, sklearn, other, own)]
    found = framework_images(models, region="eu-central-1")
    assert {name: uri.partition("/")[2] for name, uri in found.items()} == {
        "xgboost 3.2-0": "sagemaker-xgboost:3.2-0",
        "sklearn 1.9-0": "sagemaker-scikit-learn:1.9-0-cpu-py3",
        "sklearn 1.2-1": "sagemaker-scikit-learn:1.2-1-cpu-py3",
    }
    assert all(".dkr.ecr.eu-central-1.amazonaws.com/" in uri for uri in found.values())


def test_a_version_that_aws_has_no_image_of_is_refused(hotel):
    training = hotel.training.model_copy(update={"framework_version": "9.9-9"})
    with pytest.raises(ModelConfigError, match=r"framework_version is '9\.9-9': Unsupported xgboost version"):
        framework_images([hotel.model_copy(update={"training": training})], region="eu-west-1")


def test_version_and_script_follow_the_framework():
    sklearn = Training.model_validate({"framework": "sklearn"})
    assert (sklearn.framework_version, sklearn.entry_point) == ("1.9-0", "train_sklearn.py")
    own = Training.model_validate({"framework": "sklearn", "entry_point": "mine.py", "framework_version": "1.2-1"})
    assert (own.framework_version, own.entry_point) == ("1.2-1", "mine.py")


@pytest.mark.parametrize("requirements", ["skops==0.13\n", "# ours\n  skops\n"])
def test_libraries_that_would_be_downloaded_are_refused(tmp_path, requirements):
    (tmp_path / "requirements.txt").write_text(requirements)
    with pytest.raises(ModelConfigError, match=r"asks for skops.*no network.*training\.image.*--no-index"):
        refuse_downloads(tmp_path)


@pytest.mark.parametrize("requirements", ["# none\n", "--no-index\n--find-links .\nskops==0.13\n", None])
def test_requirements_that_need_no_network_pass(tmp_path, requirements):
    if requirements is not None:
        (tmp_path / "requirements.txt").write_text(requirements)
    refuse_downloads(tmp_path)


def test_a_folder_of_scripts_that_is_not_there_is_refused(hotel, tmp_path):
    training = hotel.training.model_copy(update={"source_dir": "fraud_training"})
    with pytest.raises(ModelConfigError, match="source_dir is 'fraud_training': there is no such folder"):
        require_scripts([hotel.model_copy(update={"training": training})], tmp_path)


def test_a_model_whose_script_is_not_there_is_refused(hotel):
    training = hotel.training.model_copy(update={"entry_point": "trian.py"})
    with pytest.raises(ModelConfigError, match=r"entry_point is 'trian\.py': training/ has .*train\.py"):
        require_scripts([hotel.model_copy(update={"training": training})])
