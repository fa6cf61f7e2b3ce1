"""The API as one application, behind its gate."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.types import ASGIApp

import radiolucent
from radiolucent.web.api import (
    break_glass,
    decisions,
    door,
    gate,
    me,
    oidc,
    oversight,
    problems,
    quality,
    studies,
    tokens,
    worklist,
)
from radiolucent.web.api.ports import Access, Desks


def routes(access: Access, desks: Desks) -> FastAPI:
    """Every endpoint, without the gate: what the OpenAPI document describes."""
    app = FastAPI(title="Radiolucent", version=radiolucent.__version__, docs_url=None, redoc_url=None, openapi_url=None)
    problems.install(app)
    routers = (
        door.router(access.people, None if access.oidc is None else access.oidc.title),
        oidc.router(access.oidc),
        me.router(access.people, access.factor),
        tokens.router(access.machines),
        break_glass.router(access.glass),
        worklist.router(desks.reading),
        studies.router(desks.reading),
        decisions.router(desks.deciding),
        oversight.router(desks.overseeing),
        quality.router(desks.quality),
    )
    for each in routers:
        app.router.routes.extend(each.routes)  # as they are, so that the gate can look each up
    return app


def api(access: Access, desks: Desks) -> ASGIApp:
    """The API, to be mounted at ``/api``."""
    app = routes(access, desks)
    gate.check(app)
    return gate.Gate(app, app, access.people.session)
