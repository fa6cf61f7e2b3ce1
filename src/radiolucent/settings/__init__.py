"""All settings of an installation: one TOML file, read once, into one frozen object.

Nothing else in the package reads configuration or environment. A wrong file stops start-up and says which key, what
was found and what was expected. `docs/settings.md` lists every row; a test holds the two together.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, ValidationError, model_validator

from radiolucent.errors import SettingsError
from radiolucent.records.person import MAIN_SITE, Role
from radiolucent.settings.kinds import (
    AeTitle,
    File,
    Many,
    Name,
    Origin,
    Port,
    ReadSet,
    Seconds,
    Table,
    Tls,
    WebAddress,
    WrongRow,
)
from radiolucent.settings.peers import Archive, Destination
from radiolucent.settings.people import Oidc, ReadFirst, ReadingSite, TrainingConsent


class Caller(Table):
    """Who may send to us: application entity title and host (name, address or network); ``*`` is anyone."""

    ae_title: str
    host: str = "*"


class Dicom(Table):
    """Our DICOM door: C-ECHO and C-STORE."""

    enabled: bool = True
    host: str = "127.0.0.1"
    port: Port = 11112
    ae_title: AeTitle = "RADIOLUCENT"
    require_called_ae: bool = True
    callers: Many[Caller] = ()
    max_associations: int = Field(default=50, ge=1, le=1000)
    idle_timeout_s: Seconds = 60.0
    max_instance_mb: int = Field(default=2048, ge=1)
    tls: Tls | None = None


class Http(Table):
    """Our HTTP door: the page, health, metrics, DICOMweb, FHIR. Beyond this machine one signs in or shows a token.

    A person's session ends after ``session_idle_minutes`` without use, and after ``session_hours`` in any case. Whoever
    has one of ``totp_roles`` and a password needs a second factor. ``public_url`` is our address as others see it,
    where a proxy stands before us; pages of ``cors_origins`` may call us with a token.
    """

    enabled: bool = True
    host: str = "127.0.0.1"
    port: Port = 8080
    tokens: File | None = None
    allow_anonymous: bool = False
    session_idle_minutes: float = Field(default=30.0, gt=0, le=1440)
    session_hours: float = Field(default=12.0, gt=0, le=168)
    totp_roles: Many[Role] = ()
    public_url: WebAddress | None = None
    cors_origins: Many[Origin] = ()
    tls: Tls | None = None

    @property
    def is_local(self) -> bool:
        """Whether only this machine can call."""
        return self.host in ("127.0.0.1", "::1", "localhost")


class Mllp(Table):
    """Our HL7 v2 door for orders and patient updates.

    ``character_set`` is that of messages that name none (MSH-18); ``processing_ids``: which of P, T and D are taken;
    ``authority``: assigning authority of patient identifiers that name none.
    """

    enabled: bool = False
    host: str = "127.0.0.1"
    port: Port = 2575
    allowed_hosts: Many[str] = ("127.0.0.1", "::1")
    idle_timeout_s: Seconds = 300.0
    max_connections: int = Field(default=16, ge=1, le=256)
    character_set: ReadSet = "ASCII"
    processing_ids: Many[Literal["P", "T", "D"]] = ("P",)
    authority: str = ""
    tls: Tls | None = None


class Watch(Table):
    """A folder whose files are taken in. They are removed once kept; refused ones move to ``refused/`` in it."""

    folder: File | None = None
    interval_s: Seconds = 2.0


class Storage(Table):
    """Below ``reserve_mb`` of free space we refuse images (A700) before the disk is full."""

    reserve_mb: int = Field(default=2048, ge=16)


class Completion(Table):
    """A study is complete when no image came for ``quiet_s``, or when it has as many as were announced."""

    quiet_s: float = Field(default=5.0, ge=0, le=3600)


class Reader(Table):
    """The processes that read images: ``processes`` of them side by side, and one more for urgent studies alone.

    Each is killed over its limits. After ``max_attempts`` crashes or time-outs a study is quarantined.
    """

    enabled: bool = True
    processes: int = Field(default=1, ge=1, le=64)
    urgent_process: bool = True
    timeout_s: Seconds = 600.0
    memory_mb: int = Field(default=6144, ge=512)
    max_attempts: int = Field(default=3, ge=1, le=20)
    engines: Many[File] = ()
    guards: Literal["refuse", "flag"] = "refuse"


class Delivery(Table):
    """How long a destination that does not answer is tried: waits double from ``first_wait_s`` to ``longest_wait_s``.

    After ``max_attempts`` a delivery is dead: visible, kept, and sent again by ``radiolucent deliveries retry``.
    """

    first_wait_s: Seconds = 2.0
    longest_wait_s: Seconds = 600.0
    max_attempts: int = Field(default=200, ge=1)
    parallel: int = Field(default=4, ge=1, le=64)


class Rule(Table):
    """One routing rule. A condition that is left out holds for everything; all that are given must hold.

    ``modality``, ``body_part``, ``calling_ae``: any of these values, in any image of the study, whatever their case.
    ``description``: a regular expression found in the study's or a series' description. ``engine`` reads everything
    with one engine; else each image is read by the engine made for it.
    """

    name: Name
    modality: Many[str] = ()
    body_part: Many[str] = ()
    calling_ae: Many[str] = ()
    description: str | None = None
    engine: str | None = None
    priority: Literal["stat", "routine"] | None = None
    destinations: Many[Name] = ()

    @model_validator(mode="after")
    def _compiles(self) -> Rule:
        if self.description is not None:
            try:
                re.compile(self.description)
            except re.error as error:
                raise ValueError(f"a regular expression for description ({error})") from error
        return self


class Audit(Table):
    """``checkpoints``: a signed file, best on a disk that this machine cannot rewrite; default: in the data folder."""

    checkpoints: File | None = None
    checkpoint_minutes: float = Field(default=15.0, gt=0)
    syslog_host: str | None = None
    syslog_port: Port = 6514
    syslog_transport: Literal["tls", "tcp", "udp"] = "tls"
    syslog_tls: Tls = Tls()


class Retention(Table):
    """Days that finished studies are kept; 0 keeps them for ever. Results outlive images, never the other way round."""

    images_days: int = Field(default=0, ge=0)
    results_days: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _ordered(self) -> Retention:
        if self.results_days and not 0 < self.images_days <= self.results_days:
            raise ValueError("results_days no fewer than images_days (0 is for ever): results outlive images")
        return self


class Site(Table):
    """How we call ourselves in HL7 (MSH-3, MSH-4) and in objects."""

    application: str = "RADIOLUCENT"
    facility: str = "RADIOLOGY"


SQLITE_FILE = "sqlite:///"
NAMED = ("rules", "destinations", "archives", "sites")


class Settings(Table):
    """An installation. Paths are relative to the settings file; ``data`` holds everything that must not be lost."""

    data: File = Path("radiolucent-data")
    database_url: str | None = None
    worker_id: Name | None = None
    validations: File | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    site: Site = Site()
    dicom: Dicom = Dicom()
    http: Http = Http()
    mllp: Mllp = Mllp()
    watch: Watch = Watch()
    storage: Storage = Storage()
    completion: Completion = Completion()
    reader: Reader = Reader()
    delivery: Delivery = Delivery()
    audit: Audit = Audit()
    retention: Retention = Retention()
    rules: Many[Rule] = ()
    destinations: Many[Destination] = ()
    archives: Many[Archive] = ()
    sites: Many[ReadingSite] = ()
    read_first: Many[ReadFirst] = ()
    training_consent: Many[TrainingConsent] = ()
    oidc: Oidc | None = None

    @model_validator(mode="after")
    def _coherent(self) -> Settings:
        names = [d.name for d in self.destinations]
        named = {table: [row.name for row in getattr(self, table)] for table in NAMED}
        titles = [title for site in self.sites for title in site.callers]
        for row, given in (*((f"{table}.name", n) for table, n in named.items()), ("sites.callers", titles)):
            twice = sorted({n for n in given if given.count(n) > 1})
            if twice:
                raise WrongRow(row, found=", ".join(twice), expected="each name once")
        strange = sorted({site for row in self.read_first for site in row.sites} - {*self.site_names})
        if strange:
            raise WrongRow("read_first.sites", found=", ".join(strange), expected="sites that exist")
        strange = sorted({row.site for row in self.training_consent} - {*self.site_names})
        if strange:
            raise WrongRow("training_consent.site", found=", ".join(strange), expected="sites that exist")
        strange = sorted({*(() if self.oidc is None else self.oidc.sites)} - {"*", *self.site_names})
        if strange:
            raise WrongRow("oidc.sites", found=", ".join(strange), expected="sites that exist, or *")
        for number, rule in enumerate(self.rules):
            unknown = [n for n in rule.destinations if n not in names]
            if unknown:
                row = f"rules.{number}.destinations"
                raise WrongRow(row, found=", ".join(unknown), expected=f"destinations that exist, in rule {rule.name}")
        return self

    @property
    def site_names(self) -> tuple[str, ...]:
        """Every site that a study may be of."""
        return tuple(sorted({MAIN_SITE, *(site.name for site in self.sites)}))

    @property
    def site_by_caller(self) -> dict[str, str]:
        """For whom each named application entity title sends."""
        return {title: site.name for site in self.sites for title in site.callers}

    @property
    def validation_folder(self) -> Path:
        """Where reports of validations lie, a folder for each; by default in the data folder."""
        return self.validations or self.data / "validations"

    @property
    def database(self) -> str:
        """SQLAlchemy address of the database; by default a file in the data folder."""
        return self.database_url or f"sqlite:///{self.data / 'radiolucent.sqlite'}"


def read(path: Path | None, *, data: Path | None = None) -> Settings:
    """The settings of a file, or the defaults with one rule that reads everything and sends nothing.

    Raises
    ------
    SettingsError
        ``settings_unreadable`` for a file that is missing or no TOML, ``setting_wrong`` for a row.
    """
    if path is None:
        rules = (Rule(name="everything"),)
        return Settings(data=(data or Path("radiolucent-data")).absolute(), rules=rules)
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        where = f" ({error})" if isinstance(error, tomllib.TOMLDecodeError) else ""
        raise SettingsError(
            "settings_unreadable",
            found=f"{path}, which cannot be read as TOML{where}",
            expected="a TOML file in UTF-8",
            action="Mend the file; docs/settings.md lists every row.",
        ) from error
    if data is not None:
        raw["data"] = str(data.absolute())
    try:
        found = Settings.model_validate(raw)
    except ValidationError as error:
        raise _wrong(path, error) from error
    return _anchored(found, path.absolute().parent)


def _wrong(path: Path, error: ValidationError) -> SettingsError:
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"]) or "the file as a whole"
    given = first["input"]
    shown = repr(given) if isinstance(given, str | int | float | bool) and "password" not in key else "a wrong value"
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, WrongRow):
        key, shown = cause.row, cause.found
    unknown = first["type"] == "extra_forbidden"
    more = f" ({error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return SettingsError(
        "setting_wrong",
        found=f"in {path}, {key}: {'an unknown row' if unknown else shown}{more}",
        expected="a row that docs/settings.md lists" if unknown else first["msg"].removeprefix("Value error, "),
        action="Mend this row; nothing was started.",
    )


def _anchored(settings: Settings, folder: Path) -> Settings:
    """Relative paths made absolute from the settings file's folder."""

    def moved(value: object) -> object:
        if isinstance(value, Path):
            return folder / value
        if isinstance(value, BaseModel):
            return value.model_copy(update={name: moved(getattr(value, name)) for name in type(value).model_fields})
        if isinstance(value, tuple):
            return tuple(moved(item) for item in value)
        return value

    anchored = moved(settings)
    assert isinstance(anchored, Settings)
    url = anchored.database_url
    if url is not None and url.startswith(SQLITE_FILE) and not url.startswith(f"{SQLITE_FILE}/"):
        return anchored.model_copy(update={"database_url": f"{SQLITE_FILE}{folder / url.removeprefix(SQLITE_FILE)}"})
    return anchored
