"""SageMaker models: CreateModel and its kin, and the way from a model's name to the container that serves it.

The real service checks names, the role, that artefact and package exist, that the role may read the artefact, and
refuses a second model of the same
name. Imitated: those, one container per model (PrimaryContainer or a list of one), by image and ModelDataUrl or by
ModelPackageName. Refused: pipelines, multi-model containers, ModelDataSource.
"""

from __future__ import annotations

from typing import Any

from offline.containers.containers import Container, Containers
from offline.containers.xgboost_image import SERVING
from offline.iam.guard import Guard
from offline.region import Region
from offline.sagemaker.api import Described, ValidationError, add_operations, arn, check_name, check_role
from offline.sagemaker.network import check_vpc, join_vpc
from offline.sagemaker.registry import Registry
from offline.sagemaker.storage import Storage, exists
from offline.sagemaker.training.algorithms import is_algorithm

UNSUPPORTED = ("ModelDataSource", "MultiModelConfig", "AdditionalModelDataSources")


def install(region: Region, models: Models) -> None:
    """Answer SageMaker's operations on models."""
    add_operations(
        region,
        CreateModel=models.create,
        DescribeModel=lambda request: models.find(request["ModelName"]).response_object,
        DeleteModel=models.delete,
    )


class Model(Described):
    """A model, and the image, artefact and environment that serve it."""

    def __init__(
        self, arn: str, document: dict[str, Any], tags: list[dict[str, str]] | None, container: dict[str, Any]
    ) -> None:
        super().__init__(arn, document, tags)
        self.container = container


class Models:
    """The account's models."""

    def __init__(self, region: Region, guard: Guard, registry: Registry, containers: Containers) -> None:
        self.region, self.guard, self.registry, self.containers = region, guard, registry, containers

    @property
    def _known(self) -> dict[str, Model]:
        known: dict[str, Model] = self.region.backend("sagemaker")._models
        return known

    def create(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer CreateModel."""
        name = request["ModelName"]
        check_name(name, "modelName")
        if name in self._known:
            raise ValidationError(f'Cannot create already existing model "{arn(self.region, "model", name)}".')
        check_role(self.guard, request["ExecutionRoleArn"])
        check_vpc(request)
        containers = request.get("Containers") or [request.get("PrimaryContainer")]
        if containers == [None]:
            raise ValidationError("Neither PrimaryContainer nor Containers were provided.")
        if len(containers) > 1:
            raise ValidationError("inference pipelines are not imitated: give one container")
        image = self._resolve(containers[0])
        self._check_artefact(image["ModelDataUrl"], request["ExecutionRoleArn"])
        document = {
            **{key: value for key, value in request.items() if key != "Tags"},
            "CreationTime": self.region.clock.now,
            "ModelArn": arn(self.region, "model", name),
            "EnableNetworkIsolation": request.get("EnableNetworkIsolation", False),
        }
        self._known[name] = Model(document["ModelArn"], document, request.get("Tags"), image)
        return {"ModelArn": document["ModelArn"]}

    def _resolve(self, definition: dict[str, Any]) -> dict[str, Any]:
        """Return image, artefact and environment of a container, looking them up in the registry if need be."""
        for key in UNSUPPORTED:
            if key in definition:
                raise ValidationError(f"{key} is not imitated: give ModelDataUrl")
        environment = definition.get("Environment", {})
        if package := definition.get("ModelPackageName"):
            found = self._package(package)
            definition = {**found, "Environment": {**found.get("Environment", {}), **environment}}
        elif not definition.get("Image"):
            raise ValidationError("Requires either Image or ModelPackageName for the container.")
        artefact = definition.get("ModelDataUrl")
        if not artefact:
            raise ValidationError("a container without ModelDataUrl is not imitated")
        if not exists(self.region, artefact):
            raise ValidationError(f"Could not find model data at {artefact}.")
        return definition

    def _check_artefact(self, uri: str, role_arn: str) -> None:
        if self.guard.allows(role_arn, "s3:GetObject", f"arn:aws:s3:::{uri.removeprefix('s3://')}"):
            return
        raise ValidationError(
            f'Could not access model data at {uri}. Please ensure that the role "{role_arn}" exists and that its trust '
            'relationship policy allows the action "sts:AssumeRole" for the service principal '
            '"sagemaker.amazonaws.com". Also ensure that the role has "s3:GetObject" permissions and that the object is '
            f"located in {self.region.name}."
        )

    def _package(self, name: str) -> dict[str, Any]:
        package = self.registry.find(name).document
        if (status := package["ModelApprovalStatus"]) != "Approved":
            raise ValidationError(f"Cannot create a model from model package {name}: its approval status is {status}.")
        return dict(package["InferenceSpecification"]["Containers"][0])

    def find(self, name: str) -> Model:
        """Return a model, or refuse as SageMaker does."""
        if name not in self._known:
            raise ValidationError(f'Could not find model "{arn(self.region, "model", name)}".')
        return self._known[name]

    def delete(self, request: dict[str, Any]) -> None:
        """Answer DeleteModel; endpoints that serve the model go on serving it."""
        self.find(request["ModelName"])
        del self._known[request["ModelName"]]

    def container(self, name: str, extra: dict[str, str] | None = None, *, is_batch: bool = False) -> Container:
        """Return the container that serves a model, or scores a batch with it; its artefact is read as the model's own role."""
        model = self.find(name)
        storage = Storage(self.region, self.guard, model.document["ExecutionRoleArn"])
        join_vpc(self.region, self.guard, model.document["ExecutionRoleArn"], model.document)
        environment = {**model.container.get("Environment", {}), **(extra or {})}
        source = environment.get("SAGEMAKER_SUBMIT_DIRECTORY", "")
        script = storage.read(source) if source.startswith("s3://") else None
        artefact, isolated = storage.read(model.container["ModelDataUrl"]), model.document["EnableNetworkIsolation"]
        image = model.container.get("Image", "")
        interpreter = self.containers.processes.interpreter_of(image)
        algorithm = SERVING if is_algorithm(image) and "SAGEMAKER_PROGRAM" not in environment else None
        if algorithm:
            # A transform job tells every container so; scripts do not ask, and share one with their endpoint here.
            told = {"SAGEMAKER_BATCH": "true"} if is_batch else {}
            environment = {"SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/csv", **environment, **told}
        return self.containers.get(
            artefact, environment, script, isolated=isolated, interpreter=interpreter, algorithm=algorithm
        )
