"""The published JSON schema of a list's body and the parser agree."""
import json
import pathlib

import jsonschema
import pytest

from envelopes import fine, run, statement

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "schema/allowlist.schema.json").read_text(encoding="utf-8"))
CHECK = jsonschema.Draft202012Validator(SCHEMA)


def test_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", sorted((ROOT / "tests/golden/statements").glob("*.json")), ids=lambda path: path.stem)
def test_golden(path):
    CHECK.validate(json.loads(path.read_text(encoding="utf-8")))


SCOPED = {"critical": ["scope"]}


@pytest.mark.parametrize("good, body", [
    (True, statement()), (True, statement(bind="path", critical=["bind"])), (True, statement(later=1)),
    (True, statement(scope={"images": ["a*"], "hosts": ["b"]}, **SCOPED)),
    (True, statement(scope={"namespaces": ["b"]}, critical=["bind", "scope"])),
    (True, statement(names=["/..a/.b/c...", "/\u00e9"])),
    (False, statement(names=[])), (False, statement(names=["a"])), (False, statement(names=["/"])),
    (False, statement(names=["/a/"])), (False, statement(names=["/a//b"])), (False, statement(names=["/a/./b"])),
    (False, statement(names=["/.."])), (False, statement(names=["/a\x1b"])), (False, statement(version=0)),
    (False, statement(version="7")), (False, statement(version=1 << 63)), (False, statement(bind="both")),
    (False, statement(series="")), (False, statement(series="a\nb")), (False, statement(issued="2026-01-01")),
    (False, statement(scope={"hosts": ["a"]})), (False, statement(scope={"hosts": ["a"]}, critical=["bind"])),
    (False, statement(scope={}, **SCOPED)), (False, statement(scope={"hosts": []}, **SCOPED)),
    (False, statement(scope={"pods": ["a"]}, **SCOPED)), (False, statement(scope={"hosts": ["a", "a"]}, **SCOPED)),
    (False, statement(scope={"hosts": "a"}, **SCOPED)), (False, statement(scope={"hosts": [1]}, **SCOPED)),
    (False, statement(scope={"hosts": [str(i) for i in range(65)]}, **SCOPED)),
    (False, statement(critical=["nonsense"])), (False, statement(critical=["bind", "bind"])),
    (False, statement(critical="bind")), (False, statement(predicate_type="x"))])
def test_the_schema_and_the_parser_agree(tmp_path, good, body):
    (tmp_path / "body").write_bytes(body)
    parsed = run("allowlist", "diff", tmp_path / "body", tmp_path / "body")
    assert parsed.returncode == (0 if good else 65), parsed.stderr
    assert CHECK.is_valid(json.loads(body)) == good


def test_what_is_created(tmp_path):
    (tmp_path / "x").write_bytes(b"x")
    body = fine("allowlist", "create", tmp_path / "x", "--series", "s", "--valid-for", "1d", "-o", "-", "--scope",
                "image=a", "--bind", "path").stdout
    CHECK.validate(json.loads(body))
