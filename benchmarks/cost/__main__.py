"""`python -m benchmarks.cost templates`: count anew what the templates hold, and price the page with it; nothing is measured."""

import json
import sys

from benchmarks.cost.pricing import priced_section
from benchmarks.cost.templates import counted_in_templates, memory_and_timeout
from benchmarks.results import write
from cli.cost.coefficients import FILE, read_coefficients
from cli.written_files import write_all

if sys.argv[1:] != ["templates"]:
    raise SystemExit(__doc__)
known = json.loads(FILE.read_text(encoding="utf-8"))
for name, function in known["functions"].items():
    function["memory_mib"], function["timeout_seconds"] = memory_and_timeout(name.split()[0])
write_all({FILE: json.dumps(known | {"templates": counted_in_templates()}, indent=1, sort_keys=True) + "\n"})
write([priced_section(read_coefficients())])
