"""The OpenAPI description, and the pages and files that go with it."""

from __future__ import annotations

import re

import pytest

from swaptalk.serving.http.results import RenderResult


@pytest.fixture(scope="module")
def described(server) -> dict:
    return server.client.get("/api/openapi.json").json()


def test_it_says_how_to_prove_who_one_is_and_where_the_server_is(described: dict) -> None:
    assert described["servers"][0]["url"] == "/"
    schemes = described["components"]["securitySchemes"]
    assert schemes["key"]["scheme"] == "bearer" and schemes["session"]["in"] == "cookie"
    assert {} in described["security"]  # this server asks for no key
    assert described["paths"]["/health"]["get"]["security"] == []


def test_results_are_typed_and_requests_have_examples(described: dict) -> None:
    schemas = described["components"]["schemas"]
    kinds = {
        one.get("$ref", "").rsplit("/")[-1]
        for one in schemas["JobView"]["properties"]["result"]["anyOf"]
    }
    assert {"InspectResult", "PreviewResult", "RenderResult", "TemplateResult"} <= kinds
    assert schemas["JobRequest"]["examples"][0]["consent"]
    rendered = schemas["RenderResult"]
    assert rendered["properties"]["notes"]["items"]["type"] == "string"
    assert RenderResult.model_validate(rendered["examples"][0]).notes
    untyped = [
        f"{name}.{field}"
        for name, schema in schemas.items()
        if name.endswith(("View", "Result"))
        for field, kind in schema.get("properties", {}).items()
        if kind.get("type") == "object" and kind.get("additionalProperties") is True
    ]
    assert untyped == ["RequestView.options"]  # those that were given, of JobOptions


def test_every_operation_says_what_it_does(described: dict) -> None:
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            assert operation.get("description"), f"{method} {path}"


def test_the_reference_is_served_from_here(server) -> None:
    page = server.client.get("/docs", follow_redirects=True)
    assert page.status_code == 200 and page.headers["content-type"].startswith("text/html")
    links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert links and not [link for link in links if link.startswith(("http", "//"))]
    for link in links:
        if not link.startswith("#"):
            assert server.client.get(f"/docs/{link}").status_code == 200, link


def test_the_example_is_three_uploads_that_make_a_job(server) -> None:
    given = server.client.post("/api/v1/example").json()
    assert [given[name]["kind"] for name in ("source", "target", "audio")] == [
        "photo",
        "video",
        "audio",
    ]
    assert given["audio"]["media"]["sound"] and len(given["consent"]) >= 10
    assert server.client.get("/api/v1/about").json()["example"] is True
