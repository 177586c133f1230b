"""Under EnableNetworkIsolation a script reaches nobody, and without it the network is there."""

import json
import socket
import subprocess

import pytest

from offline.account import Account
from tests.offline.sagemaker_world import INFERENCE, START, World, archive

REACHING = INFERENCE.replace(
    "return [mean + row for row in rows]",
    "import socket\n"
    "    try:\n"
    "        socket.create_connection(('127.0.0.1', int(rows[0])), timeout=5).close()\n"
    "    except OSError as error:\n"
    "        return [type(error).__name__]\n"
    "    return ['reached']",
)
ALLOWED = not subprocess.run(["unshare", "-rn", "true"], capture_output=True).returncode


@pytest.mark.skipif(not ALLOWED, reason="this machine gives no process a network of its own")
@pytest.mark.parametrize(("isolated", "answer"), [(False, "reached"), (True, "OSError")])
def test_an_isolated_model_reaches_nobody(tmp_path, isolated, answer):
    with socket.create_server(("127.0.0.1", 0)) as listening, Account(start=START, directory=tmp_path) as account:
        world = World(account)
        files = {"model.json": json.dumps({"mean": 1}), "code/inference.py": REACHING}
        uri = world.put("models/model.tar.gz", archive(files))
        world.sagemaker.create_model(
            ModelName="model",
            ExecutionRoleArn=world.role,
            PrimaryContainer={"Image": "image", "ModelDataUrl": uri},
            EnableNetworkIsolation=isolated,
        )
        world.make_config("config-1", "model")
        world.make_endpoint()
        assert world.answer(str(listening.getsockname()[1])) == answer
