"""Runs inside an image's environment, on its Python: trains or answers through AWS's own packages, as the image does."""

import json
import sys


def train_xgboost():
    """As sagemaker-xgboost-container does: the source is installed as a module, and run."""
    from sagemaker_containers.beta import framework

    job = framework.training_env()
    framework.modules.run_module(job.module_dir, job.to_cmd_args(), job.to_env_vars(), job.module_name)


def train_sklearn():
    """As sagemaker-scikit-learn-container does: the script is run where it was unpacked."""
    from sagemaker_training import entry_point, environment

    job = environment.Environment()
    entry_point.run(
        uri=job.module_dir, user_entry_point=job.user_entry_point, args=job.to_cmd_args(), env_vars=job.to_env_vars()
    )


def serve():
    """Answer the requests of standard input; the answers are the file named as second argument."""
    from sagemaker_containers.beta.framework import env, modules, transformer, worker

    serving = env.ServingEnv()
    script = modules.import_module(serving.module_dir, serving.module_name)
    names = ("model_fn", "input_fn", "predict_fn", "output_fn")
    functions = transformer.Transformer(**{name: getattr(script, name) for name in names})
    functions.initialize()
    client = worker.Worker(transform_fn=functions.transform, module_name="serving").test_client()
    answers = []
    for request in json.load(sys.stdin):
        headers = {"Content-Type": request["content_type"]}
        if request["accept"] is not None:
            headers["Accept"] = request["accept"]
        found = client.post("/invocations", data=request["body"].encode(), headers=headers)
        body = found.get_data(as_text=True)
        answers.append({"status": found.status_code, "content_type": found.headers["Content-Type"], "body": body})
    with open(sys.argv[2], "w") as file:
        json.dump(answers, file)


if __name__ == "__main__":
    {"train_xgboost": train_xgboost, "train_sklearn": train_sklearn, "serve": serve}[sys.argv[1]]()
