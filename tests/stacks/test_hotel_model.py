import pyarrow.parquet as pq
import pytest

from kedge.errors import ModelConfigError
from stacks.parts.catalogue import load_models
from stacks.parts.workshop import default_image, require_scripts
from tests.synthesised import ROOT

NOT_FEATURES = {"id", "timestamp", "booking_ts", "label_ts", "label"}


@pytest.fixture
def hotel():
    (model,) = load_models(ROOT / "models")
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


def test_a_model_of_another_framework_must_name_its_image(hotel):
    training = hotel.training.model_copy(update={"framework": "sklearn", "framework_version": "1.2-1"})
    with pytest.raises(
        ModelConfigError, match=r"training\.image must name the image of sklearn 1\.2-1, which is .*scikit-learn:1\.2-1"
    ):
        default_image([hotel.model_copy(update={"training": training})], region="eu-west-1")


def test_a_model_whose_script_is_not_there_is_refused(hotel):
    training = hotel.training.model_copy(update={"entry_point": "trian.py"})
    with pytest.raises(ModelConfigError, match=r"entry_point is 'trian\.py': training/ has inference\.py, train\.py"):
        require_scripts([hotel.model_copy(update={"training": training})])


def test_the_training_image_is_the_one_of_the_region(hotel):
    assert ".dkr.ecr.eu-central-1.amazonaws.com/sagemaker-xgboost:1.7-1" in default_image(
        [hotel], region="eu-central-1"
    )
