"""The HTML report: one self-contained page per image, and an index of a run.

No page asks the network for anything or runs a script: the Content Security Policy allows the page's own style sheet
(by its hash) and pictures in ``data:`` URIs, and nothing else. Every text is escaped.
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Literal
from urllib.parse import quote

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from radiolucent.errors import InvariantBroken
from radiolucent.records.engine import EngineSpec
from radiolucent.records.image import ImageFacts
from radiolucent.records.result import DISCLAIMER, ImageResult

_PICTURE = re.compile(r"data:image/(?:png|jpeg|webp);base64,[A-Za-z0-9+/=]*\Z")
_REFUSAL = re.compile(r"Found (?P<found>.+?); expected (?P<expected>.+?)\. (?P<action>.+)\Z", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexRow:
    """One image in the index of a run.

    ``href`` is the path of its page relative to the index; ``detail`` is the impression, or why it was refused.
    """

    label: str
    href: str | None
    status: Literal["processed", "refused"]
    engine: str
    finding: str
    probability: float | None
    confidence: str
    critical: bool
    detail: str

    @property
    def state(self) -> str:
        """``critical``, ``positive``, ``negative`` or ``refused``."""
        if self.status == "refused":
            return "refused"
        return "negative" if not self.finding else "critical" if self.critical else "positive"


def data_uri(pixels: NDArray[np.uint8], *, quality: int | None = 90) -> str:
    """A picture ``[rows, columns(, 3)]`` uint8 as a ``data:`` URI: JPEG of ``quality``, or PNG for ``None``."""
    buffer = io.BytesIO()
    if quality is None:
        Image.fromarray(pixels).save(buffer, "PNG")
    else:
        Image.fromarray(pixels).save(buffer, "JPEG", quality=quality, subsampling=0)
    kind = "png" if quality is None else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def render_html(
    result: ImageResult,
    *,
    label: str = "",
    overlays: Mapping[str, str] | None = None,
    plain: str | None = None,
    spec: EngineSpec | None = None,
) -> str:
    """The page of one image.

    Parameters
    ----------
    label
        What to call the image, from `SourceFile.label`; never a patient value.
    overlays
        ``data:`` URI of the overlay by finding key (`data_uri` of `render_overlay`).
    plain
        ``data:`` URI of the image without a map (`render_plain`, so that both lie alike).
    spec
        The engine's manifest, for what it was made for and how it was measured.

    Raises
    ------
    InvariantBroken
        ``report_picture`` for a picture that is not a ``data:`` URI of an image.
    """
    pictures = dict(overlays or {})
    for picture in (*pictures.values(), *([plain] if plain else [])):
        if _PICTURE.match(picture) is None:
            raise InvariantBroken(
                "report_picture",
                found="a picture that is not in the page itself",
                expected="data:image/png, jpeg or webp in base64",
                action="Report this as a defect of Radiolucent.",
            )
    primary = next((f for f in result.findings if f.key == result.primary), None)
    shown = primary or next((f for f in result.findings if f.key in pictures), None)
    return _templates().get_template("report.html.j2").render(
        result=result, shown=shown, label=label, pictures={k: Markup(v) for k, v in pictures.items()},  # noqa: S704  matched above
        plain=Markup(plain) if plain else None,  # noqa: S704  matched above
        primary=primary, others=[f for f in result.positives if f is not primary],
        negatives=[f for f in result.findings if not f.positive], spec=spec, facts=facts_line(result.image),
        measured={f.key: f for f in spec.findings} if spec else {}, refusal=_refusal(result),
        disclaimer=DISCLAIMER, **_style(),
    )  # fmt: skip


def index_head(title: str) -> str:
    """The beginning of an index page, up to its first row."""
    return _templates().get_template("index_head.html.j2").render(title=title, **_style())


def index_row(row: IndexRow) -> str:
    """One row of an index page."""
    href = None if row.href is None else "./" + quote(row.href, safe="/")
    return _templates().get_template("index_row.html.j2").render(row=row, href=href)


def index_tail(counts: Mapping[str, int]) -> str:
    """The end of an index page; ``counts`` by `IndexRow.state` are shown at its top."""
    states = ("critical", "positive", "negative", "refused")
    return (
        _templates()
        .get_template("index_tail.html.j2")
        .render(
            counts=[(state, counts.get(state, 0)) for state in states],
            total=sum(counts.values()),
            disclaimer=DISCLAIMER,
        )
    )


def render_index(rows: Iterable[IndexRow], *, title: str) -> Iterator[str]:
    """An index page in pieces, written as ``rows`` arrive; memory does not grow with their number."""
    counts: Counter[str] = Counter()
    yield index_head(title)
    for row in rows:
        counts[row.state] += 1
        yield index_row(row)
    yield index_tail(counts)


def row_of(result: ImageResult, *, label: str, href: str | None) -> IndexRow:
    """The index row of a result."""
    primary = next((f for f in result.findings if f.key == result.primary), None)
    return IndexRow(
        label=label, href=href, status=result.status,
        engine=f"{result.engine.id} {result.engine.version}" if result.engine else "",
        finding=primary.display if primary else "", probability=primary.probability if primary else None,
        confidence=primary.confidence if primary else "", critical=primary.critical if primary else False,
        detail=result.reason.text if result.reason else result.impression,
    )  # fmt: skip


def facts_line(facts: ImageFacts) -> str:
    """What the image is, in a few words: modality, body part, view, age, sex, size."""
    body = (facts.body_part or "").lower() or None
    age = None if facts.age_years is None else f"{facts.age_years:.0f} y"
    frame = f"frame {facts.frame_number} of {facts.number_of_frames}" if facts.number_of_frames > 1 else None
    words = (facts.modality, body, facts.view, age, facts.sex, frame, f"{facts.columns} x {facts.rows}")
    return ", ".join(word for word in words if word)


def _refusal(result: ImageResult) -> dict[str, str] | None:
    """Why an image was refused, in the three parts every error of this house has."""
    if result.reason is None:
        return None
    match = _REFUSAL.match(result.reason.text)
    return match.groupdict() if match else {"found": result.reason.text, "expected": "", "action": ""}


@lru_cache(maxsize=1)
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("radiolucent.report", "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip


@lru_cache(maxsize=1)
def _style() -> dict[str, str]:
    """The style sheet and the policy that allows it and nothing else."""
    css = resources.files("radiolucent.report").joinpath("templates", "report.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(css.encode("utf-8")).digest()).decode("ascii")
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return {"css": Markup(css), "policy": policy}  # noqa: S704  our own file
