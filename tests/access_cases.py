"""A store with accounts, and the API in front of it over a real server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from installation_cases import House
from starlette.applications import Starlette
from starlette.routing import Mount
from web.dicomweb_archive import serving

from radiolucent.audit.canonical import parse
from radiolucent.pipeline.break_glass import BreakGlass
from radiolucent.pipeline.machines import Machines
from radiolucent.pipeline.meters import Meters
from radiolucent.pipeline.people import People
from radiolucent.pipeline.retracting import Retraction
from radiolucent.pipeline.reviewing import Signing
from radiolucent.pipeline.second_factor import SecondFactor
from radiolucent.records.person import Person
from radiolucent.standards.implementation import IMPLEMENTATION_CLASS_UID
from radiolucent.web.api.app import api
from radiolucent.web.api.ports import Access, Desks
from radiolucent.wiring.deciding_desk import DecidingDesk
from radiolucent.wiring.overseeing_desk import OverseeingDesk
from radiolucent.wiring.quality_desk import QualityDesk
from radiolucent.wiring.validations import Shelf

PASSWORD = "seven green lamps"


def access_of(house: House, **rules: Any) -> Access:
    """Who may come in; ``rules`` as `People` takes them."""
    people = People(house.journal, **{"idle_s": 1800, "longest_s": 43_200, **rules})
    return Access(
        people=people,
        factor=SecondFactor(house.journal),
        glass=BreakGlass(house.journal, Meters()),
        machines=Machines(house.journal),
    )


def desks_of(house: House) -> Desks:
    """Desks with nothing on them."""
    where = {"implementation_class_uid": IMPLEMENTATION_CLASS_UID}
    desk = DecidingDesk(
        house.journal,
        house.blobs,
        specs=(),
        signing=Signing(house.journal, house.blobs, organization="", withdrawing=frozenset(), **where),
        retraction=Retraction(house.journal, house.blobs, **where),
    )
    overseeing = OverseeingDesk(house.journal, checkpoints=house.root / "none.jsonl", keys=dict)
    quality = QualityDesk(house.journal, Shelf(house.root / "validations"), lambda: None)
    return Desks(reading=desk, deciding=desk, overseeing=overseeing, quality=quality)


@dataclass
class Place:
    """A running API."""

    house: House
    access: Access
    url: str

    @property
    def people(self) -> People:
        """Its accounts."""
        return self.access.people

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=f"{self.url}/api")

    def account(self, name: str, *roles: str) -> None:
        """An account with a password."""
        link = self.people.add(Person(name=name, display=name.title(), roles=roles), by="test")
        self.people.enrol(link, name="", display="", password=PASSWORD, peer="")

    @contextmanager
    def signed_in(self, name: str, **more: str) -> Iterator[httpx.Client]:
        with self.client() as client:
            answer = client.post("/session", json={"name": name, "password": PASSWORD, **more})
            assert answer.status_code == 200, answer.text
            client.headers["X-CSRF-Token"] = answer.json()["csrf"]
            yield client

    def audited(self, action: str) -> list[Any]:
        told = (parse(entry.text) for entry in self.house.journal.log.entries())
        return [each for each in told if each.action == action]


@contextmanager
def place_in(folder: Path, **rules: Any) -> Iterator[Place]:
    """The API over a store in a folder."""
    house = House(folder)
    access = access_of(house, **rules)
    with serving(Starlette(routes=[Mount("/api", app=api(access, desks_of(house)))])) as url:
        yield Place(house, access, url)
    house.close()
