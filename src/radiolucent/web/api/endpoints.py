"""Every endpoint and what it takes to call it. One that is not here is not served."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from radiolucent.access.permissions import Permission

Need = Permission | Literal["open", "signed_in"]
ENDPOINTS: Mapping[tuple[str, str], Need] = {
    ("GET", "/door"): "open",
    ("POST", "/session"): "open",
    ("GET", "/session/oidc"): "open",
    ("GET", "/session/oidc/callback"): "open",
    ("POST", "/enrol"): "open",
    ("POST", "/enter"): "open",
    ("GET", "/session"): "signed_in",
    ("DELETE", "/session"): "signed_in",
    ("POST", "/me/password"): "signed_in",
    ("POST", "/me/totp"): "signed_in",
    ("PUT", "/me/totp"): "signed_in",
    ("DELETE", "/me/totp"): "signed_in",
    ("GET", "/people"): "people.manage",
    ("POST", "/people"): "people.manage",
    ("PATCH", "/people/{name}"): "people.manage",
    ("POST", "/people/{name}/reset"): "people.manage",
    ("GET", "/tokens"): "tokens.manage",
    ("POST", "/tokens"): "tokens.manage",
    ("DELETE", "/tokens/{token_id}"): "tokens.manage",
    ("POST", "/worklist"): "worklist.read",
    ("GET", "/events"): "worklist.read",
    ("GET", "/vocabulary"): "worklist.read",
    ("GET", "/studies/{study_key}"): "study.read",
    ("GET", "/studies/{study_key}/images/{image_key}/maps/{engine}/{finding}"): "study.read",
    ("POST", "/studies/{study_key}/break-glass"): "study.break_glass",
    ("POST", "/studies/{study_key}/opinion"): "opinion.write",
    ("POST", "/studies/{study_key}/lease"): "lease.take",
    ("DELETE", "/studies/{study_key}/lease"): "lease.take",
    ("POST", "/studies/{study_key}/decision"): "decision.sign",
    ("GET", "/studies/{study_key}/decisions"): "study.read",
    ("POST", "/studies/{study_key}/retract"): "result.retract",
    ("POST", "/studies/{study_key}/rerun"): "study.rerun",
    ("GET", "/oversight"): "oversight.read",
    ("GET", "/oversight.csv"): "oversight.read",
    ("GET", "/drift"): "oversight.read",
    ("GET", "/validations"): "oversight.read",
    ("GET", "/validations/{name}/report.html"): "oversight.read",
    ("GET", "/validations/{name}/report.pdf"): "oversight.read",
    ("GET", "/validations/{name}/cases.html"): "study.read",
    ("GET", "/audit"): "audit.read",
    ("POST", "/audit/verify"): "audit.read",
}
"""Method and path template, below ``/api``."""
DOORS: Mapping[tuple[str, str], Need] = {
    ("GET", "/"): "open",
    ("GET", "/static/"): "open",
    ("GET", "/health/"): "open",
    ("GET", "/metrics"): "metrics.read",
    ("GET", "/api/status"): "status.read",
    ("GET", "/dicom-web/"): "dicomweb.read",
    ("POST", "/dicom-web/"): "dicomweb.store",
    ("GET", "/fhir/"): "fhir.read",
}
"""Everything else that is served, by method and path, or by how the path begins. HEAD is as GET."""


def door_need(method: str, path: str) -> Need | None:
    """What it takes to call something that is not the page's API; ``None`` for what is not served."""
    method = "GET" if method == "HEAD" else method
    return DOORS.get((method, path)) or DOORS.get((method, f"/{path[1:].partition('/')[0]}/"))
