"""Every key of the data bucket: what is kept where. Roles are given these prefixes, so a new one needs a line in `stacks/` too."""

from __future__ import annotations

from datetime import date, datetime

# Of a baseline and what is installed beside it; a retraining stages the same files below `STAGED`.
BASELINE = "baseline.npz"
REFERENCE = "reference.json"
SLICES = "slices.npz"
SCHEMA = "schema.json"
STATISTICS, CONSTRAINTS = "statistics.json", "constraints.json"
QUALITY, QUALITY_CONSTRAINTS = "model_quality.json", "model_quality_constraints.json"
# Below the prefix of a retraining; it keeps its `SCHEMA` there too. The training job gets all of `LEARNT`, and of `VALIDATED` where
# the YAML keeps rows apart for it.
LEARNT, VALIDATED, TRAINING_ROWS = "train/", "validation/", "training.parquet"
# The challenger scores all of `SCORED`; the champion the same rows in its own schema, where it has another. The scoring role
# reads both places.
SCORED, SCORED_BY_CHAMPION, TRUTH = "holdout/input/", "holdout/champion/", "holdout/truth.parquet"
MANIFEST, GATE, STAGED, APPROVAL_REQUEST = "manifest.json", "gate.json", "baseline", "approval_request.json"
LINEAGE, GATE_PAGE, STAGING = "lineage.json", "gate.html", "staging.json"
# In the folder of a window: what was measured; and what was judged on the side, once.
PERFORMANCE, ASIDE_DRIFT = "performance.json", "drift.json"
# The YAML of adopted models, which people write.
DEFINITIONS = "models/"
# That of deployed models, which a deployment alone writes: whoever may write the other cannot make Kedge change an endpoint.
DEPLOYED_DEFINITIONS = "deployed/"
# What every model's captures lie below, and every model's timeline.
CAPTURES = "capture/"
TIMELINES = "audit/"


def ringing_key() -> str:
    """What rang at the last look of the monitor at itself, of all models."""
    return "watch/ringing.json"


def captures_prefix(model: str) -> str:
    """Below it, a folder for each package that has answered."""
    return f"{CAPTURES}{model}/"


def failed_logs_prefix(day: date) -> str:
    """What Firehose could not assign to a model on a day."""
    return f"undelivered/{day:%Y/%m/%d}/"


def profiles_prefix(model: str) -> str:
    """Below it, a folder for each package whose days have been counted."""
    return f"profiles/{model}/"


def profile_days_prefix(model: str, package_version: str, baseline: str) -> str:
    """Below it, a package's days as counted against one baseline."""
    return f"profiles/{model}/{package_version}/{baseline}/"


def profile_day_key(model: str, package_version: str, baseline: str, day: date) -> str:
    """A counted day."""
    return f"{profile_days_prefix(model, package_version, baseline)}{day:%Y-%m-%d}.npz"


def id_hashes_key(model: str, package_version: str, day: str, part: str) -> str:
    """The hashes of the ids in one part of the predictions."""
    return f"profiles/{model}/{package_version}/ids/{day}/{part}.ids"


def counted_objects_key(day_key: str, digest: str) -> str:
    """The hashes of capture objects that a day has counted, beside the days of its package.

    >>> counted_objects_key("profiles/m/1/1/2016-01-03.npz", "ab")
    'profiles/m/1/objects/2016-01-03/ab.hashes'
    """
    _, model, package, _, name = day_key.split("/")
    return f"profiles/{model}/{package}/objects/{name.removesuffix('.npz')}/{digest}.hashes"


def answers_prefix(model: str) -> str:
    """Below it, a folder for each package's answered rows."""
    return f"predictions/{model}/"


def predictions_prefix(model: str, package_version: str) -> str:
    """Below it, the answered rows of a package by day."""
    return f"predictions/{model}/package={package_version}/"


def predictions_part_key(model: str, package_version: str, day: date, digest: str) -> str:
    """One part of a day's answered rows."""
    return f"{predictions_prefix(model, package_version)}date={day:%Y-%m-%d}/{digest}.parquet"


def quarantine_prefix(model: str, package_version: str) -> str:
    """Below it, a package's captured lines that could not be read, by day."""
    return f"quarantine/{model}/{package_version}/"


def quarantine_key(model: str, package_version: str, day: date, digest: str) -> str:
    """Captured lines of a day that could not be read."""
    return f"{quarantine_prefix(model, package_version)}{day:%Y-%m-%d}/{digest}.jsonl"


def collected_labels_prefix(model: str, collected: datetime | None = None) -> str:
    """Where a model's labels are put; with a time, what every file of that hour and later sorts after."""
    # '/' sorts before '0', so the hour's own files sort after its name.
    return f"labels/{model}/" + (f"{collected:%Y/%m/%d/%H}" if collected else "")


def labelled_prefix(model: str) -> str:
    """Below it, what has been folded of a model's labels."""
    return f"labelled/{model}/"


def label_days_prefix(model: str, first: date | None = None) -> str:
    """What every day's labels begin with; with a day, what that day and each later one sorts after."""
    return f"labelled/{model}/date=" + (f"{first:%Y-%m-%d}" if first else "")


def label_day_key(model: str, day: date, number: int = 0) -> str:
    """The labels of a day's answers: in one object, or in several where they are many; a later one sorts after those before."""
    return f"{label_days_prefix(model, day)}/labels{f'_{number:04d}' if number else ''}.parquet"


def waiting_labels_key(model: str, slot: int = 0) -> str:
    """Labels whose row has not been found yet: in one object, or in several where they are many."""
    return f"labelled/{model}/pending{f'-{slot}' if slot else ''}.parquet"


def label_ledger_key(model: str) -> str:
    """Which label files have been folded."""
    return f"labelled/{model}/ledger.json"


def joins_prefix(model: str) -> str:
    """Below it, a folder for each join on Athena."""
    return f"athena/{model}/"


def join_prefix(model: str, run: str) -> str:
    """What one join on Athena reads and finds."""
    return f"{joins_prefix(model)}{run}/"


def experiment_prefix(model: str, run: str) -> str:
    """What both models answered to the same requests while one was tried beside the other, an object for each hour."""
    return f"experiments/{model}/{run}/"


def experiment_hour_key(model: str, run: str, hour: datetime) -> str:
    """One hour of it."""
    return f"{experiment_prefix(model, run)}{hour:%Y-%m-%dT%H}.parquet"


def baseline_key(model: str, baseline: str) -> str:
    """A frozen baseline."""
    return f"baselines/{model}/{baseline}.npz"


def beside_baseline_key(model: str, baseline: str, name: str) -> str:
    """A file that was installed with a baseline: its reference, slices, constraints, schema."""
    return f"baselines/{model}/{baseline}/{name}"


def reports_prefix(model: str) -> str:
    """Below it, a model's reports by baseline and window."""
    return f"reports/{model}/"


def aside_prefix(model: str, baseline: str, start: datetime, end: datetime) -> str:
    """The reports of a past window that a person had judged: apart from what the schedule wrote of the same days."""
    return f"reports/{model}/{baseline}/asked/{start:%Y-%m-%dT%H%M}--{end:%Y-%m-%dT%H%M}"


def window_prefix(model: str, baseline: str, end: datetime) -> str:
    """The reports of one window."""
    return f"{reports_prefix(model)}{baseline}/{end:%Y-%m-%dT%H}"


def performance_key(model: str, baseline: str, end: datetime) -> str:
    """What was measured of a window."""
    return f"{window_prefix(model, baseline, end)}/{PERFORMANCE}"


def pages_prefix(model: str) -> str:
    """Below it, a model's page and summary, and a folder for each of its baselines."""
    return f"reports/{model}/"


def page_key(model: str | None = None) -> str:
    """The page of a model; without one, of all models. It is renewed."""
    return f"{pages_prefix(model)}index.html" if model else "reports/index.html"


def summary_key(model: str) -> str:
    """A model's line in the page of all models."""
    return f"{pages_prefix(model)}summary.json"


def drift_name(revision: int) -> str:
    """The report of a window, in its folder; its page stands beside it."""
    return f"drift-r{revision}.json"


def timeline_prefix(model: str) -> str:
    """Below it, a model's timeline by day."""
    return f"{TIMELINES}{model}/"


def timeline_key(model: str, time: datetime, kind: str, digest: str) -> str:
    """One entry of the timeline."""
    return f"{timeline_prefix(model)}{time:%Y/%m/%d}/{time:%H%M%S}-{kind}-{digest}.json"


def initial_key(model: str) -> str:
    """Where a user puts a model's first training rows."""
    return f"initial/{model}/training.parquet"


def retraining_prefix(model: str, run: str) -> str:
    """Say where one retraining keeps what decides: rows, truth, manifest, the gate's evidence. Functions alone write there."""
    return f"retraining/{model}/{run}"


def retraining_key(model: str, run: str, name: str) -> str:
    """A file of one retraining."""
    return f"{retraining_prefix(model, run)}/{name}"


def trained_prefix(model: str, run: str) -> str:
    """Where the training job of one retraining writes."""
    return f"trained/{model}/{run}"


def scored_prefix(model: str, run: str, by: str) -> str:
    """Where the transform job of the challenger, or of the champion, writes: answers to be judged, never facts."""
    return f"scored/{model}/{run}/{by}"


def artefact_key(model: str, job: str) -> str:
    """A training job's artefact as it was pinned; the job's name is unique, so nothing else belongs there."""
    return f"artefacts/{model}/{job}/model.tar.gz"


def finished_training_key(model: str) -> str:
    """The last training job that ended, while its artefact can be used again."""
    return f"artefacts/{model}/finished_training.json"


def history_prefix(table: str, month: str | None = None) -> str:
    """Below it, a table of the history, or one month of it."""
    return f"history/{table}/" + (f"month={month}/" if month else "")


def shown_key(model: str) -> str:
    """What a model's page has shown of the history."""
    return f"history/shown/{model}/tables.zip"


def answers_list_key(model: str, package_version: str, day: date) -> str:
    """Which parts of the predictions table hold a day's answers, as a list that Athena reads."""
    return f"{answers_lists_prefix(model)}month={day:%Y-%m}/{package_version}.{day:%Y-%m-%d}.txt"


def answers_lists_prefix(model: str) -> str:
    """Below it, the lists of a model's answers."""
    return f"history/answers/model={model}/"
