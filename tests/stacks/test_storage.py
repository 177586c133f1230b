from kedge.config.prices import USD
from tests.synthesised import resources


def only(kind, name):
    return next(resource for path, resource in resources(kind, "KedgeStorage").items() if f"/{name}" in path)


def test_data_is_versioned_private_logged_and_encrypted_with_our_key():
    bucket = only("AWS::S3::Bucket", "Data")["Properties"]
    rule = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"][0]
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert rule["BucketKeyEnabled"] is True
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert "LoggingConfiguration" in bucket


def rules():
    return only("AWS::S3::Bucket", "Data")["Properties"]["LifecycleConfiguration"]["Rules"]


def test_what_is_large_goes_to_the_tiers_that_are_read_at_once_and_nothing_to_an_archive():
    (rule,) = [each for each in rules() if "Transitions" in each]
    assert rule["Transitions"] == [{"StorageClass": "INTELLIGENT_TIERING", "TransitionInDays": 7}]
    # Watching an object costs as much as the infrequent tier saves of one of 238 KB.
    fee, saved_a_byte = USD["S3 object watched"], (USD["S3 GB"] - USD["S3 GB infrequent"]) / 1e9
    assert int(rule["ObjectSizeGreaterThan"]) > fee / saved_a_byte
    assert "Prefix" not in rule
    assert "IntelligentTieringConfigurations" not in only("AWS::S3::Bucket", "Data")["Properties"]


def test_past_versions_go_after_a_month_and_with_the_last_one_the_mark_of_a_deletion():
    (rule,) = [each for each in rules() if "NoncurrentVersionExpiration" in each]
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}
    assert rule["ExpiredObjectDeleteMarker"] is True
    assert "Prefix" not in rule


def test_data_state_and_key_survive_the_stack():
    kept = ("AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::KMS::Key")
    for kind in kept:
        for path, resource in resources(kind).items():
            assert resource["DeletionPolicy"] == "RetainExceptOnCreate", path


def test_state_is_keyed_by_model_and_item_and_can_be_restored():
    table = only("AWS::DynamoDB::Table", "State")["Properties"]
    assert [key["AttributeName"] for key in table["KeySchema"]] == ["model", "item"]
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["SSESpecification"]["SSEEnabled"] is True


def test_the_key_rotates():
    assert only("AWS::KMS::Key", "Key")["Properties"]["EnableKeyRotation"] is True


def test_topics_are_encrypted():
    for path, topic in resources("AWS::SNS::Topic").items():
        assert "KmsMasterKeyId" in topic["Properties"], path
