from datetime import UTC, datetime

import pytest

from offline.account import Account
from tests.offline.athena.deployed import Deployed
from tests.synthesised import assembly


@pytest.fixture
def world(tmp_path):
    templates = assembly()  # before the account's clock starts
    with Account(start=datetime(2016, 2, 1, tzinfo=UTC), directory=tmp_path) as account:
        account.deploy(templates)
        deployed = Deployed(account)
        deployed.promote()
        yield deployed
