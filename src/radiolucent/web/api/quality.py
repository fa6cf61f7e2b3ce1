"""What moves in live results, and how engines did on the patients of the house, for whoever answers for quality."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query
from starlette.responses import HTMLResponse, Response

from radiolucent.web.api.answers import Answer, Interval, described
from radiolucent.web.api.caller import Caller, caller_of
from radiolucent.web.api.ports import Json, Quality

Calling = Annotated[Caller, Depends(caller_of)]
Name = Annotated[str, Path(max_length=128)]
FENCES = {
    "Content-Security-Policy": "sandbox allow-same-origin; default-src 'none'; img-src data:; "
    "style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
}
"""A report runs no script and asks for nothing; its own policy allows its one style sheet alone."""


class Pdf(Response):
    """A document to print."""

    media_type = "application/pdf"


class DriftPoint(Answer):
    """One day: number of studies, their mean, and where the average stands as a share of its limit (1 and -1)."""

    day: str
    studies: int
    mean: float
    of_limit: float
    is_alarm: bool


class DriftChart(Answer):
    """One control chart; without a baseline it is still gathering one."""

    engine: str
    version: str
    what: str
    unit: Literal["log_odds", "share"]
    baseline: float | None
    baseline_from: str | None
    baseline_to: str | None
    days: int
    alarms: list[str]
    points: list[DriftPoint]


class Drift(Answer):
    """Every chart, and by what rule it alarms; ``charts`` is null until the results are counted."""

    charts: list[DriftChart] | None
    baseline_days: int
    false_alarm_days: float


class Judged(Answer):
    """AUC of one finding; null where too few patients are there to say."""

    key: str
    display: str
    positives: int
    images: int
    auc: Interval


class ValidationHead(Answer):
    """Head figures of one validation.

    ``gaps``: differences between groups beyond chance; ``elsewhere``: so many of ``cells`` of the atlas look elsewhere.
    """

    name: str
    made_at: str
    engine: str
    version: str
    images: int
    patients: int
    refused: int
    without_truth: int
    findings: list[Judged]
    gaps: int
    elsewhere: int
    cells: int
    change: str | None
    has_pdf: bool


class Validations(Answer):
    """Every validation that is kept, the newest first."""

    items: list[ValidationHead]


def router(desk: Quality) -> APIRouter:
    """``/drift`` and ``/validations``."""
    made = described()

    @made.get("/drift", response_model=Drift)
    def drift(caller: Calling, days: Annotated[int, Query(ge=1, le=3660)] = 90) -> Json:
        """Control charts of live results, with so many last days of each."""
        return desk.drift(caller, days)

    @made.get("/validations", response_model=Validations)
    def validations(caller: Calling) -> Json:
        """Every validation that is kept, the newest first."""
        return desk.validations(caller)

    @made.get("/validations/{name}/report.html", response_class=HTMLResponse)
    def report(caller: Calling, name: Name) -> Response:
        """The report of one, as a page that runs no script."""
        return HTMLResponse(desk.report(caller, name), headers=FENCES)

    @made.get("/validations/{name}/report.pdf", response_class=Pdf)
    def printed(caller: Calling, name: Name) -> Response:
        """The report of one as PDF, where it was made with one."""
        headers = {"Content-Disposition": f'attachment; filename="{name}.pdf"'}
        return Pdf(desk.printed(caller, name), headers=headers)

    @made.get("/validations/{name}/cases.html", response_class=HTMLResponse)
    def cases(caller: Calling, name: Name) -> Response:
        """The images behind a report: of patients, and so for whoever may see those."""
        return HTMLResponse(desk.cases(caller, name), headers=FENCES)

    return made
