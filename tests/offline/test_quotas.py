"""Quotas are listed page by page, the account's own beside AWS's defaults."""

import pytest
from botocore.exceptions import ClientError

NAME = "ml.m5.large for endpoint usage"


def listed(account, operation, service="sagemaker"):
    pages = list(account.client("service-quotas").get_paginator(operation).paginate(ServiceCode=service))
    return {quota["QuotaName"]: quota["Value"] for page in pages for quota in page["Quotas"]}, len(pages)


def test_a_changed_quota_is_the_accounts_and_not_the_default(account):
    account.quotas["sagemaker", NAME] = 0.0
    own, pages = listed(account, "list_service_quotas")
    defaults, _ = listed(account, "list_aws_default_service_quotas")
    assert (own[NAME], defaults[NAME]) == (0.0, 20.0)
    assert pages > 1


def test_a_service_without_quotas_is_unknown(account):
    with pytest.raises(ClientError) as raised:
        listed(account, "list_service_quotas", service="nothing")
    assert raised.value.response["Error"]["Code"] == "NoSuchResourceException"
