"""The built page, as it is served."""

import json
import re
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from web.dicomweb_archive import serving

from radiolucent.report.colour import table
from radiolucent.web.page import BUILT, page_routes

ROOT = Path(__file__).parents[2]
FRONTEND = ROOT / "frontend"


@pytest.fixture(scope="module")
def client():
    with serving(Starlette(routes=page_routes())) as address, httpx.Client(base_url=address) as found:
        yield found


def test_the_page_allows_nothing_inline_and_nothing_foreign(client):
    answer = client.get("/")

    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert answer.headers["Cache-Control"] == "no-cache"
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", answer.text)
    addresses = re.findall(r'(?:src|href)="([^"]+)"', answer.text)
    assert not [found for found in addresses if found.startswith(("http:", "https:", "//"))]


def test_what_the_page_names_is_there_and_never_changes(client):
    names = re.findall(r'"(/static/[^"]+)"', client.get("/").text)

    assert {Path(name).suffix for name in names} == {".js", ".css"}
    for name in names:
        answer = client.get(name)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["Cache-Control"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("name", ["absent.js", "%2e%2e", ".hidden", "%2e%2e%2fpage.py", "..%2fpage.py", "%00"])
def test_nothing_outside_the_folder_is_given(client, name):
    assert client.get(f"/static/{name}").status_code == 404


def test_the_build_holds_no_source_map_and_no_address_of_another_server():
    for path in BUILT.iterdir():
        text = path.read_text(encoding="utf-8")
        assert path.suffix in {".js", ".css", ".html", ".txt"}
        assert "sourceMappingURL" not in text
    style = next(BUILT.glob("style-*.css")).read_text(encoding="utf-8")
    assert "url(" not in style
    assert "@import" not in style


def test_the_licence_of_every_bundled_package_is_listed():
    text = (BUILT / "LICENSES.txt").read_text(encoding="utf-8")

    for package in json.loads((FRONTEND / "package.json").read_text(encoding="utf-8"))["dependencies"]:
        assert re.search(rf"^{re.escape(package)} \d", text, re.M)
    assert not re.search(r"\b(GPL|AGPL|LGPL|SSPL)-", text)


def test_the_colours_of_the_page_are_those_of_the_reports():
    colours = json.loads((FRONTEND / "src" / "viewer" / "colours.json").read_text(encoding="utf-8"))

    assert {name: bytes(table(name)).hex() for name in colours} == colours


def test_the_lock_file_names_no_registry():
    lock = json.loads((FRONTEND / "package-lock.json").read_text(encoding="utf-8"))

    assert not [name for name, package in lock["packages"].items() if "resolved" in package]
    assert all("integrity" in package for name, package in lock["packages"].items() if name)


def test_the_page_keeps_nothing_in_the_browser():
    storage = re.compile(r"localStorage|sessionStorage|indexedDB|document\.cookie|caches\.")

    assert not [path for path in (FRONTEND / "src").rglob("*.ts*") if storage.search(path.read_text("utf-8"))]
