"""Who may delete captures, and how."""

from tests.synthesised import functions, statements_of


def deleting():
    """Each function that may delete objects, with its statements."""
    found = {}
    for path, function in functions().items():
        stack, name = path.split("/")
        role = function["Properties"]["Role"]["Fn::GetAtt"][0]
        allowed = [
            each
            for each in statements_of(stack, role)
            if each["Effect"] == "Allow" and "s3:DeleteObject" in str(each["Action"])
        ]
        if allowed:
            found[name] = allowed
    return found


def below(statement):
    resources = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
    return sorted(each["Fn::Join"][1][-1] for each in resources)


def test_three_functions_delete_each_below_its_own_prefixes():
    assert {name: [below(each) for each in found] for name, found in deleting().items()} == {
        "keep_history": [["/history/*"]],
        "define_models": [["/deployed/*"]],
        "expire_captures": [["/capture/*", "/logs/*"]],
    }


def test_a_capture_is_only_deleted_as_it_was_counted_and_never_a_version():
    (statement,) = deleting()["expire_captures"]
    assert statement["Action"] == "s3:DeleteObject"
    assert statement["Condition"] == {"Null": {"s3:if-match": "false"}}
