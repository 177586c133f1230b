"""What an endpoint captured, as rows.

`records` is the way in; `payloads` reads one record (`formats` its text, `requests` and `answer_layouts` its rows,
`answers` what one answer says), `blocks` many plain ones at once, `lines` objects of any size, `attributes` what
callers said beside a request, `check` why a container's captures cannot be read. `source` says where a model's records
are from: Data Capture, `transform_jobs`, or a `log`. `typed_rows` is the table that comes out.
"""
