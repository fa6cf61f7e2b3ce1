"""The program as an operator runs it: started and stopped by signals, asked and told by commands."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from dicom_factory import save
from flow import hospital
from flow.hospital import eventually
from flow.test_flow import sent_to, to_pacs
from typer.testing import CliRunner

from radiolucent.cli.main import app
from radiolucent.errors import SettingsError

RUN = CliRunner()
PROGRAM = Path(sys.executable).with_name("radiolucent")


class Server:
    """``radiolucent serve`` in a process of its own; its log is read as it comes."""

    def __init__(self, config: Path) -> None:
        self.process = subprocess.Popen([PROGRAM, "serve", "--config", config], stderr=subprocess.PIPE, text=True)
        self.lines: list[dict[str, Any]] = []
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()
        eventually(lambda: "started" in self.events or self.process.poll() is not None)

    def _listen(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as log:
            for line in iter(log.readline, ""):
                self.lines.append(json.loads(line))

    @property
    def events(self) -> list[str]:
        return [str(line["event"]) for line in list(self.lines)]

    @property
    def port(self) -> int:
        return next(int(line["port"]) for line in self.lines if line["event"] == "dicom_open")

    def stop(self) -> int:
        self.process.terminate()
        code = self.process.wait(120)
        self._thread.join(10)
        return code


@contextmanager
def serving(config: Path) -> Iterator[Server]:
    server = Server(config)
    try:
        yield server
    finally:
        server.process.kill()
        server.stop()


def written(folder: Path, **rows: Any) -> Path:
    """A settings file."""
    given = {
        "data": "data",
        "dicom": {"port": 0},
        "http": {"enabled": False},
        "storage": {"reserve_mb": 16},
        "completion": {"quiet_s": 0.3},
        "reader": {"engines": [str(hospital.engines(folder / "engines"))], "urgent_process": False},
        "delivery": {"first_wait_s": 0.1, "longest_wait_s": 0.5},
        "rules": [{"name": "everything"}],
    }
    path = folder / "radiolucent.toml"
    path.write_text(tomli_w.dumps(given | rows), encoding="utf-8")
    return path


def run(config: Path, *words: str, code: int = 0) -> str:
    done = RUN.invoke(app, [*words, "--config", str(config)])
    assert done.exit_code == code, (done.output, done.exception)
    return done.output


def refused(config: Path, *words: str) -> str:
    """Code of the error with which a command ends."""
    done = RUN.invoke(app, [*words, "--config", str(config)])
    assert isinstance(done.exception, SettingsError), done.output
    return done.exception.code


def status(config: Path) -> dict[str, Any]:
    return dict(json.loads(run(config, "status", "--json")))


def test_a_signal_lets_what_runs_end_and_keeps_what_waits(tmp_path: Path) -> None:
    with hospital.pacs() as pacs:
        config = written(tmp_path, **sent_to(to_pacs(pacs)))
        sent = [hospital.study_of(2) for _ in range(4)]
        with serving(config) as server:
            for each in sent:
                assert set(hospital.send(server.port, each).values()) == {0}
            assert server.stop() == 0
            assert server.events[-1] == "stopped"
            assert "stopping" in server.events
        found = status(config)
        assert sum(found["studies"].values()) == len(sent), "what was taken is kept"
        assert "processing" not in found["studies"], "nothing was dropped in the middle"
        assert found["workers"] == []
        with serving(config) as server:
            eventually(lambda: all(pacs.of(each[0].StudyInstanceUID) for each in sent), within_s=120)
            assert server.stop() == 0
        assert status(config)["studies"] == {"done": len(sent)}
        assert {len(contents) for contents in pacs.contents.values()} == {1}
    assert "Verified" in run(config, "audit", "verify")


def test_the_commands_of_an_operator(tmp_path: Path) -> None:
    with hospital.pacs() as pacs:
        rules = {"rules": [{"name": "chest", "body_part": ["CHEST"], "destinations": ["pacs"]}]}
        config = written(tmp_path, **(sent_to(to_pacs(pacs)) | rules), completion={"quiet_s": 3600})
        film = hospital.film()
        path = save(film, tmp_path / "film.dcm")
        hand = save(hospital.film(BodyPartExamined="HAND"), tmp_path / "hand.dcm")
        assert "chest: holds" in run(config, "rules", "test", str(path))
        assert "does not hold: body_part" in run(config, "rules", "test", str(hand), code=1)

        with serving(config) as server:
            assert set(hospital.send(server.port, [film]).values()) == {0}
            (row,) = status(config)["recent"]
            assert row["state"] == "receiving", "it waits for more"
            key = str(row["study_key"])
            pacs.statuses = [0xC000]
            run(config, "studies", "complete", key)
            eventually(lambda: [d["state"] for d in status(config)["deliveries"]] == ["refused"])
            assert "1 deliveries" in run(config, "deliveries", "retry")
            eventually(lambda: [d["state"] for d in status(config)["deliveries"]] == ["sent"])
            sent = len(pacs.contents)
            run(config, "studies", "rerun", key)
            eventually(lambda: status(config)["deliveries"] == [{"destination": "pacs", "state": "sent", "count": 2}])
            assert status(config)["recent"][0]["revision"] == 2
            assert len(pacs.received) == sent, "the same objects are not sent again"
            assert "pacs" in run(config, "studies", "retract", key, "--reason", "patient_safety")
            eventually(lambda: hospital.REJECTION in {kind for kind, _, _ in pacs.received})
            eventually(lambda: status(config)["deliveries"][0]["count"] == 3)
            assert refused(config, "studies", "retract", key, "--reason", "quality") == "nothing_to_retract"
            assert refused(config, "studies", "complete", "no-such-key") == "study_not_ready"
            assert refused(config, "studies", "move", key, "north") == "no_such_site"
            run(config, "studies", "move", key, "main")
            assert server.stop() == 0
        assert "Verified" in run(config, "audit", "verify")
        lines = tmp_path / "audit.jsonl"
        run(config, "audit", "export", "--out", str(lines))
        text = lines.read_text(encoding="utf-8")
        lines.write_text(text.replace("patient_safety", "quality", 1), encoding="utf-8")
        assert text != lines.read_text(encoding="utf-8")
        assert "edited" in run(config, "audit", "verify", "--entries", str(lines), code=1)


def test_a_second_process_of_one_name_is_refused_and_one_after_a_kill_is_not(tmp_path: Path) -> None:
    config = written(tmp_path, worker_id="here")
    with serving(config) as server:
        done = subprocess.run([PROGRAM, "serve", "--config", config], capture_output=True, text=True, timeout=120)
        assert done.returncode == 2
        assert "worker_id_taken" in done.stderr
        assert server.process.poll() is None
        assert status(config)["workers"] == ["here"]
        server.process.kill()
        server.process.wait()
        assert status(config)["workers"] == ["here"], "it said no goodbye"
    with serving(config) as server:
        assert "started" in server.events
        assert server.stop() == 0
    assert status(config)["workers"] == []


def test_the_store_is_where_the_settings_say(tmp_path: Path) -> None:
    config = written(tmp_path, database_url=f"sqlite:///{tmp_path / 'elsewhere.sqlite'}")
    assert refused(config, "status") == "no_store"
    with serving(config) as server:
        assert server.stop() == 0
    assert (tmp_path / "elsewhere.sqlite").exists()
    assert status(config)["studies"] == {}


@pytest.mark.parametrize("wrong", ["port = 'x'", "unknown = 1"])
def test_a_wrong_setting_stops_the_start_and_says_where(tmp_path: Path, wrong: str) -> None:
    config = tmp_path / "radiolucent.toml"
    config.write_text(f"[dicom]\n{wrong}\n", encoding="utf-8")
    done = subprocess.run([PROGRAM, "serve", "--config", config], capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "setting_wrong" in done.stderr
    assert f"dicom.{wrong.split(' ')[0]}" in done.stderr
