"""QIDO-RS: search for studies, series and instances (PS3.18 10.6)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response

from radiolucent.web.dicomweb.answers import Target, accepted_by, base_of, sight_of, target_of
from radiolucent.web.dicomweb.archive import Archive, InstanceRow, Level, Query, Row, SeriesRow, StudyRow
from radiolucent.web.dicomweb.attributes import to_json
from radiolucent.web.dicomweb.limits import WebLimits
from radiolucent.web.dicomweb.media import JSON, Offer, choose
from radiolucent.web.dicomweb.problems import not_acceptable
from radiolucent.web.dicomweb.query import read_search

NOT_FUZZY = '299 - "The fuzzymatching parameter is not supported. Only literal matching has been performed."'
MORE = '299 - "There are more results than were given; ask for them with offset."'


class Searching:
    """The search transactions."""

    def __init__(self, archive: Archive, limits: WebLimits, *, public_url: str | None) -> None:
        self._archive, self._limits, self._public_url = archive, limits, public_url

    def studies(self, request: Request) -> Response:
        """``/studies``."""
        return self._answer(request, "study")

    def series(self, request: Request) -> Response:
        """``/series`` and ``/studies/{study}/series``."""
        return self._answer(request, "series")

    def instances(self, request: Request) -> Response:
        """``/instances`` and the same below a study or a series."""
        return self._answer(request, "instance")

    def _answer(self, request: Request, level: Level) -> Response:
        if choose(accepted_by(request), [Offer(media_type=JSON)], multipart=False) is None:
            raise not_acceptable(JSON)
        target = target_of(request)
        search = read_search(
            request.query_params.multi_items(),
            level=level,
            study=target.study,
            series=target.series,
            max_results=self._limits.max_results,
        )
        query = search.query
        # One more than shown tells whether there are more.
        rows = list(self._find(level, replace(query, limit=query.limit + 1, sight=sight_of(request))))
        warnings = [NOT_FUZZY] if search.wants_fuzzy else []
        warnings += [MORE] if len(rows) > query.limit else []
        headers = {"Warning": ", ".join(warnings)} if warnings else {}
        # Without a match this is 200 and an empty array: Orthanc takes the other answer that PS3.18 10.6.3 knows, 204
        # without a body, for a failure.
        base = base_of(request, self._public_url)
        listed = [_listed(row, search.shown, base) for row in rows[: query.limit]]
        body = json.dumps(listed, ensure_ascii=False, separators=(",", ":"))
        return Response(body.encode("utf-8"), media_type=JSON, headers=headers)

    def _find(self, level: Level, query: Query) -> Iterable[Row]:
        if level == "study":
            return self._archive.find_studies(query)
        return self._archive.find_series(query) if level == "series" else self._archive.find_instances(query)


def target_of_row(row: Row) -> Target:
    """The UIDs of a row."""
    if isinstance(row, StudyRow):
        return Target(study=row.study_instance_uid)
    if isinstance(row, SeriesRow):
        return Target(study=row.study.study_instance_uid, series=row.series_instance_uid)
    assert isinstance(row, InstanceRow)
    above = target_of_row(row.series)
    return replace(above, instance=row.sop_instance_uid)


def _listed(row: Row, shown: frozenset[str], base: str) -> dict[str, dict[str, object]]:
    made = to_json(row, shown)
    made["00081190"] = {"vr": "UR", "Value": [target_of_row(row).under(base)]}
    return dict(sorted(made.items()))
