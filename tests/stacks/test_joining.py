from tests.synthesised import functions, resources, statements_of

FUNCTION = "KedgeMonitoring/join_labels"


def only(kind):
    (found,) = resources(kind).values()
    return found["Properties"]


def allowed(sid):
    role = functions()[FUNCTION]["Properties"]["Role"]["Fn::GetAtt"][0]
    (found,) = [each for each in statements_of("KedgeMonitoring", role) if each.get("Sid") == sid]
    return found


def test_nobody_can_have_results_elsewhere_or_unencrypted_or_scan_for_more_than_five_dollars():
    configuration = only("AWS::Athena::WorkGroup")["WorkGroupConfiguration"]
    assert configuration["EnforceWorkGroupConfiguration"] is True
    assert configuration["BytesScannedCutoffPerQuery"] == 2**40
    result = configuration["ResultConfiguration"]
    assert result["EncryptionConfiguration"]["EncryptionOption"] == "SSE_KMS"
    assert result["OutputLocation"]["Fn::Join"][1][-1] == "/athena/queries/"


def test_the_function_may_query_its_own_workgroup_and_tables_and_no_others():
    assert allowed("Query")["Resource"]["Fn::Join"][1][-1].endswith(":workgroup/kedge")
    ends = [each["Fn::Join"][1][-1].rpartition(":")[2] for each in allowed("Catalogue")["Resource"]]
    assert ends == ["catalog", "database/kedge", "table/kedge/*"]
    databases = [each["Properties"]["DatabaseInput"]["Name"] for each in resources("AWS::Glue::Database").values()]
    assert "kedge" in databases


def test_the_function_writes_below_athenas_prefix_alone():
    assert "athena/*" in str(allowed("WriteObjects")["Resource"])
    assert "predictions" not in str(allowed("WriteObjects")["Resource"])


def test_what_was_joined_is_kept_longer_than_any_message_that_asks_for_it():
    (bucket,) = [
        each["Properties"]
        for path, each in resources("AWS::S3::Bucket", "KedgeStorage").items()
        if path.startswith("KedgeStorage/Data")
    ]
    (days,) = [
        rule["ExpirationInDays"]
        for rule in bucket["LifecycleConfiguration"]["Rules"]
        if rule.get("Prefix") == "athena/"
    ]
    waits = [each["Properties"]["MessageRetentionPeriod"] for each in resources("AWS::SQS::Queue").values()]
    longest = max(seconds for seconds in waits if seconds < max(waits)) + max(waits)
    assert days * 86_400 > longest
