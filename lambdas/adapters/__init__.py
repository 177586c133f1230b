"""The only importers of boto3: the service's dialect in, Kedge's values out.

`state/` is the state table, `bucket/` the data bucket, `training/` what a retraining reads and writes, `release/`
endpoints and the registry; beside them stands what all of these use.
"""
