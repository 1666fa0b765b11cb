# SPDX-License-Identifier: MIT
"""Spans of attempts, as an OpenTelemetry collector gets them by OTLP/HTTP JSON; and that none of its moods
has an effect on deliveries."""
import re
import socket

import pytest

from harness.behaviours import answer, hang
from harness.ports import closed_port
from harness.wait import wait_for
from test_events import TRACE, delivered, publish, subscribe

TRACE_ID, PARENT_ID = TRACE.split("-")[1:3]
UNSAMPLED = TRACE[:-2] + "00"

# ExportTraceServiceRequest of opentelemetry-proto in protobuf's JSON form: each field that may be there, with
# what its value must be.
HEX = {"traceId": 32, "spanId": 16, "parentSpanId": 16}
ALLOWED = {
    "request": {"resourceSpans"}, "resourceSpans": {"resource", "scopeSpans"}, "resource": {"attributes"},
    "scopeSpans": {"scope", "spans"}, "scope": {"name", "version"},
    "span": {"traceId", "spanId", "parentSpanId", "name", "kind", "startTimeUnixNano", "endTimeUnixNano",
             "attributes", "status"},
    "status": {"code", "message"},
}


def check_keys(what, value):
    assert isinstance(value, dict) and set(value) <= ALLOWED[what], (what, value)
    return value


def attributes_of(entries):
    """As a dictionary of texts and numbers."""
    found = {}
    for entry in entries:
        assert set(entry) == {"key", "value"} and entry["key"] not in found
        (kind, value), = entry["value"].items()
        assert kind in ("stringValue", "intValue") and isinstance(value, str)
        found[entry["key"]] = int(value) if kind == "intValue" else value
    return found


def check_span(span):
    check_keys("span", span)
    for name, digits in HEX.items():
        if name in span or name != "parentSpanId":
            assert re.fullmatch("[0-9a-f]{%d}" % digits, span[name]) and set(span[name]) != {"0"}
    assert (span["name"], span["kind"]) == ("POST", 3) and isinstance(span["kind"], int)
    for name in ("startTimeUnixNano", "endTimeUnixNano"):
        assert isinstance(span[name], str) and re.fullmatch("[0-9]{19}", span[name])
    assert int(span["endTimeUnixNano"]) >= int(span["startTimeUnixNano"])
    check_keys("status", span["status"])
    return {**span, "attributes": attributes_of(span["attributes"])}


def spans_of(request):
    """The spans of one request; fails where it is not what the schema says."""
    assert (request.method, request.path) == ("POST", "/v1/traces")
    assert request.header("content-type") == "application/json"
    found = []
    for group in check_keys("request", request.json())["resourceSpans"]:
        check_keys("resourceSpans", group)
        resource = attributes_of(check_keys("resource", group["resource"])["attributes"])
        assert resource["service.name"] == "postrider" and resource["service.version"]
        assert resource["host.name"] == socket.gethostname()
        for scope in group["scopeSpans"]:
            assert check_keys("scopeSpans", scope)["scope"]["name"] == "postrider"
            check_keys("scope", scope["scope"])
            found += [check_span(span) for span in scope["spans"]]
    assert found
    return found


def all_spans(collector):
    return [span for request in list(collector.requests) for span in spans_of(request)]


def wait_for_spans(collector, count):
    wait_for(lambda: len(all_spans(collector)) >= count, f"{count} spans")
    return all_spans(collector)


def tracing(collector, **options):
    return {"tracing": {"url": collector.url("/v1/traces"), **options}}


def test_spans_of_attempts(service, migrated_database, receiver):
    """Retried, refused and delivered ones; children of the event's span, or roots of their own."""
    collector, server = receiver(), receiver()
    url = server.on("/hook", answer(503), answer(200))
    subscribe(migrated_database, url + "?token=hunter2")
    with closed_port() as port:
        # The border for receivers does not hold for the collector: it is the operator's own.
        started = service(migrated_database, {
            **tracing(collector, headers={"Authorization": "Bearer hunter3"}),
            "network": {"allow": [f"127.0.0.1/32:{server.port}", f"127.0.0.1/32:{port}"]}})
        event = publish(migrated_database, traceparent=TRACE)
        delivered(migrated_database, event)
        plain = migrated_database.insert_delivery(server.url("/plain"))
        migrated_database.wait_for_status(plain, "delivered")
        migrated_database.row_after_attempt(f"http://127.0.0.1:{port}/refused")
        forbidden = migrated_database.insert_delivery("http://127.0.0.2/")
        migrated_database.wait_for_status(forbidden, "failed")
        spans = wait_for_spans(collector, 4)
    started.stop()
    by_place = {(span["attributes"]["url.full"], span["attributes"]["postrider.attempt"]): span
                for span in spans}
    first, second = by_place[url, 1], by_place[url, 2]
    for span, request, status in zip((first, second), server.requests_to("/hook"), (503, 200)):
        assert (span["traceId"], span["parentSpanId"]) == (TRACE_ID, PARENT_ID)
        assert request.header("traceparent") == f"00-{TRACE_ID}-{span['spanId']}-01"
        assert span["attributes"]["http.response.status_code"] == status
        assert span["attributes"]["postrider.event.id"] == event
        assert span["attributes"]["server.address"] == "127.0.0.1"
        assert span["attributes"]["server.port"] == server.port
        assert span["attributes"]["http.request.method"] == "POST"
    assert (first["status"], first["attributes"]["error.type"]) == ({"code": 2}, "503")
    assert second["status"] == {} and "error.type" not in second["attributes"]
    assert int(second["startTimeUnixNano"]) >= int(first["endTimeUnixNano"])
    root = by_place[server.url("/plain"), 1]
    assert "parentSpanId" not in root and root["traceId"] != TRACE_ID
    assert root["attributes"]["postrider.delivery.id"] == plain
    (request,) = server.requests_to("/plain")
    assert request.header("traceparent") == f"00-{root['traceId']}-{root['spanId']}-01"
    assert started.log_lines(f"msg=delivered.*trace_id={root['traceId']}")
    refused = by_place[f"http://127.0.0.1:{port}/refused", 1]
    assert refused["attributes"]["error.type"] == "connect" and refused["status"]["message"]
    # What was never sent is no attempt.
    assert not [span for span in all_spans(collector)
                if span["attributes"]["postrider.delivery.id"] == forbidden]
    assert {request.header("authorization") for request in collector.requests} == {"Bearer hunter3"}
    assert not any(b"hunter2" in request.body for request in collector.requests)
    assert "hunter3" not in started.log()
    assert started.log_lines(f"delivery={forbidden}") and not started.log_lines(
        f"delivery={forbidden}.*trace_id=")


def test_parents_and_share_decide(service, migrated_database, receiver):
    """A sampled parent is followed whatever the share, another one never; a reload changes both."""
    collector, server = receiver(), receiver()
    subscribe(migrated_database, server.url("/hook"))
    started = service(migrated_database, tracing(collector, sample=0))
    for parent in (UNSAMPLED, None, TRACE):
        delivered(migrated_database, publish(migrated_database, traceparent=parent))
    spans = wait_for_spans(collector, 1)
    assert [span["traceId"] for span in spans] == [TRACE_ID]
    unsampled, without, sampled = server.requests
    assert unsampled.header("traceparent") == UNSAMPLED and not without.values("traceparent")
    assert sampled.header("traceparent") == f"00-{TRACE_ID}-{spans[0]['spanId']}-01"

    started.configure({"tracing": {"url": ""}})
    started.reload()
    delivered(migrated_database, publish(migrated_database, traceparent=TRACE))
    assert server.requests[-1].header("traceparent") == TRACE

    started.configure(tracing(collector, sample=1))
    started.reload()
    delivered(migrated_database, publish(migrated_database))
    # What waits when a worker stops is sent.
    started.stop()
    new = all_spans(collector)[1:]
    assert [span["traceId"] for span in new] == [server.requests[-1].header("traceparent").split("-")[1]]
    assert not started.log_lines("traces were dropped")


@pytest.mark.parametrize("mood", ["away", "hangs", "503"])
def test_collector_in_trouble(service, migrated_database, receiver, mood):
    """Deliveries go on, and what is dropped is counted."""
    server = receiver()
    with closed_port() as port:
        collector = receiver(default={"hangs": hang(), "503": answer(503)}.get(mood, answer()))
        url = f"http://127.0.0.1:{port}/v1/traces" if mood == "away" else collector.url("/v1/traces")
        started = service(migrated_database, {"tracing": {"url": url}})
        migrated_database.insert_deliveries([server.url("/hook")] * 20)
        assert migrated_database.wait_for_no_pending() == {"delivered": 20}
        if mood == "hangs":
            collector.wait_for_requests(1)
            migrated_database.insert_deliveries([server.url("/hook")] * 20)
            assert migrated_database.wait_for_no_pending() == {"delivered": 40}
        else:
            started.wait_for_log("traces were dropped")
        started.stop()
    lines = started.log_lines('msg="traces were dropped"')
    expected = {"away": "[Cc]onnect", "hangs": "stops without waiting", "503": "answered 503"}[mood]
    assert all(re.search(expected, line) for line in lines)
    dropped = sum(int(re.search(r" spans=(\d+)", line)[1]) for line in lines)
    assert dropped == (40 if mood == "hangs" else 20)


def test_more_than_the_queue_holds(service, migrated_database, receiver, authority):
    """What is too much is dropped and counted; after a reload what waits goes to another collector, and the
    request under way ends as it began."""
    server, collector = receiver(), receiver()
    other = receiver(tls=authority.server_context())
    gate = collector.hold("/v1/traces")
    started = service(migrated_database, tracing(collector))
    migrated_database.insert_deliveries([server.url("/hook")] * 2500)
    assert migrated_database.wait_for_no_pending() == {"delivered": 2500}
    started.wait_for_log("traces were dropped.*more than the collector takes")
    started.configure({**tracing(other), "network": {"ca_file": authority.ca_file}})
    started.reload()
    gate.open()
    other.wait_for_requests(1)
    started.stop()
    dropped = sum(int(re.search(r" spans=(\d+)", line)[1])
                  for line in started.log_lines('msg="traces were dropped"'))
    assert len(collector.requests) == 1
    spans = all_spans(collector) + all_spans(other)
    assert len(spans) + dropped == 2500 and len(spans) >= 1024
    assert len({span["spanId"] for span in spans}) == len(spans)
    assert max(len(spans_of(request)) for request in other.requests) == 256
