"""A function imports what its code, its layers and the runtime hold, and no more; together they have a largest size."""

import builtins
import io
import zipfile

import pytest
import scipy.special  # in this process it is there, whatever a layer holds
import scipy.stats  # noqa: F401

from offline.functions.runtime import FunctionError
from stacks.parts.packages import ROOT
from tests.offline.assemblies import BUCKET, function, resource, role, write_assembly, write_code

COUNTING = (ROOT / "layers" / "counting.txt").read_text()
STATISTICS = (ROOT / "layers" / "statistics.txt").read_text()
PLANTED = "import scipy.special\n\ndef handler(event, context):\n    return scipy.special.gamma(4)\n"
MANY = """
import json, boto3, botocore.exceptions, dateutil  # Python's own and the runtime's
import numpy, pyarrow.parquet, pydantic, yaml, jinja2
import aws_lambda_powertools, aws_xray_sdk, typing_extensions  # an extra's, and what pydantic needs

def handler(event, context):
    return "imported"

def later(event, context):
    import scipy

def careful(event, context):
    try:
        import scipy
    except ImportError:
        return "without"

def inner(event, context):
    from scipy import special
    from scipy import stats
"""


def listing(directory, requirements):
    """A layer that is not built."""
    directory.mkdir(parents=True)
    (directory / "requirements.txt").write_text(requirements)
    return directory


def built(directory, *files):
    """A layer as `make layers` leaves it."""
    for file in files:
        (directory / "python" / file).parent.mkdir(parents=True, exist_ok=True)
        (directory / "python" / file).touch()
    return directory


@pytest.fixture
def deploy(account, tmp_path):
    """Deploy one function of this code on these layers."""

    def deployed(code, *layers, handler="app.handler"):
        key = f"code-{len(list(tmp_path.iterdir()))}"
        files = {key: write_code(tmp_path / key, app=code)}
        resources = {"Role": role("lambda")}
        for number, layer in enumerate(layers):
            content = {"S3Bucket": {"Fn::Sub": BUCKET}, "S3Key": f"{layer.name}.zip"}
            resources[f"Layer{number}{layer.name}"] = resource("AWS::Lambda::LayerVersion", Content=content)
            files[f"{layer.name}.zip"] = layer
        references = [{"Ref": name} for name in resources if name.startswith("Layer")]
        planted = function("Role", handler, FunctionName="planted", Layers=references)
        planted["Properties"]["Code"]["S3Key"] = key
        resources["Function"] = planted
        account.deploy(write_assembly(tmp_path / "out", {"Stack": {"Resources": resources}}, files=files))
        return account

    return deployed


def test_a_package_that_no_layer_lists_cannot_be_imported_though_this_process_has_it(deploy, tmp_path):
    account = deploy(PLANTED, listing(tmp_path / "counting", COUNTING))
    with pytest.raises(FunctionError) as failure:
        account.invoke_function("planted", {})
    assert failure.value.error_type == "Runtime.ImportModuleError"
    assert failure.value.message == "Unable to import module 'app': No module named 'scipy'"


def test_the_next_layers_are_a_cold_start_that_finds_what_they_list(deploy, tmp_path):
    counting = listing(tmp_path / "counting", COUNTING)
    account = deploy(PLANTED, counting)
    with pytest.raises(FunctionError):
        account.invoke_function("planted", {})
    deploy(PLANTED, counting, listing(tmp_path / "statistics", STATISTICS))
    assert account.invoke_function("planted", {}) == 6


def test_a_built_layer_holds_its_files_and_no_more(deploy, tmp_path):
    layer = built(tmp_path / "built", "scipy/__init__.py", "scipy/special/__init__.py")
    account = deploy(MANY.replace("numpy, pyarrow.parquet", "scipy.special #"), layer)
    with pytest.raises(FunctionError, match="No module named 'aws_lambda_powertools'"):
        account.invoke_function("planted", {})
    account = deploy(PLANTED, layer)
    assert account.invoke_function("planted", {}) == 6


def test_a_module_that_was_cut_out_of_a_built_package_is_not_there(deploy, tmp_path):
    layer = built(tmp_path / "cut", "scipy/__init__.py", "scipy/special.cpython-314-aarch64-linux-gnu.so")
    account = deploy(MANY[MANY.index("def inner") :], layer, handler="app.inner")
    with pytest.raises(FunctionError, match=r"No module named 'scipy\.stats'"):
        account.invoke_function("planted", {})


def test_requirements_bring_what_they_need_themselves_and_the_runtime_its_sdk(deploy, tmp_path):
    account = deploy(MANY, listing(tmp_path / "counting", COUNTING))
    assert account.invoke_function("planted", {}) == "imported"


def test_an_import_inside_the_handler_fails_when_it_is_reached(deploy, tmp_path):
    account = deploy(MANY, listing(tmp_path / "counting", COUNTING), handler="app.later")
    with pytest.raises(FunctionError) as failure:
        account.invoke_function("planted", {})
    assert failure.value.error_type == "ModuleNotFoundError"


def test_code_that_does_without_a_package_finds_that_it_is_not_there(deploy, tmp_path):
    account = deploy(MANY, listing(tmp_path / "counting", COUNTING), handler="app.careful")
    assert account.invoke_function("planted", {}) == "without"


def test_python_itself_imports_as_ever(deploy):
    code = "def handler(event, context):\n    return [b'x'.decode('cp1006'), __import__('json.decoder', fromlist=['x'], level=0).__name__]"
    assert deploy(code).invoke_function("planted", {}) == ["x", "json.decoder"]


def test_what_the_rest_of_this_process_imports_meanwhile_is_not_held_against_the_layers(deploy, tmp_path, monkeypatch):
    def meanwhile():
        from scipy.stats import norm

        return norm.name

    monkeypatch.setattr(builtins, "meanwhile", meanwhile, raising=False)
    code = "def handler(event, context):\n    return meanwhile()"
    account = deploy(code, listing(tmp_path / "counting", COUNTING))
    assert account.invoke_function("planted", {}) == "norm"


def test_a_layer_that_was_published_as_an_archive_is_read_too(account, deploy):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as writing:
        writing.writestr("python/lib/python3.14/site-packages/scipy/special/__init__.py", "")
    client = deploy(PLANTED).client("lambda")
    layer = client.publish_layer_version(LayerName="own", Content={"ZipFile": archive.getvalue()})
    client.update_function_configuration(FunctionName="planted", Layers=[layer["LayerVersionArn"]])
    assert account.invoke_function("planted", {}) == 6


def large(directory, size):
    """A layer with a file that is that large, and takes no room."""
    built(directory, "data.bin")
    with open(directory / "python" / "data.bin", "r+b") as file:
        file.truncate(size)
    return directory


def test_code_and_layers_together_have_a_largest_size(account, deploy, tmp_path):
    halves = [large(tmp_path / name, 131_072_000) for name in ("one", "two")]
    code = len(b"WHERE = 'asset'\n") + len(PLANTED)
    with pytest.raises(
        Exception, match="Function code combined with layers exceeds the maximum allowed size of 262144000"
    ) as caught:
        deploy(PLANTED, *halves)
    assert f"The actual size is {262_144_000 + code} bytes." in str(caught.value)
    large(tmp_path / "two", 131_072_000 - code)
    account.delete_stack("Stack")
    account.functions.layers = type(account.functions.layers)(account)
    deploy(PLANTED, *halves)


def test_one_layer_alone_can_be_too_large(deploy, tmp_path):
    with pytest.raises(Exception, match="Unzipped size must be smaller than 262144000 bytes"):
        deploy(PLANTED, large(tmp_path / "one", 262_144_001))


def test_a_function_has_five_layers_at_most(deploy, tmp_path):
    layers = [built(tmp_path / f"layer{number}", "file.py") for number in range(6)]
    deploy(PLANTED, *layers[:5])
    with pytest.raises(Exception, match="Cannot reference more than 5 layers"):
        deploy(PLANTED, *layers)
