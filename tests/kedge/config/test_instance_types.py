"""Which instance types have disks of their own: each family that SageMaker names, against EC2's list."""

import boto3
import pytest

from kedge.config.instance_types import has_local_storage

# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/InstanceStorage.html
LOCAL = (
    *("c5d", "c6gd", "m5d", "m6gd", "r5d", "r6gd", "r7gd", "g4dn", "p3dn", "p4d", "p4de"),
    *("dl1", "g5", "g6", "g6e", "g7", "g7e", "p5", "p5e", "p5en", "p6-b200", "p6-b300", "p6e-gb200"),
    *("trn1", "trn1n", "trn2"),
)
ON_VOLUMES = (
    *("c4", "c5", "c5n", "c6g", "c6gn", "c6i", "c6in", "c7g", "c7i", "c7i-flex", "c8g", "c8i", "c8i-flex"),
    *("m4", "m5", "m6g", "m6i", "m7i", "m7i-flex", "m8g", "m8i", "m8i-flex"),
    *("r5", "r6g", "r6i", "r7i", "r8g", "r8i", "r8i-flex", "t2", "t3", "p2", "p3", "inf1", "inf2"),
)


@pytest.mark.parametrize("family", LOCAL)
def test_these_have_local_storage(family):
    assert has_local_storage(f"ml.{family}.xlarge")


@pytest.mark.parametrize("family", ON_VOLUMES)
def test_these_work_on_volumes_that_a_key_encrypts(family):
    assert not has_local_storage(f"ml.{family}.xlarge")


@pytest.mark.parametrize("shape", ["TrainingInstanceType", "TransformInstanceType", "ProductionVariantInstanceType"])
def test_every_family_that_sagemaker_names_is_listed_here(shape):
    model = boto3.client("sagemaker", region_name="eu-west-1").meta.service_model
    families = {name.split(".")[1] for name in model.shape_for(shape).enum}
    assert families - set(LOCAL) - set(ON_VOLUMES) == set()
