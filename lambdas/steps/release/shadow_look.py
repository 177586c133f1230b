"""A look at a shadow: both models' answers to the same requests are paired, and all pairs so far are judged."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kedge.own_columns import ROW_ID
from kedge.release.shadow import PairedAnswers, judge_shadow
from kedge.release.tried import TrialVerdict
from lambdas.adapters import clients
from lambdas.adapters.release import experiments
from lambdas.adapters.release.experiments import ANSWER, OF_CHALLENGER, OF_CHAMPION, PAIRS
from lambdas.steps.release.trial_look import TrialLook, fleets_of, labels_of, read_answers, smallest


def pair_hour(look: TrialLook, since: datetime, until: datetime) -> pa.Table:
    """What both answered to the same requests of an hour: those that are kept of the shadow's."""
    of_challenger, of_champion, classes = look.schemas()
    shadow = read_answers(look.captures(look.variant, since, until), of_challenger, classes, smallest)
    ids = shadow.column(ROW_ID).combine_chunks()

    def among(rows: pa.Table) -> pa.Table:
        return rows.filter(pc.is_in(rows.column(ROW_ID), value_set=ids))

    serving = read_answers(look.captures(look.config.endpoint.variant, since, until), of_champion, classes, among)
    here = pc.index_in(ids, value_set=serving.column(ROW_ID).combine_chunks()).to_numpy(zero_copy_only=False)
    paired = np.isfinite(here)
    of_both = serving.column(ANSWER).take(pa.array(here[paired].astype(np.int64)))
    mine = shadow.filter(pa.array(paired))
    return pa.table([mine.column(ROW_ID), of_both, mine.column(ANSWER)], schema=PAIRS)


def judge(look: TrialLook, *, days_are_over: bool) -> TrialVerdict:
    """Judge all pairs so far, with the labels that are in, and both fleets' counts."""
    pairs = experiments.load_hours(clients.s3(), look.bucket, look.config.model, look.experiment.run, PAIRS)
    labels, _ = labels_of(look, pairs.column(ROW_ID).combine_chunks())
    answers = PairedAnswers(pairs.column(OF_CHAMPION).to_numpy(), pairs.column(OF_CHALLENGER).to_numpy(), labels)
    return judge_shadow(answers, *fleets_of(look), look.config, days_are_over=days_are_over)
