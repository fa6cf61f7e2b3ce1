"""The API as one application, behind its gate."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.types import ASGIApp

import radiolucent
from radiolucent.web.api import break_glass, door, gate, problems, studies, tokens, worklist
from radiolucent.web.api.ports import Access, Desk


def routes(access: Access, desk: Desk) -> FastAPI:
    """Every endpoint, without the gate: what the OpenAPI document describes."""
    app = FastAPI(title="Radiolucent", version=radiolucent.__version__, docs_url=None, redoc_url=None, openapi_url=None)
    problems.install(app)
    doors = (door.router(access.people), tokens.router(access.machines), break_glass.router(access.glass))
    for each in (*doors, worklist.router(desk), studies.router(desk)):
        app.router.routes.extend(each.routes)  # as they are, so that the gate can look each up
    return app


def api(access: Access, desk: Desk) -> ASGIApp:
    """The API, to be mounted at ``/api``."""
    app = routes(access, desk)
    gate.check(app)
    return gate.Gate(app, app, access.people.session)
