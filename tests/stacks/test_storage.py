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
