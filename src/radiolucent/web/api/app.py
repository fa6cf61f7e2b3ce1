"""The API as one application, behind its gate."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.types import ASGIApp

import radiolucent
from radiolucent.pipeline.people import People
from radiolucent.web.api import door, gate, problems, studies, worklist
from radiolucent.web.api.ports import Desk


def routes(people: People, desk: Desk) -> FastAPI:
    """Every endpoint, without the gate: what the OpenAPI document describes."""
    app = FastAPI(title="Radiolucent", version=radiolucent.__version__, docs_url=None, redoc_url=None, openapi_url=None)
    problems.install(app)
    for each in (door.router(people), worklist.router(desk), studies.router(desk)):
        app.router.routes.extend(each.routes)  # as they are, so that the gate can look each up
    return app


def api(people: People, desk: Desk) -> ASGIApp:
    """The API, to be mounted at ``/api``."""
    app = routes(people, desk)
    gate.check(app)
    return gate.Gate(app, app, people.session)
