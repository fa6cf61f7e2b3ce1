"""``radiolucent demo --serve``: the page with phantom studies, and a link that signs in."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

from rich.console import Console

PAGE = "\n[bold]The radiologist's page[/] with {studies} studies. Open this once, on this machine:"
KEYS = "You are Dr. Demo, a senior reader. Open a study; h: the map, a: accept, Enter: sign, ?: every key."


def run_demo(folder: Path) -> None:
    """Serve until Ctrl-C or SIGTERM."""
    from radiolucent.wiring.demo import served

    console = Console(highlight=False, soft_wrap=True)
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    with console.status("starting") as status, served(folder, status.update) as demo:
        status.stop()
        console.print(PAGE.format(studies=demo.studies))
        console.print(f"  {demo.link}", style="bold")
        console.print(f"To sign in again until this ends: name {demo.name}, password {demo.password}")
        console.print(KEYS)
        console.print(f"Send it images of your own: storescu -aec RADIOLUCENT 127.0.0.1 {demo.dicom_port} FILE.dcm")
        console.print("Research software, not for diagnosis. Ctrl-C ends.")
        ending.wait()
