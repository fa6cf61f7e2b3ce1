"""Settings: the page and the code say the same, and whatever is wrong stops with file, row, found and expected."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from radiolucent.errors import SettingsError
from radiolucent.settings import Settings, read

PAGE = Path(__file__).resolve().parents[1] / "docs" / "settings.md"
TEXT = PAGE.read_text(encoding="utf-8")
ROW = re.compile(r"^\| `([a-z_]+)` \| (.+?) \| (.+?) \| (.+) \| (.*?) ?\|$", re.MULTILINE)
SECTION = re.compile(r"^#{2,3} (.+)$", re.MULTILINE)
TLS = "TLS tables"


def sections() -> dict[str, list[tuple[str, ...]]]:
    """Rows of every section of the page."""
    parts = SECTION.split(TEXT)[1:]
    return {title: ROW.findall(body) for title, body in zip(parts[::2], parts[1::2], strict=True)}


def models() -> dict[str, type[BaseModel]]:
    """By the page's title of its section: every table of the settings, in the order of the code."""
    found: dict[str, type[BaseModel]] = {"The file's first rows": Settings}

    def walk(model: type[BaseModel], path: str) -> None:
        for name, field in model.model_fields.items():
            inner, is_list = table_of(field)
            if inner is None:
                continue
            where = f"{path}{name}"
            title = TLS if inner.__name__ == "Tls" else f"`[[{where}]]`" if is_list else f"`[{where}]`"
            if title not in found or title == TLS:
                found.pop(title, None)
                found[title] = inner
            walk(inner, f"{where}.")

    walk(Settings, "")
    return found


def table_of(field: FieldInfo) -> tuple[type[BaseModel] | None, bool]:
    """The table that a row holds, and whether it is a list of them."""
    kinds = [field.annotation, *get_args(field.annotation)]
    inner = next((k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)), None)
    return inner, get_origin(field.annotation) is tuple


def default_of(field: FieldInfo) -> str:
    """As the page writes it."""
    if field.default is PydanticUndefined:
        return "required"
    value = field.default
    if value is None:
        return "none"
    if isinstance(value, BaseModel):
        return "`{}`"
    plain = str(value) if isinstance(value, Path) else list(value) if isinstance(value, tuple) else value
    return f"`{json.dumps(plain)}`"


def choices_of(annotation: Any) -> list[str]:
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    return [choice for part in get_args(annotation) for choice in choices_of(part)]


def rows_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Rows that are documented in the table's own section: all but, at the top, the tables."""
    return {n: f for n, f in model.model_fields.items() if model is not Settings or table_of(f)[0] is None}


MODELS = models()


def test_every_table_has_its_section_in_the_order_of_the_code() -> None:
    assert len(MODELS) == 22
    titles = [title for title in sections() if title in MODELS]
    in_code = [title for title in MODELS if title != TLS]
    assert [t for t in titles if t != TLS] == in_code
    assert titles.count(TLS) == 1
    assert [t for t, rows in sections().items() if rows and t not in MODELS] == []


@pytest.mark.parametrize("title", MODELS)
def test_every_row_is_documented_and_no_other(title: str) -> None:
    rows, fields = sections()[title], rows_of(MODELS[title])
    assert [row[0] for row in rows] == list(fields)
    for name, kind, default, says, _ in rows:
        field = fields[name]
        assert default == default_of(field), name
        for choice in choices_of(field.annotation):
            assert f"`{choice}`" in kind, name
        for limit in field.metadata:
            bounds = [getattr(limit, bound, None) for bound in ("ge", "gt", "le", "lt")]
            for bound in bounds:
                assert bound is None or re.search(rf"\b{bound:g}\b", kind), name
        assert says.endswith("."), name


@pytest.mark.parametrize("title", MODELS)
def test_every_example_of_a_row_can_be_written_so(title: str, tmp_path: Path) -> None:
    examples = {name: example for name, _, _, _, example in sections()[title] if example}
    assert set(rows_of(MODELS[title])) - set(examples) <= {"callers", "tls", "syslog_tls"}
    for name, example in examples.items():
        assert example.startswith(f"`{name} = "), name
        row = example.strip("`")
        text = complete(title, row)
        try:
            read(written(tmp_path, text))
        except SettingsError as error:
            raise AssertionError(f"{title} {name}: {error}\n{text}") from error


OIDC = ['issuer = "https://p.example"', 'client_id = "x"', 'address = "https://r.example"']


def complete(title: str, row: str) -> str:
    """A file around one row, with what its table needs besides."""
    needs = {
        "`[[dicom.callers]]`": ['ae_title = "X"'],
        "`[[rules]]`": ['name = "r"'],
        "`[[destinations]]`": ['name = "pacs"', 'kind = "dimse"', 'host = "h"', "port = 1", 'ae_title = "A"'],
        "`[[archives]]`": ['name = "pacs"', 'kind = "dimse"', 'host = "h"', "port = 1", 'ae_title = "A"'],
        "`[[sites]]`": ['name = "north"'],
        "`[[training_consent]]`": ['site = "main"', 'basis = "a vote"'],
        "`[oidc]`": [*OIDC, 'roles = [{ value = "x", role = "qa" }]'],
        "`[[oidc.roles]]`": ['value = "x"', 'role = "qa"'],
        "`[retention]`": ["images_days = 1"],
    }.get(title, [])
    name = row.split(" =")[0]
    body = "\n".join([*(need for need in needs if need.split(" =")[0] != name), row])
    head = "" if title == "The file's first rows" else "[dicom.tls]" if title == TLS else title.strip("`")
    if title == "`[[oidc.roles]]`":
        head = "\n".join(["[oidc]", *OIDC, head])
    ends = ""
    if name == "destinations":
        ends = "".join(
            f'\n[[destinations]]\nname = "{n}"\nkind = "fhir"\nurl = "http://x"\n' for n in re.findall(r'"(\w+)"', row)
        )
    return f"{head}\n{body}\n{ends}"


def written(folder: Path, text: str) -> Path:
    path = folder / "radiolucent.toml"
    path.write_text(text, encoding="utf-8")
    return path


EXAMPLES = re.findall(r"^### (.+?)\n.*?^```toml\n(.*?)^```", TEXT.split("## Examples")[1], re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("title", "text"), EXAMPLES, ids=[title for title, _ in EXAMPLES])
def test_the_examples_load(title: str, text: str, tmp_path: Path) -> None:
    assert read(written(tmp_path, text)).rules


def test_there_are_three_examples_and_the_first_is_the_default(tmp_path: Path) -> None:
    assert len(EXAMPLES) == 3
    default = read(None, data=tmp_path / "radiolucent-data")
    assert read(written(tmp_path, EXAMPLES[0][1])) == default


def test_the_examples_say_what_they_promise(tmp_path: Path) -> None:
    one = read(written(tmp_path, EXAMPLES[1][1]))
    assert [(r.name, r.destinations) for r in one.rules] == [("emergency-chest", ("pacs",)), ("films", ("pacs",))]
    assert one.database == "sqlite:////var/lib/radiolucent/radiolucent.sqlite"
    two = read(written(tmp_path, EXAMPLES[2][1]))
    assert [d.kind for d in two.destinations] == ["dimse", "stow", "mllp", "fhir"]
    assert two.database.startswith("postgresql://")
    assert two.dicom.tls is not None
    assert two.dicom.tls.client_ca == tmp_path / "tls/modalities-ca.pem"
    assert two.http.tokens == tmp_path / "tokens.txt"


DIMSE = '[[destinations]]\nname = "pacs"\nkind = "dimse"\nhost = "h"\nport = 1\nae_title = "A"\n'
WRONG = [
    pytest.param(
        '[oidc]\nissuer = "http://p.example"\nclient_id = "x"\naddress = "https://r.example"',
        "oidc.issuer",
        "http://p.example",
        "https://",
        id="a provider without TLS",
    ),
    pytest.param(
        '[[sites]]\nname = "a"\ncallers = ["CR"]\n[[sites]]\nname = "b"\ncallers = ["CR"]',
        "sites.callers",
        "CR",
        "each name once",
        id="one caller of two sites",
    ),
    pytest.param(
        '[[read_first]]\nsites = ["south"]', "read_first.sites", "south", "sites that exist", id="read first nowhere"
    ),
    pytest.param(
        '[[training_consent]]\nsite = "south"\nbasis = "x"',
        "training_consent.site",
        "south",
        "sites that exist",
        id="consent nowhere",
    ),
    pytest.param('colour = "red"', "colour", "an unknown row", "docs/settings.md", id="unknown row"),
    pytest.param('[dicom]\naetitle = "X"', "dicom.aetitle", "an unknown row", "docs/settings.md", id="misspelt row"),
    pytest.param("[dicm]\nport = 1", "dicm", "an unknown row", "docs/settings.md", id="unknown section"),
    pytest.param('[dicom]\nport = "eleven"', "dicom.port", "'eleven'", "integer", id="wrong type"),
    pytest.param("[dicom]\nport = 70000", "dicom.port", "70000", "65535", id="port out of range"),
    pytest.param("[dicom]\nport = 1.5", "dicom.port", "1.5", "integer", id="half a port"),
    pytest.param('[dicom]\nport = "11112"', "dicom.port", "'11112'", "integer", id="a port as text"),
    pytest.param("[dicom]\nport = 104.0", "dicom.port", "104.0", "integer", id="a whole number with a point"),
    pytest.param("[dicom]\nport = true", "dicom.port", "True", "integer", id="true for a port"),
    pytest.param('[dicom]\nenabled = "yes"', "dicom.enabled", "'yes'", "boolean", id="yes for true"),
    pytest.param("[dicom]\nenabled = 1", "dicom.enabled", "1", "boolean", id="one for true"),
    pytest.param('[dicom]\nidle_timeout_s = "5"', "dicom.idle_timeout_s", "'5'", "number", id="seconds as text"),
    pytest.param('[[rules]]\nname = "r"\nmodality = [1]', "rules.0.modality.0", "1", "string", id="a number in a list"),
    pytest.param('[mllp]\ncharacter_set = "LATIN"', "mllp.character_set", "'LATIN'", "docs/hl7.md", id="set we read"),
    pytest.param(
        '[[destinations]]\nname = "p"\nkind = "mllp"\nhost = "h"\nport = 1\ncharacter_set = "LATIN"',
        "destinations.0.character_set",
        "'LATIN'",
        "docs/hl7.md",
        id="set that we write",
    ),
    pytest.param('[dicom]\nenabled = "perhaps"', "dicom.enabled", "'perhaps'", "boolean", id="neither true nor false"),
    pytest.param('dicom = "on"', "dicom", "'on'", "dictionary", id="a word for a table"),
    pytest.param("data = 7", "data", "7", "path", id="a number for a path"),
    pytest.param('log_level = "loud"', "log_level", "'loud'", "'debug'", id="unknown choice"),
    pytest.param('[dicom]\nae_title = "SEVENTEEN_LETTERS"', "dicom.ae_title", "SEVENTEEN", "1 to 16", id="long title"),
    pytest.param('[dicom]\nae_title = "A\\\\B"', "dicom.ae_title", "B'", "no backslash", id="AE title with backslash"),
    pytest.param('[dicom]\nae_title = "   "', "dicom.ae_title", "'   '", "1 to 16", id="blank AE title"),
    pytest.param('[dicom]\nae_title = "RÖNTGEN"', "dicom.ae_title", "RÖNTGEN", "ASCII", id="AE title beyond ASCII"),
    pytest.param('worker_id = "a b"', "worker_id", "'a b'", "a name of letters", id="bad name"),
    pytest.param("[delivery]\nfirst_wait_s = 0", "delivery.first_wait_s", "0", "greater than 0", id="no wait"),
    pytest.param("[reader]\nprocesses = 0", "reader.processes", "0", "greater than or equal to 1", id="no process"),
    pytest.param(
        '[[rules]]\nname = "r"\ndestinations = ["pacs"]',
        "rules.0.destinations",
        "pacs",
        "that exist, in rule r",
        id="unknown place",
    ),
    pytest.param(
        '[[rules]]\nname = "r"\n[[rules]]\nname = "r"', "rules.name", "r", "each name once", id="doubled rule"
    ),
    pytest.param(DIMSE + DIMSE, "destinations.name", "pacs", "each name once", id="doubled destination"),
    pytest.param(
        '[[rules]]\nname = "r"\ndescription = "(unclosed"',
        "rules.0",
        "a wrong value",
        "regular expression",
        id="bad regex",
    ),
    pytest.param('[[rules]]\nmodality = ["CR"]', "rules.0.name", "a wrong value", "required", id="rule without name"),
    pytest.param('[[rules]]\nname = "r"\nmodality = "CR"', "rules.0.modality", "'CR'", "tuple", id="a text for a list"),
    pytest.param(
        '[[destinations]]\nname = "p"\nkind = "dimse"',
        "destinations.0",
        "a wrong value",
        "host, port, ae_title",
        id="dimse",
    ),
    pytest.param(
        '[[destinations]]\nname = "p"\nkind = "mllp"\nhost = "h"', "destinations.0", "a wrong value", "port", id="mllp"
    ),
    pytest.param('[[destinations]]\nname = "p"\nkind = "stow"', "destinations.0", "a wrong value", "url", id="stow"),
    pytest.param('[[destinations]]\nname = "p"\nkind = "fhir"', "destinations.0", "a wrong value", "url", id="fhir"),
    pytest.param('[[destinations]]\nname = "p"\nkind = "ftp"', "destinations.0.kind", "'ftp'", "'dimse'", id="kind"),
    pytest.param('[http]\npublic_url = "example"', "http.public_url", "'example'", "an address such", id="no address"),
    pytest.param('[http]\ncors_origins = ["*"]', "http.cors_origins.0", "'*'", "no wildcard", id="any origin"),
    pytest.param(
        '[[destinations]]\nname = "e"\nkind = "fhir"\nurl = "https://h"\ntime_zone = "Moon/Base"',
        "destinations.0.time_zone",
        "'Moon/Base'",
        "IANA",
        id="no time zone",
    ),
    pytest.param("[retention]\nresults_days = 5", "retention", "a wrong value", "images_days", id="by all"),
    pytest.param(
        "[retention]\nresults_days = 5\nimages_days = 6", "retention", "a wrong value", "images_days", id="by a day"
    ),
]


@pytest.mark.parametrize(("text", "key", "found", "expected"), WRONG)
def test_a_wrong_row_stops_with_file_row_found_and_expected(
    text: str, key: str, found: str, expected: str, tmp_path: Path
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(SettingsError) as error:
        read(path)
    told = error.value
    assert told.code == "setting_wrong"
    assert str(path) in told.found
    assert f"{path}, {key}: " in told.found
    assert found in told.found.split(f"{key}: ", 1)[1]
    assert expected in told.expected
    assert told.action


def test_further_wrong_rows_are_counted(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="2 more"):
        read(written(tmp_path, '[dicom]\nport = "x"\nidle_timeout_s = "y"\nae_title = "z\\\\"'))


def test_a_password_is_not_quoted(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as error:
        read(written(tmp_path, '[[destinations]]\nname = "p"\nkind = "fhir"\nurl = "u"\npassword = 123456789'))
    assert "password" in error.value.found
    assert "123456789" not in str(error.value)


@pytest.mark.parametrize("content", [b"not = = toml", b"\xff\xfe", b'a = "x'])
def test_a_file_that_is_no_toml(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "radiolucent.toml"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match="settings_unreadable") as error:
        read(path)
    assert str(path) in error.value.found


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="settings_unreadable"):
        read(tmp_path / "none.toml")
    with pytest.raises(SettingsError, match="settings_unreadable"):
        read(tmp_path)


def test_relative_paths_are_anchored_at_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    written(
        folder,
        'data = "data"\n[reader]\nengines = ["engines", "/opt/engines"]\n[watch]\nfolder = "in"\n[dicom.tls]\n'
        'certificate = "c.pem"\n[audit]\ncheckpoints = "../c.jsonl"\n[audit.syslog_tls]\nca = "ca.pem"\n' + DIMSE + ""
        'token = "t"\n[destinations.tls]\nca = "ca.pem"',
    )
    monkeypatch.chdir(tmp_path)
    found = read(Path("etc/radiolucent.toml"))
    assert found.data == folder / "data"
    assert found.reader.engines == (folder / "engines", Path("/opt/engines"))
    assert found.watch.folder == folder / "in"
    assert found.dicom.tls is not None
    assert (found.dicom.tls.certificate, found.dicom.tls.key) == (folder / "c.pem", None)
    assert found.audit.checkpoints == folder / "../c.jsonl"
    assert found.audit.syslog_tls.ca == folder / "ca.pem"
    assert found.destinations[0].token == folder / "t"
    assert found.destinations[0].tls is not None
    assert found.destinations[0].tls.ca == folder / "ca.pem"
    assert found.database == f"sqlite:///{folder / 'data' / 'radiolucent.sqlite'}"


@pytest.mark.parametrize(
    ("said", "meant"), [("sqlite:///sub/a.sqlite", "sqlite:///{}/sub/a.sqlite"), ("sqlite:////a", "sqlite:////a")]
)
def test_a_database_file_is_anchored_at_the_settings_file(said: str, meant: str, tmp_path: Path) -> None:
    assert read(written(tmp_path, f'database_url = "{said}"')).database == meant.format(tmp_path)


def test_the_command_lines_data_folder_wins_and_is_relative_to_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "etc").mkdir()
    path = written(tmp_path / "etc", 'data = "elsewhere"')
    assert read(path, data=Path("here")).data == tmp_path / "here"
    assert read(None, data=Path("here")).data == tmp_path / "here"
    assert read(None).data == tmp_path / "radiolucent-data"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_http_on_this_machine_alone_needs_no_token(host: str, tmp_path: Path) -> None:
    assert read(written(tmp_path, f'[http]\nhost = "{host}"')).http.is_local


def test_http_beyond_this_machine_is_told_apart(tmp_path: Path) -> None:
    assert not read(written(tmp_path, '[http]\nhost = "0.0.0.0"')).http.is_local


def test_without_a_file_one_rule_reads_everything_and_sends_nothing(tmp_path: Path) -> None:
    found = read(None, data=tmp_path)
    assert [(r.name, r.destinations) for r in found.rules] == [("everything", ())]
    assert found.destinations == ()
