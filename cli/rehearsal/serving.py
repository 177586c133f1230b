"""What runs in a process of its own: a serving script is loaded as an image would load it, and answers files of requests.

`serving.py ARTEFACT CONTENT_TYPE REQUESTS ANSWERS`. It imports nothing of Kedge's, and keeps to Python 3.8, so that the
images' Pythons run it too. What an image does where a script lacks one of the functions is not known here.
"""

import importlib
import sys
import traceback
from pathlib import Path

TEXT = ("text/csv", "application/json")
LACKING = 3  # the exit code that says so
FUNCTIONS = ("input_fn", "predict_fn", "output_fn")


def serve(artefact: Path, content_type: str, requests: Path, answers: Path) -> None:
    """Answer each file of `requests` with one of the same name; bare text has no `.type` beside it."""
    sys.path.insert(0, str(artefact / "code"))
    script = importlib.import_module("inference")
    whole = hasattr(script, "transform_fn")
    lacking = [name for name in ("model_fn", *(() if whole else FUNCTIONS)) if not hasattr(script, name)]
    if lacking:
        print(", ".join(lacking))
        sys.exit(LACKING)
    model = script.model_fn(str(artefact))
    for path in sorted(requests.iterdir()):
        body = path.read_bytes()
        given = body.decode() if content_type in TEXT else body
        if whole:
            answer = script.transform_fn(model, given, content_type, content_type)
        else:
            answer = script.output_fn(script.predict_fn(script.input_fn(given, content_type), model), content_type)
        if isinstance(answer, tuple):
            answer, kind = answer
            (answers / (path.name + ".type")).write_text(kind)
        (answers / path.name).write_bytes(answer.encode() if isinstance(answer, str) else bytes(answer))


if __name__ == "__main__":
    try:
        serve(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
    except Exception:
        traceback.print_exc()
        sys.exit(1)
