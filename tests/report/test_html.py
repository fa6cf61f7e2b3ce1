import base64
import hashlib
import re
import tracemalloc
from dataclasses import fields, is_dataclass, replace
from html.parser import HTMLParser

import numpy as np
import pytest
from report.report_cases import IMAGES, negative, positive, refused, spec

from radiolucent.errors import InvariantBroken
from radiolucent.report import html

HOSTILE = "\"'><script>alert(1)</script><img src=http://evil.example/x onerror=alert(1)>{{ 7*7 }}"
PICTURE = html.data_uri(np.zeros((4, 6, 3), dtype=np.uint8))


class Page(HTMLParser):
    """Tags, attributes and text of a page, and whether its tags are balanced."""

    VOID = frozenset({"meta", "img", "input", "br"})

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text, self.open = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] != "style":
            self.text.append(data)

    @property
    def words(self):
        return " ".join(" ".join(self.text).split())


def poisoned(value):
    """The same record with a hostile text in every free string."""
    if is_dataclass(value):
        fixed = {"status", "confidence", "display_class", "key", "primary", "patient_left_at", "zones"}
        changes = {f.name: poisoned(getattr(value, f.name)) for f in fields(value) if f.name not in fixed}
        return replace(value, **changes)
    if isinstance(value, str):
        return HOSTILE
    return tuple(poisoned(v) for v in value) if isinstance(value, tuple) else value


def full(result, **more):
    return html.render_html(
        result, label="run/film.dcm", overlays={"pneumothorax": PICTURE, "effusion": PICTURE}, plain=PICTURE,
        spec=spec(), **more,
    )  # fmt: skip


@pytest.mark.parametrize("name", IMAGES)
def test_page_is_well_formed_and_asks_for_nothing(name):
    text = full(IMAGES[name]())
    page = Page(text)
    assert "script" not in page.tags
    assert "link" not in page.tags
    for _tag, key, value in page.attributes:
        assert not key.startswith("on")
        assert key != "style"
        if key in ("src", "href"):
            assert value.startswith("data:image/")
    assert "url(" not in text
    assert "@import" not in text


def test_policy_allows_the_style_sheet_by_hash_and_no_script():
    text = full(positive())
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text).group(1).replace("&#39;", "'")
    css = re.search(r"<style>(.*?)</style>", text, re.DOTALL).group(1)
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "script-src" not in policy
    assert "unsafe" not in policy


def test_positive_page_leads_with_the_primary_finding():
    words = Page(full(positive())).words
    for part in (
        "Critical, 1 of 2", "Pneumothorax, left lower zone", "0.81", "confidence moderate", "far above its threshold",
        "near image edge", "first of several windows", "1 finding below threshold", "Frontal chest films of adults",
        "younger than 16 years", "sensitivity 0.89, specificity 0.92", "Not for diagnosis", "chest-film 1.2.0",
    ):  # fmt: skip
        assert part in words
    assert words.index("Pneumothorax, left lower zone") < words.index("Effusion") < words.index("Nodule")


def test_map_can_be_switched_off_without_a_script():
    page = Page(full(positive()))
    assert ("input", "id", "map") in page.attributes
    assert ("input", "accesskey", "h") in page.attributes
    assert page.tags.count("img") == 3


def test_page_stands_without_pictures_or_manifest():
    page = Page(html.render_html(positive()))
    assert "img" not in page.tags
    assert "input" not in page.tags


def test_negative_page_says_processed_nothing_found():
    words = Page(full(negative())).words
    assert "Processed" in words
    assert "No finding above its threshold" in words
    assert "2 findings below threshold" in words


def test_refused_page_says_found_expected_and_what_to_do():
    words = Page(full(refused())).words
    assert "Not read" in words
    assert "Nothing found" not in words
    assert "Found an age of 4 years Expected 16 years or more What to do Have the film read by a person." in words
    assert "population_age" in words


def test_refusal_in_other_words_is_shown_whole():
    result = refused()
    result = replace(result, reason=replace(result.reason, text="It burnt down"))
    assert "Found It burnt down Code" in Page(html.render_html(result)).words


@pytest.mark.parametrize("name", IMAGES)
def test_hostile_text_is_escaped_everywhere(name):
    text = html.render_html(
        poisoned(IMAGES[name]()), label=HOSTILE, overlays={"pneumothorax": PICTURE}, plain=PICTURE,
        spec=poisoned(spec()),
    )  # fmt: skip
    page = Page(text)
    assert "script" not in page.tags
    assert all(value is None or value.startswith("data:") for _, key, value in page.attributes if key == "src")
    assert not any(key.startswith("on") for _, key, _ in page.attributes)
    assert "49" not in page.words.replace("{{ 7*7 }}", "")
    assert HOSTILE in page.words


@pytest.mark.parametrize("uri", ["http://evil.example/x.png", "data:text/html;base64,AA==", PICTURE + '" onload="x'])
def test_pictures_from_elsewhere_are_refused(uri):
    for given in ({"overlays": {"pneumothorax": uri}}, {"plain": uri}):
        with pytest.raises(InvariantBroken) as caught:
            html.render_html(positive(), **given)
        assert caught.value.code == "report_picture"


def test_data_uri_formats():
    assert PICTURE.startswith("data:image/jpeg;base64,")
    png = html.data_uri(np.zeros((4, 6), dtype=np.uint8), quality=None)
    assert base64.b64decode(png.split(",")[1]).startswith(b"\x89PNG")


def rows():
    return [
        html.row_of(result(), label=f"run/{name}.dcm", href=f"{name}/report.html") for name, result in IMAGES.items()
    ]


def test_index_lists_every_image_with_status_finding_and_reason():
    text = "".join(html.render_index(rows(), title="Run 1"))
    page = Page(text)
    assert page.tags.count("tr") == 1 + len(IMAGES)
    assert [v for t, k, v in page.attributes if (t, k) == ("a", "href")] == [f"./{n}/report.html" for n in IMAGES]
    for part in ("Pneumothorax", "0.81, moderate", "Found an age of 4 years", "No finding reached its threshold",
                 "4 images", "2 critical", "1 with nothing found", "1 refused"):  # fmt: skip
        assert part in page.words


def test_index_escapes_and_keeps_links_local():
    row = html.IndexRow(
        label=HOSTILE, href='javascript:alert(1)//"><script>', status="processed", engine=HOSTILE, finding=HOSTILE,
        probability=0.5, confidence=HOSTILE, critical=False, detail=HOSTILE,
    )  # fmt: skip
    page = Page("".join(html.render_index([row], title=HOSTILE)))
    assert "script" not in page.tags
    assert "img" not in page.tags
    (href,) = [v for t, k, v in page.attributes if (t, k) == ("a", "href")]
    assert href.startswith("./javascript%3Aalert")


def test_index_streams():
    row = rows()[0]
    pieces = html.render_index((row for _ in range(5000)), title="Run")
    next(pieces)
    tracemalloc.start()
    length = sum(len(piece) for piece in pieces)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert length > 1_000_000
    assert peak < 300_000
