"""Accounts, sessions, links, second factors, tokens, identities and opened studies in the store."""

from __future__ import annotations

import store_cases as cases

from radiolucent.records.person import Person, Sight
from radiolucent.records.token import Token
from radiolucent.store import archive, factors, identities, openings, people, reading, tokens
from radiolucent.store.database import Database

NOW = cases.NOW
ANA = Person(name="ana", display="Dr Ana", roles=("radiologist", "qa"), sites=("north",))


def with_ana(database: Database) -> None:
    with database.transaction() as connection:
        people.put(connection, ANA, now=NOW)


def test_an_account_is_made_and_changed_and_keeps_its_password(database: Database) -> None:
    with_ana(database)
    changed = Person(name="ana", display="Ana", roles=("senior",), is_disabled=True)
    with database.transaction() as connection:
        assert people.find(connection, "ana") == ANA
        assert people.find(connection, "bob") is None
        assert not people.has_password(connection)
        people.set_password(connection, "ana", "a hash")
        people.put(connection, changed, now=NOW + 1)
    with database.reading() as connection:
        (found,) = people.everybody(connection)
        assert (found.display, found.roles, found.sites) == ("Ana", ("senior",), ("*",))
        assert (found.is_disabled, found.has_password, found.has_totp) == (True, True, False)
        assert people.password_of(connection, "ana") == "a hash"
        assert people.has_password(connection)


def test_a_link_is_taken_once_by_one_of_many_and_not_when_it_is_old(database: Database) -> None:
    with_ana(database)
    with database.transaction() as connection:
        people.put_link(connection, "first", "ana", now=NOW)
        people.put_link(connection, "second", "ana", now=NOW)

    def take(digest: str, since: float) -> str | None:
        with database.transaction() as connection:
            return people.take_link(connection, digest, since=since)

    assert take("first", NOW - 1) is None  # a newer one has taken its place
    assert sorted(map(str, cases.together(6, lambda _: take("second", NOW - 1)))) == ["None"] * 5 + ["ana"]
    with database.transaction() as connection:
        people.put_link(connection, "third", "ana", now=NOW)
    assert take("third", NOW + 1) is None


def test_sessions_end_with_a_new_password(database: Database) -> None:
    with_ana(database)
    with database.transaction() as connection:
        people.open_session(connection, "digest", "ana", csrf="token", now=NOW)
        people.saw(connection, "digest", now=NOW + 60)
        found = people.session(connection, "digest")
        assert found is not None
        assert (found.name, found.csrf, found.begun_at, found.seen_at) == ("ana", "token", NOW, NOW + 60)
        people.set_password(connection, "ana", "another hash")
        assert people.session(connection, "digest") is None


def test_failures_are_counted_by_name_and_address_and_forgotten(database: Database) -> None:
    with database.transaction() as connection:
        for name, peer, at in (("ana", "a", 0), ("ana", "b", 1), ("bob", "a", 2), ("ana", "a", -2000)):
            people.failed(connection, name=name, peer=peer, now=NOW + at, window_s=900)
        assert people.failures(connection, name="ana", peer="a", since=NOW - 900) == (2, 2, NOW + 2)
        people.forgive(connection, "ana")
        assert people.failures(connection, name="ana", peer="a", since=NOW - 900) == (0, 1, NOW + 2)


def test_a_code_of_one_step_is_accepted_once(database: Database) -> None:
    with_ana(database)
    with database.transaction() as connection:
        factors.begin(connection, "ana", "FIRST")
        factors.begin(connection, "ana", "SECOND")
    with database.reading() as connection:
        assert factors.find(connection, "ana") == factors.Factor(secret="SECOND", is_confirmed=False, last_step=0)
        assert not people.everybody(connection)[0].has_totp

    def accept(step: int) -> bool:
        with database.transaction() as connection:
            return factors.accept(connection, "ana", step=step)

    assert sorted(cases.together(6, lambda _: accept(60_000_000))) == [False] * 5 + [True]
    assert not accept(59_999_999)
    assert accept(60_000_001)
    with database.transaction() as connection:
        assert people.everybody(connection)[0].has_totp
        factors.remove(connection, "ana")
        assert factors.find(connection, "ana") is None


def test_tokens(database: Database) -> None:
    made = Token(name="viewer", scopes=("dicomweb.read",), made_by="boss", made_at=NOW)
    with database.transaction() as connection:
        assert not tokens.is_any(connection)
        tokens.put(connection, made, "digest")
        assert tokens.find(connection, "digest") == made
        assert tokens.find(connection, "another") is None
        tokens.used(connection, "digest", now=NOW + 5)
    with database.transaction() as connection:
        (found,) = tokens.all_of(connection)
        assert found.used_at == NOW + 5
        assert tokens.remove(connection, "viewer")
        assert not tokens.remove(connection, "viewer")
        assert not tokens.is_any(connection)


def test_a_subject_of_one_provider_is_nobody_at_another(database: Database) -> None:
    with_ana(database)
    with database.transaction() as connection:
        identities.put(connection, issuer="https://a.example", subject="1", name="ana")
        assert identities.account_of(connection, issuer="https://a.example", subject="1") == "ana"
        assert identities.account_of(connection, issuer="https://b.example", subject="1") is None
        assert identities.account_of(connection, issuer="https://a.example", subject="2") is None


def test_whoever_sees_some_sites_finds_their_studies_and_those_opened_to_them(database: Database) -> None:
    with_ana(database)
    keys = {
        site: cases.take(database, cases.received(study=number, site=site)).study_key
        for number, site in enumerate(("main", "north", "south"))
    }
    with database.transaction() as connection:
        openings.put(connection, "ana", keys["south"], now=NOW, until=NOW + 10)
        openings.put(connection, "ana", keys["south"], now=NOW, until=NOW + 20)
        assert openings.of(connection, "ana", now=NOW + 15) == {keys["south"]}
        assert openings.of(connection, "bob", now=NOW + 15) == frozenset()
        assert openings.of(connection, "ana", now=NOW + 20) == frozenset()

    def found(sight: Sight) -> set[str]:
        with database.reading() as connection:
            listed = {row.study_key for row in reading.rows(connection, reading.Memory(), sight)}
            assert {row.study_key for row in archive.studies_of(connection, {}, sight)} == listed
        return {site for site, key in keys.items() if key in listed}

    assert found(Sight(sites=frozenset({"*"}))) == {"main", "north", "south"}
    assert found(Sight(sites=frozenset({"north"}))) == {"north"}
    assert found(Sight(sites=frozenset({"north"}), studies=frozenset({keys["south"]}))) == {"north", "south"}
    assert found(Sight(sites=frozenset())) == set()
