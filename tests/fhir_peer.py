"""An EHR's FHIR R4 server on a real socket: stores transactions, honours conditions, fails on demand."""

from __future__ import annotations

import itertools
import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import uvicorn
from fhir.resources.R4B import get_fhir_model_class
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


class Refusal(Exception):
    def __init__(self, status: int, code: str) -> None:
        self.status, self.code = status, code
        super().__init__(code)


def outcome(status: int, code: str, diagnostics: str = "", headers: dict[str, str] | None = None) -> JSONResponse:
    issue = {"severity": "error", "code": code, **({"diagnostics": diagnostics} if diagnostics else {})}
    return JSONResponse({"resourceType": "OperationOutcome", "issue": [issue]}, status_code=status, headers=headers)


@dataclass
class Ehr:
    """``stored`` by ``Type/id``, ``versions`` counts changes; ``answers`` come before anything else, in order."""

    stored: dict[str, dict[str, Any]] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    answers: list[Any] = field(default_factory=list)
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    authorization: str | None = None
    passes_over_search: bool = False
    includes: bool = True
    url: str = ""
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(100))

    def matching(self, kind: str, query: str) -> list[str]:
        found = [name for name in self.stored if name.startswith(f"{kind}/")]
        for name, value in parse_qsl(query, keep_blank_values=True, strict_parsing=True):
            if name in ("identifier", "_tag"):
                parts = re.split(r"(?<!\\)\|", value, maxsplit=1)  # an escaped bar is part of the value
                system, code = (re.sub(r"\\(.)", r"\1", part) for part in ["", *parts][-2:])
                found = [f for f in found if self._has(self.stored[f], name, system, code)]
        return found

    @staticmethod
    def _has(resource: dict[str, Any], name: str, system: str, code: str) -> bool:
        pairs = resource.get("identifier", []) if name == "identifier" else resource.get("meta", {}).get("tag", [])
        return any((p.get("value", p.get("code")) == code) and (not system or p.get("system") == system) for p in pairs)

    def transact(self, bundle: dict[str, Any]) -> dict[str, Any]:
        """All or nothing: places are found first, then references written out, then everything stored."""
        places = [self._place(entry) for entry in bundle["entry"]]
        names = {entry["fullUrl"]: place for entry, (place, _) in zip(bundle["entry"], places, strict=True)}
        answers = []
        for entry, (place, status) in zip(bundle["entry"], places, strict=True):
            resource = json.loads(
                re.sub(r"urn:uuid:[0-9a-f-]{36}", lambda m: names[m.group()], json.dumps(entry["resource"]))
            )
            if status != "200 OK" or entry["request"]["method"] == "PUT":
                if self.stored.get(place) != resource:
                    self.versions[place] = self.versions.get(place, 0) + 1
                self.stored[place] = resource
            answers.append({"response": {"status": status, "location": f"{place}/_history/1"}})
        return {"resourceType": "Bundle", "type": "transaction-response", "entry": answers}

    def _place(self, entry: dict[str, Any]) -> tuple[str, str]:
        resource, request = entry["resource"], entry["request"]
        kind = resource["resourceType"]
        try:
            get_fhir_model_class(kind).model_validate(resource)
        except ValidationError:
            raise Refusal(422, "invariant") from None
        url, _, query = request["url"].partition("?")
        if url != kind or (request["method"] == "PUT") != bool(query):
            raise Refusal(400, "invalid")
        found = self.matching(kind, query or request["ifNoneExist"])
        if len(found) > 1:
            raise Refusal(412, "multiple-matches")
        return (found[0], "200 OK") if found else (f"{kind}/{next(self.numbers)}", "201 Created")

    async def handle(self, request: Request) -> Response:
        self.requests.append((request.method, str(request.url), dict(request.headers)))
        if self.answers:
            return self.answers.pop(0)
        if self.authorization is not None and request.headers.get("authorization") != self.authorization:
            return outcome(401, "login")
        try:
            if request.method == "POST":
                return JSONResponse(self.transact(await request.json()))
            return self._get(request.path_params["path"], request.url.query)
        except Refusal as refusal:
            return outcome(refusal.status, refusal.code)

    def _get(self, path: str, query: str) -> Response:
        if "/" in path:
            return JSONResponse(self.stored[path]) if path in self.stored else outcome(404, "not-found")
        found = self.matching(path, "" if self.passes_over_search else query)
        entries = [
            {"fullUrl": f"{self.url}/{n}", "resource": self.stored[n], "search": {"mode": "match"}} for n in found
        ]
        if self.includes:
            subjects = {self.stored[n].get("subject", {}).get("reference") for n in found}
            entries += [
                {"fullUrl": f"{self.url}/{s}", "resource": self.stored[s], "search": {"mode": "include"}}
                for s in sorted(s for s in subjects if s in self.stored)
            ]
        return JSONResponse({"resourceType": "Bundle", "type": "searchset", "total": len(found), "entry": entries})


@contextmanager
def serving(
    ehr: Ehr, *, certificate: Path | None = None, key: Path | None = None, client_ca: Path | None = None
) -> Iterator[str]:
    """The base address of an EHR, for as long as the context lasts."""
    app = Starlette(
        routes=[
            Route("/fhir", ehr.handle, methods=["POST"]),
            Route("/fhir/{path:path}", ehr.handle, methods=["GET"]),
        ]
    )
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        config = uvicorn.Config(
            app,
            log_level="critical",
            lifespan="off",
            ws="none",
            ssl_certfile=certificate,
            ssl_keyfile=key,
            ssl_ca_certs=None if client_ca is None else str(client_ca),
            ssl_cert_reqs=ssl.CERT_NONE if client_ca is None else ssl.CERT_REQUIRED,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive()
                time.sleep(0.01)
            ehr.url = f"http{'' if certificate is None else 's'}://127.0.0.1:{port}/fhir"
            yield ehr.url
        finally:
            server.should_exit = True
            thread.join()
