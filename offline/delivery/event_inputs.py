"""What a rule's target receives: the event, a part of it, a constant, or a template filled from it.

EventBridge's InputTransformer names JSON paths and puts what they find into `<name>` in a template: as JSON where the
placeholder stands alone, as text inside quotes; a path that finds nothing leaves its field out. Imitated: paths of
names and indexes, the reserved variables, JSON templates and text templates.
"""

from __future__ import annotations

import json
import re
from typing import Any

PLACEHOLDER = re.compile(r"<([A-Za-z0-9._-]+)>")
STEP = re.compile(r"\.([A-Za-z0-9_-]+)|\['([^']+)'\]|\[(\d+)\]")
MISSING = object()


def find(event: Any, path: str) -> Any:
    """Return what a JSON path finds in an event, or MISSING."""
    if not path.startswith("$") or STEP.sub("", path[1:]):
        raise ValueError(f"{path!r} is not a JSON path of names and indexes")
    found = event
    for dotted, quoted, index in STEP.findall(path[1:]):
        if index:
            found = found[int(index)] if isinstance(found, list) and int(index) < len(found) else MISSING
        else:
            found = found.get(dotted or quoted, MISSING) if isinstance(found, dict) else MISSING
        if found is MISSING:
            return MISSING
    return found


def target_input(target: dict[str, Any], event: dict[str, Any], rule: tuple[str, str], ingested: str) -> str:
    """Return the text that one of a rule's targets receives for an event; `rule` is the rule's name and ARN."""
    if target.get("Input") is not None:
        return str(target["Input"])
    if target.get("InputPath"):
        found = find(event, target["InputPath"])
        return "" if found is MISSING else json.dumps(found)
    if transformer := target.get("InputTransformer"):
        values: dict[str, Any] = {name: find(event, path) for name, path in _paths(transformer).items()}
        values |= {
            "aws.events.rule-name": rule[0],
            "aws.events.rule-arn": rule[1],
            "aws.events.event": {key: value for key, value in event.items() if key != "detail"},
            "aws.events.event.json": event,
            "aws.events.event.ingestion-time": ingested,
        }
        return fill(transformer["InputTemplate"], values)
    return json.dumps(event)


def fill(template: str, values: dict[str, Any]) -> str:
    """Fill a template's placeholders; `values` may hold MISSING."""
    marked = _quoted_where_bare(template)
    try:
        tree = json.loads(marked)
    except json.JSONDecodeError:
        return PLACEHOLDER.sub(lambda match: _text(values.get(match[1], MISSING)), template)
    filled = _fill_tree(tree, values)
    return json.dumps("" if filled is MISSING else filled)


def _paths(transformer: dict[str, Any]) -> dict[str, str]:
    return transformer.get("InputPathsMap") or {}


def _quoted_where_bare(template: str) -> str:
    """Return the template with every placeholder outside quotes turned into a marked JSON string."""
    parts, inside, position = [], False, 0
    for match in re.finditer(r'\\.|"|' + PLACEHOLDER.pattern, template):
        if match[0] == '"':
            inside = not inside
        elif match[1] and not inside:
            parts += [template[position : match.start()], f'"\\u0000{match[1]}"']
            position = match.end()
    return "".join(parts) + template[position:]


def _fill_tree(node: Any, values: dict[str, Any]) -> Any:
    if isinstance(node, dict):
        filled = {key: _fill_tree(value, values) for key, value in node.items()}
        return {key: value for key, value in filled.items() if value is not MISSING}
    if isinstance(node, list):
        return [value for value in (_fill_tree(item, values) for item in node) if value is not MISSING]
    if isinstance(node, str) and node.startswith("\0"):
        return values.get(node[1:], MISSING)
    if isinstance(node, str):
        return PLACEHOLDER.sub(lambda match: _text(values.get(match[1], MISSING)), node)
    return node


def _text(value: Any) -> str:
    if value is MISSING:
        return ""
    return value if isinstance(value, str) else json.dumps(value)
