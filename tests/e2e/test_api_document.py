# SPDX-License-Identifier: MIT
"""The OpenAPI document of `postrider serve`. That the table of routes says the same: tests/unit/test_routes.c; that
requests and answers do: harness/openapi.py, with each one of these tests."""
import json
import os
import shutil
import subprocess

import pytest

from harness import openapi
from harness.postrider import ROOT


def test_served_to_everybody(serve):
    started = serve()
    got = started.get("/v1/openapi.json")
    assert got.status == 200 and got.json() == openapi.document() and got.json()["openapi"] == "3.1.0"
    assert got.headers["content-type"] == "application/json"
    same = started.get("/v1/openapi.json", **{"If-None-Match": got.headers["etag"]})
    assert (same.status, same.body) == (304, b"")


@pytest.mark.slow
def test_valid(tmp_path):
    """By somebody else's validator, at the version in tests/openapi."""
    if shutil.which("npm") is None:
        pytest.skip("there is no npm to fetch the validator with")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(os.path.join(ROOT, "tests", "openapi", name), tmp_path)
    subprocess.run(["npm", "ci", "--silent", "--ignore-scripts"], cwd=tmp_path, check=True)
    result = subprocess.run(["npx", "--no-install", "validate-api", openapi.FILE], cwd=tmp_path,
                            stdout=subprocess.PIPE, text=True, check=False)
    assert json.loads(result.stdout)["valid"] is True, result.stdout


def test_the_check_finds_what_is_wrong():
    """Or it would be none."""
    schema = {"$ref": "#/components/schemas/Replay"}
    replay = {"id": "0ae58721-843e-40a6-ad70-e485e34a17ca", "kind": "replay", "customer_id": None, "filter": {},
              "rate": None, "requested_by": "a", "requested_at": "2031-05-17T12:03:04Z", "started_at": None,
              "stopped_at": None, "finished_at": None, "error": None, "total": None, "done": "0", "pass": 1,
              "skipped": {}, "skipped_count": "0", "result": None}
    assert openapi.validator(schema).is_valid(replay)
    for change in ({"id": "x"}, {"requested_at": "yesterday"}, {"done": 0}, {"colour": 1}):
        assert not openapi.validator(schema).is_valid({**replay, **change}), change
    del replay["kind"]
    assert not openapi.validator(schema).is_valid(replay)
