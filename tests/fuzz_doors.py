"""Random bytes at the doors for a stated time: ``python tests/fuzz_doors.py --seconds 60``.

What is thrown, and what must hold, are the properties that the tests of each door state; here they get as many cases as
the time allows instead of a hundred. Of the first that fails the bytes are printed, and it ends with 1.
"""

from __future__ import annotations

import argparse
import base64
import itertools
import json
import random
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "src")]

from deliver import test_mllp, test_stow_answer  # noqa: E402
from ingest import test_fhir_orders, test_hl7_message  # noqa: E402
from prepare import test_identity  # noqa: E402
from standards import test_mllp_frames  # noqa: E402
from web import test_dicomweb_multipart, test_dicomweb_query  # noqa: E402

DOORS: dict[str, tuple[Any, ...]] = {
    "dicom": (
        test_identity.test_any_bytes_are_known_or_refused,
        test_identity.test_any_file_is_split_or_refused,
        test_dicomweb_multipart.test_any_bytes_are_parts_or_a_refusal,
    ),
    "hl7": (
        test_hl7_message.test_any_bytes_are_read_or_refused,
        test_hl7_message.test_damaged_messages_are_read_or_refused,
        test_mllp_frames.test_any_bytes_give_the_same_frames_whole_or_in_pieces,
        test_mllp.test_any_answer_is_read_or_garbled,
    ),
    "json": (
        test_fhir_orders.test_ill_shaped_resources_are_read_or_refused_but_never_crash,
        test_stow_answer.test_no_json_breaks_the_reader,
        test_stow_answer.test_no_answer_breaks_the_reader,
        test_dicomweb_query.test_any_query_is_a_search_or_a_refusal,
    ),
}
LONGEST = 4096


def fuzz(properties: tuple[Any, ...], *, seconds: float, draw: random.Random) -> tuple[int, str]:
    """How many cases held, and the first that did not (empty if all did).

    Bytes that make no case (too few for the one they begin) are not counted.
    """
    tries: list[Callable[[bytes], bytes | None]] = [each.hypothesis.fuzz_one_input for each in properties]
    count, until = 0, time.monotonic() + seconds
    for number in itertools.cycle(range(len(tries))):
        if time.monotonic() > until:
            break
        data = draw.randbytes(draw.randrange(1, LONGEST))
        try:
            count += tries[number](data) is not None
        except Exception as error:  # noqa: BLE001  whatever it is, it is what we look for
            return count, f"{properties[number].__name__}: {type(error).__name__}: {base64.b64encode(data).decode()}"
    return count, ""


def main() -> int:
    told = argparse.ArgumentParser(description=__doc__)
    told.add_argument("--seconds", type=float, default=60.0, help="for every door")
    told.add_argument("--door", choices=[*DOORS])
    told.add_argument("--seed", type=int, default=None)
    options = told.parse_args()
    warnings.simplefilter("error")
    seed = time.time_ns() if options.seed is None else options.seed
    found = {}
    for name in [options.door] if options.door else DOORS:
        count, wrong = fuzz(DOORS[name], seconds=options.seconds, draw=random.Random(seed))
        found[name] = {"cases": count, "wrong": wrong}
    sys.stdout.write(json.dumps({"seed": seed, "seconds": options.seconds, "doors": found}, indent=2) + "\n")
    return 1 if any(each["wrong"] for each in found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
