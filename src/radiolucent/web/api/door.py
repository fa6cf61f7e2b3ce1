"""Signing in and out, one-time links, accounts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

import radiolucent
from radiolucent.pipeline.people import People
from radiolucent.records import person as records
from radiolucent.records.result import DISCLAIMER
from radiolucent.web.api.answers import Door, Link, Person, Provider, Session, User, described
from radiolucent.web.api.caller import Caller, caller_of
from radiolucent.web.api.gate import COOKIE, SESSION, peer_of, permissions_now, set_session, shown_by
from radiolucent.web.api.models import Body, Name, Names, Password

Calling = Annotated[Caller, Depends(caller_of)]


class SignInBody(Body):
    """Who wants in; with a code where the account has a second factor."""

    name: Name
    password: Password
    totp: Annotated[str, Field(max_length=16)] = ""


class EnterBody(Body):
    """A one-time link that signs in."""

    token: Name


class EnrolBody(Body):
    """A one-time link and the password to set; the first administrator also says who they are."""

    token: Name
    name: Name = ""
    display: Name = ""
    password: Password


class PersonBody(Body):
    """A new account."""

    name: Name
    display: Name = ""
    roles: Names
    sites: Names = Field(default_factory=lambda: ["*"])


class ChangeBody(Body):
    """What is to change; what is left out stays."""

    roles: Names | None = None
    sites: Names | None = None
    disabled: bool | None = None


def router(people: People, provider: str | None) -> APIRouter:
    """``/door``, ``/session``, ``/enrol``, ``/enter``, ``/people``."""
    made = described()

    @made.get("/door")
    def door() -> Door:
        """What this is; nothing of anybody."""
        return Door(
            product="Radiolucent",
            version=radiolucent.__version__,
            notice=DISCLAIMER,
            oidc=None if provider is None else Provider(title=provider),
            has_users=provider is not None or people.has_users(),
        )

    @made.post("/session")
    def sign_in(request: Request, answer: Response, body: SignInBody) -> Session:
        """Sign in by name and password."""
        begun = people.sign_in(body.name, body.password, peer=peer_of(request.scope), totp=body.totp)
        return _begun(request, answer, people, *begun)

    @made.post("/enrol")
    def enrol(request: Request, answer: Response, body: EnrolBody) -> Session:
        """Set a password by a one-time link, and sign in."""
        shown, signed_in = people.enrol(
            body.token, name=body.name, display=body.display, password=body.password, peer=peer_of(request.scope)
        )
        return _begun(request, answer, people, shown, signed_in)

    @made.post("/enter")
    def enter(request: Request, answer: Response, body: EnterBody) -> Session:
        """Sign in by a one-time link that needs no password (a demo's)."""
        return _begun(request, answer, people, *people.enter(body.token, peer=peer_of(request.scope)))

    @made.get("/session")
    def session(request: Request) -> Session:
        """Who is signed in, and what they may do."""
        return _session(request.scope[SESSION], people)

    @made.delete("/session", status_code=204)
    def sign_out(request: Request, answer: Response) -> None:
        """Sign out."""
        people.sign_out(shown_by(request.scope) or "")
        answer.delete_cookie(COOKIE, path="/")

    _accounts(made, people)
    return made


def _accounts(made: APIRouter, people: People) -> None:
    @made.get("/people")
    def everybody() -> list[Person]:
        """Every account."""
        return [_person(each) for each in people.everybody()]

    @made.post("/people", status_code=201)
    def add(caller: Calling, body: PersonBody) -> Link:
        """Make an account; its owner sets a password by the link."""
        person = records.Person(name=body.name, display=body.display, roles=tuple(body.roles), sites=tuple(body.sites))
        return Link(link=link(people.add(person, by=caller.name)))

    @made.patch("/people/{name}")
    def change(caller: Calling, name: str, body: ChangeBody) -> Person:
        """Change roles and sites, disable or enable."""
        changed = people.change(name, by=caller.name, roles=body.roles, sites=body.sites, is_disabled=body.disabled)
        return _person(changed)

    @made.post("/people/{name}/reset")
    def reset(caller: Calling, name: str) -> Link:
        """A link to set a new password; the account's sessions end."""
        return Link(link=link(people.reset(name, by=caller.name)))


def link(shown: str) -> str:
    """A one-time link, as a place in the page."""
    return f"/#/enrol/{shown}"


def _begun(request: Request, answer: Response, people: People, shown: str, signed_in: records.SignedIn) -> Session:
    set_session(answer, shown, is_secure=request.url.scheme == "https")
    return _session(signed_in, people)


def _session(signed_in: records.SignedIn, people: People) -> Session:
    person = signed_in.person
    return Session(
        user=User(
            name=person.name,
            display=person.display,
            roles=[*person.roles],
            sites=[*person.sites],
            totp=person.has_totp,
        ),
        permissions=sorted(permissions_now(signed_in)),
        csrf=signed_in.csrf,
        idle_s=people.idle_s,
        expires_at=datetime.fromtimestamp(signed_in.ends_at, UTC).isoformat(),
        must_enrol_totp=signed_in.must_enrol_totp,
    )


def _person(person: records.Person) -> Person:
    return Person(
        name=person.name,
        display=person.display,
        roles=[*person.roles],
        sites=[*person.sites],
        disabled=person.is_disabled,
        totp=person.has_totp,
    )
