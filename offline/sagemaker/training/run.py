"""One training job's work: the script in a subprocess, with the layout and the variables of script mode, or the algorithm.

SageMaker's framework images lay /opt/ml out, download the channels and the source, and run the script with the
hyperparameters as arguments. Imitated under a directory of the job's own (the SM_* variables say where): channels of
S3Prefix type in File mode, sourcedir.tar.gz, the input configuration files, /opt/ml/output/failure, model.tar.gz,
metrics read from the log by the job's regular expressions. The image itself is not run, at most its Python
(`offline.containers.processes`), and the script gets no credentials and no account. Of SageMaker's own algorithms XGBoost is
imitated (`offline.containers.xgboost_image`).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tarfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from offline.containers.processes import Process, Processes, Program, inherited
from offline.containers.xgboost_image import TRAINING
from offline.region import Region
from offline.sagemaker.api import ValidationError
from offline.sagemaker.network import join_vpc
from offline.sagemaker.storage import DownloadError, Storage, exists, pack, split_uri, unpack
from offline.sagemaker.training.algorithms import is_algorithm

HOST = "algo-1"
ML, CHECKPOINTS = "/opt/ml", "checkpoints"
REAL_SECONDS_MAX = 900.0  # a script that neither ends nor fails
ERROR_LENGTH_MAX = 900
SCRIPT_PARAMETERS = ("sagemaker_program", "sagemaker_submit_directory")


class TrainingError(Exception):
    """The container failed, or could not get what it needed."""

    fails_job = True


class TrainingRun:
    """The work of one training job."""

    def __init__(self, region: Region, request: dict[str, Any], storage: Storage, processes: Processes) -> None:
        self.region, self.request, self.storage, self.processes = region, request, storage, processes
        self.root: Path = region.directory / "training" / request["TrainingJobName"]
        self.log = region.directory / "training" / f"{request['TrainingJobName']}.log"
        self.parameters = {name: _decoded(value) for name, value in request.get("HyperParameters", {}).items()}
        self._process: Process | None = None
        image = request["AlgorithmSpecification"].get("TrainingImage", "")
        self.runs_algorithm = is_algorithm(image) and SCRIPT_PARAMETERS[0] not in self.parameters

    def check(self) -> None:
        """Refuse what CreateTrainingJob refuses at once."""
        for name in SCRIPT_PARAMETERS if not self.runs_algorithm else ():
            if name not in self.parameters:
                raise ValidationError(f"an image's own training is not imitated: the hyperparameter {name} is missing")
        for channel in self.request.get("InputDataConfig", []):
            source = channel["DataSource"].get("S3DataSource", {})
            if source.get("S3DataType") != "S3Prefix" or channel.get("InputMode", "File") != "File":
                raise ValidationError(f"channel {channel['ChannelName']}: only S3Prefix in File mode is imitated")
            if not exists(self.region, source["S3Uri"]):
                raise ValidationError(
                    f'No S3 objects found under S3 URL "{source["S3Uri"]}" given in input data source. Please ensure '
                    f"that the bucket exists in the selected region ({self.region.name}), that objects exist under "
                    f'that S3 prefix, and that the role "{self.request["RoleArn"]}" has "s3:ListBucket" permissions '
                    f'on bucket "{split_uri(source["S3Uri"])[0]}".'
                )

    def start(self) -> None:
        """Lay the directories out, download, and start the script."""
        for place in ("input/config", "input/data", "model", "output/data", "code", CHECKPOINTS):
            (self.root / place).mkdir(parents=True, exist_ok=True)
        try:
            join_vpc(self.region, self.storage.guard, self.request["RoleArn"], self.request)
            for channel in self.request.get("InputDataConfig", []):
                self._download(channel)
            if not self.runs_algorithm:
                self._download_source()
            self._restore_checkpoints()
        except (DownloadError, tarfile.TarError) as error:
            raise TrainingError(f"ClientError: Data download failed:{error}") from error
        self._write_configuration()
        self._process = self.processes.start(
            Program(
                self._command(),
                directory=self.root / "code",
                environment=self._environment(),
                log=self.log,
                isolated=self.request.get("EnableNetworkIsolation", False),
                interpreter=self.processes.interpreter_of(
                    self.request["AlgorithmSpecification"].get("TrainingImage", "")
                ),
            )
        )

    def _download(self, channel: dict[str, Any]) -> None:
        uri = channel["DataSource"]["S3DataSource"]["S3Uri"]
        bucket, prefix = split_uri(uri)
        folder = prefix if prefix.endswith("/") or not prefix else prefix.rpartition("/")[0] + "/"
        directory = self.root / "input" / "data" / channel["ChannelName"]
        keys = self.storage.keys(uri)
        if not keys:
            raise DownloadError(f"{uri}: no objects")
        for key in keys:
            # The prefix s3://bucket/train names train/a.csv as well: what follows the last common folder is the path.
            name = key[len(prefix) :].lstrip("/") if key.startswith(f"{prefix}/") else key.removeprefix(folder)
            target = directory / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(self.storage.read(f"s3://{bucket}/{key}"))

    def _download_source(self) -> None:
        uri = self.parameters["sagemaker_submit_directory"]
        if uri.startswith("s3://"):
            if self.request.get("EnableNetworkIsolation"):
                raise TrainingError(f"AlgorithmError: {uri} is out of reach: the container has no network")
            packed = self.storage.read(uri)
        else:
            place = self.root / uri.removeprefix(ML).lstrip("/")
            if not place.is_file():
                raise TrainingError(f"AlgorithmError: {uri}: no such file or directory")
            packed = place.read_bytes()
        unpack(packed, self.root / "code")
        if not (self.root / "code" / self.parameters["sagemaker_program"]).exists():
            raise TrainingError(f"AlgorithmError: the source has no {self.parameters['sagemaker_program']}")

    @property
    def _checkpoints_uri(self) -> str:
        uri: str = self.request.get("CheckpointConfig", {}).get("S3Uri", "")
        return uri.rstrip("/")

    def _restore_checkpoints(self) -> None:
        if not self._checkpoints_uri:
            return
        bucket, prefix = split_uri(self._checkpoints_uri)
        for key in self.storage.keys(f"{self._checkpoints_uri}/"):
            target = self.root / CHECKPOINTS / key[len(prefix) + 1 :]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(self.storage.read(f"s3://{bucket}/{key}"))

    def _save_checkpoints(self) -> None:
        if not self._checkpoints_uri:
            return
        for path in sorted((self.root / CHECKPOINTS).rglob("*")):
            if path.is_file():
                name = path.relative_to(self.root / CHECKPOINTS).as_posix()
                self.storage.write(f"{self._checkpoints_uri}/{name}", path.read_bytes(), None)

    def interrupt(self) -> None:
        """Lose the instance: SageMaker has copied the checkpoints meanwhile, here once the script has had its time."""
        limit = self.request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", REAL_SECONDS_MAX)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(min(limit, REAL_SECONDS_MAX))  # type: ignore[union-attr]
        self._save_checkpoints()
        self.abort()

    def _write_configuration(self) -> None:
        channels = {
            channel["ChannelName"]: {
                "TrainingInputMode": "File",
                "S3DistributionType": channel["DataSource"]["S3DataSource"].get(
                    "S3DataDistributionType", "FullyReplicated"
                ),
                "RecordWrapperType": channel.get("RecordWrapperType", "None"),
                **({"ContentType": channel["ContentType"]} if "ContentType" in channel else {}),
            }
            for channel in self.request.get("InputDataConfig", [])
        }
        files = {
            "hyperparameters.json": self.request.get("HyperParameters", {}),
            "inputdataconfig.json": channels,
            "resourceconfig.json": {"current_host": HOST, "hosts": [HOST], "network_interface_name": "eth0"},
        }
        for name, document in files.items():
            (self.root / "input" / "config" / name).write_text(json.dumps(document), encoding="utf-8")

    def _own_parameters(self) -> dict[str, Any]:
        return {
            name: value
            for name, value in sorted(self.parameters.items())
            if not name.startswith(("sagemaker_", "_tuning"))
        }

    def _command(self) -> list[str]:
        if self.runs_algorithm:
            return [str(TRAINING)]
        arguments = []
        for name, value in self._own_parameters().items():
            arguments += [f"-{name}" if len(name) == 1 else f"--{name}", str(value)]
        return [self.parameters["sagemaker_program"], *arguments]

    def _environment(self) -> dict[str, str]:
        root, own = self.root, self._own_parameters()
        channels = [channel["ChannelName"] for channel in self.request.get("InputDataConfig", [])]
        variables = {
            "SM_MODEL_DIR": root / "model",
            "SM_INPUT_DIR": root / "input",
            "SM_INPUT_CONFIG_DIR": root / "input" / "config",
            "SM_OUTPUT_DIR": root / "output",
            "SM_OUTPUT_DATA_DIR": root / "output" / "data",
            **self._script_variables(),
            "SM_CHANNELS": json.dumps(sorted(channels)),
            "SM_HPS": json.dumps(own),
            "SM_USER_ARGS": json.dumps(self._command()[1:]),
            "SM_CURRENT_HOST": HOST,
            "SM_HOSTS": json.dumps([HOST]),
            "SM_NUM_CPUS": os.cpu_count() or 1,
            "SM_NUM_GPUS": 0,
            "SM_CURRENT_INSTANCE_TYPE": self.request["ResourceConfig"].get("InstanceType", ""),
            "SM_RESOURCE_CONFIG": (root / "input" / "config" / "resourceconfig.json").read_text(),
            "SM_INPUT_DATA_CONFIG": (root / "input" / "config" / "inputdataconfig.json").read_text(),
            "TRAINING_JOB_NAME": self.request["TrainingJobName"],
            "PYTHONUNBUFFERED": "1",
            **{f"SM_CHANNEL_{name.upper()}": root / "input" / "data" / name for name in channels},
            **{f"SM_HP_{name.upper()}": value for name, value in own.items()},
            **{name: self._place(value) for name, value in self.request.get("Environment", {}).items()},
        }
        return inherited() | {name: str(value) for name, value in variables.items()}

    def _script_variables(self) -> dict[str, Any]:
        if self.runs_algorithm:
            return {}
        program = self.parameters["sagemaker_program"]
        return {
            "SM_MODULE_DIR": self.parameters["sagemaker_submit_directory"],
            "SM_MODULE_NAME": Path(program).stem,
            "SM_USER_ENTRY_POINT": program,
        }

    def _place(self, value: str) -> str:
        """What a value that names a place below /opt/ml names here."""
        return str(self.root / value.removeprefix(ML).lstrip("/")) if value.startswith(f"{ML}/") else value

    def collect(self) -> dict[str, Any]:
        """Wait for the script; upload the model, or tell why there is none."""
        limit = self.request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", REAL_SECONDS_MAX)
        try:
            code = self._process.wait(min(limit, REAL_SECONDS_MAX))  # type: ignore[union-attr]
        except subprocess.TimeoutExpired as error:
            raise TimeoutError from error
        if code != 0:
            raise TrainingError(f"AlgorithmError: {self._reason(code)}, exit code: {code}")
        output = self.request["OutputDataConfig"]
        uri = f"{output['S3OutputPath'].rstrip('/')}/{self.request['TrainingJobName']}/output"
        try:
            self._save_checkpoints()
            self.storage.write(f"{uri}/model.tar.gz", pack(self.root / "model"), output.get("KmsKeyId"))
            if any((self.root / "output" / "data").iterdir()):
                packed = pack(self.root / "output" / "data")
                self.storage.write(f"{uri}/output.tar.gz", packed, output.get("KmsKeyId"))
        except DownloadError as error:
            raise TrainingError(f"ClientError: Artifact upload failed:{error}") from error
        shutil.rmtree(self.root, ignore_errors=True)
        return {"FinalMetricDataList": self._metrics()}

    def _reason(self, code: int) -> str:
        told = self.root / "output" / "failure"
        if told.exists():
            return told.read_text(encoding="utf-8", errors="replace")[:ERROR_LENGTH_MAX]
        tail = self.log.read_text(encoding="utf-8", errors="replace")[-ERROR_LENGTH_MAX:].strip()
        return f'ExecuteUserScriptError: ExitCode {code} ErrorMessage "{tail}"'

    def _metrics(self) -> list[dict[str, Any]]:
        # As the log reaches CloudWatch: control characters are escaped.
        log = self.log.read_text(encoding="utf-8", errors="replace").replace("\t", "#011")
        found = []
        for definition in self.request["AlgorithmSpecification"].get("MetricDefinitions", []):
            values = re.findall(definition["Regex"], log)
            if values:
                last = values[-1][0] if isinstance(values[-1], tuple) else values[-1]
                found.append(
                    {"MetricName": definition["Name"], "Value": float(last), "Timestamp": self.region.clock.now}
                )
        return found

    def abort(self) -> None:
        """End the script and delete its directories; the log stays."""
        if self._process is not None:
            if self._process.poll() is None:
                self._process.kill()
            self._process.wait()
        shutil.rmtree(self.root, ignore_errors=True)


def _decoded(value: str) -> Any:
    """Return a hyperparameter as the training toolkit reads it: JSON where it is JSON, else text."""
    try:
        return json.loads(value)
    except ValueError:
        return value
