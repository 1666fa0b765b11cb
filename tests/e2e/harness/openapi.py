# SPDX-License-Identifier: MIT
"""Checks requests and answers of `postrider serve` against the document that it gives out."""
import functools
import json
import os
import re
import urllib.parse
import uuid

import jsonschema

from harness.postrider import ROOT

FILE = os.path.join(ROOT, "src", "serve", "openapi.json")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")

formats = jsonschema.FormatChecker(formats=())


@formats.checks("date-time")
def is_time(value):
    return not isinstance(value, str) or TIME.fullmatch(value) is not None


@formats.checks("uuid", raises=ValueError)
def is_uuid(value):
    return not isinstance(value, str) or str(uuid.UUID(value)) == value.lower()


@functools.cache
def document():
    with open(FILE, encoding="ascii") as file:
        return json.load(file)


def validator(schema):
    resolver = jsonschema.RefResolver("", document())
    return jsonschema.Draft202012Validator(schema, resolver=resolver, format_checker=formats)


def resolve(part):
    while "$ref" in part:
        found = document()
        for name in part["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        part = found
    return part


def find_operation(method, path):
    """None where the document says nothing: no such path, or method."""
    method = {"HEAD": "get"}.get(method, method.lower())
    for template, operations in document()["paths"].items():
        pattern = "".join("[0-9A-Fa-f-]{36}" if part == "{id}" else re.escape(part)
                          for part in re.split(r"(\{id\})", template))
        if re.fullmatch(pattern, path) and method in operations:
            return operations[method]
    return None


def check_schema(content, kind, body, what):
    kind = kind.split(";")[0]
    assert kind in content, f"{what}: {kind} is not in the document"
    if kind == "text/plain":
        body.decode()
        return
    problems = sorted(validator(content[kind]["schema"]).iter_errors(json.loads(body)), key=str)
    assert not problems, f"{what}: {problems[0].json_path}: {problems[0].message}"


def check_request(operation, query, body, headers, what):
    """Of a request that was not refused: all that it says is in the document."""
    parameters = {(p["in"], p["name"]): p for p in map(resolve, operation.get("parameters", []))}
    for name, value in urllib.parse.parse_qsl(query, keep_blank_values=True):
        assert ("query", name) in parameters, f"{what}: ?{name} is not in the document"
        schema = parameters["query", name]["schema"]
        validator(schema).validate(int(value) if schema["type"] == "integer" else value)
    for (place, name), parameter in parameters.items():
        if place == "header" and parameter.get("required"):
            assert name.lower() in {given.lower() for given in headers}, what
    if "requestBody" in operation and (body or operation["requestBody"]["required"]):
        check_schema(operation["requestBody"]["content"], "application/json", body, f"{what}: request")


def check(method, target, body, headers, answer):
    """A request, and what was answered to it."""
    path, _, query = target.partition("?")
    what = f"{method} {target} -> {answer.status}"
    kind = answer.headers.get("content-type")
    operation = find_operation(method, path)
    if operation is None:
        # The page's files are none of the API.
        assert answer.status >= 400 or not path.startswith("/v1/"), f"{what}: not in the document"
        return
    responses = operation["responses"]
    assert str(answer.status) in responses, f"{what}: the status is not in the document"
    response = resolve(responses[str(answer.status)])
    if answer.status < 400:
        check_request(operation, query, body, headers or {}, what)
    for name in response.get("headers", {}):
        if name in ("ETag", "Location", "Allow", "WWW-Authenticate"):
            assert name.lower() in answer.headers, f"{what}: no {name}"
    if method != "HEAD" and "content" in response:
        check_schema(response["content"], kind, answer.body, what)
