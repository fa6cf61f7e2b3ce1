"""A whole study put together by hand-made cases."""

from __future__ import annotations

from radiolucent.judge.study import ImageReading, StackReading, judge_study
from radiolucent.records.engine import Code
from radiolucent.records.result import EngineRef, Reason
from radiolucent.records.study import InstanceRef, StudyFinding

CR, CT = "1.2.840.10008.5.1.4.1.1.1", "1.2.840.10008.5.1.4.1.1.2"
CHEST = EngineRef(id="chest", title="Chest", version="1", sha256="aa", device_uid="2.25.1", method="m")
HEAD = EngineRef(id="head", title="Head", version="2", sha256="bb", device_uid="2.25.2", method="m")
UNSUITED = Reason(code="wrong_view", text="A lateral view.")


def image(number: int, *, series: str = "1.1") -> InstanceRef:
    return InstanceRef(sop_class_uid=CR, sop_instance_uid=f"1.2.{number}", series_instance_uid=series)


def finding(key: str, probability: float, of: InstanceRef, **changes: object) -> StudyFinding:
    given: dict[str, object] = {
        "engine": CHEST,
        "key": key,
        "display": key.title(),
        "code": Code(scheme="99T", value=key, meaning=key),
        "critical": False,
        "alert": False,
        "probability": probability,
        "threshold": 0.5,
        "positive": probability >= 0.5,
        "confidence": "moderate",
        "reasons": (),
        "flags": (),
        "images": (of,),
        "zone": f"zone of {of.sop_instance_uid}",
    }
    return StudyFinding(**{**given, **changes})  # type: ignore[arg-type]


def reading(of: InstanceRef, *found: StudyFinding, engine: EngineRef = CHEST, says: str = "") -> ImageReading:
    return ImageReading(image=of, engine=engine, reason=None, findings=found, impression=says)


def refused(of: InstanceRef, reason: Reason = UNSUITED, *, says: str = "Not read.") -> ImageReading:
    return ImageReading(image=of, engine=None, reason=reason, findings=(), impression=says)


def test_a_study_without_images_is_refused() -> None:
    made = judge_study([], [])
    assert (made.status, made.engines, made.findings, made.refusals, made.impression) == ("refused", (), (), (), "")


def test_four_outcomes_are_told_apart() -> None:
    one, two = image(1), image(2)
    low, high = finding("mass", 0.2, one), finding("mass", 0.8, one)
    assert judge_study([reading(one, low)], []).status == "nothing_found"
    assert judge_study([reading(one, high)], []).status == "positive"
    assert judge_study([refused(one), refused(two)], []).status == "refused"
    mixed = judge_study([refused(two), reading(one, low)], [])
    assert (mixed.status, mixed.refusals, mixed.engines) == ("nothing_found", (UNSUITED,), (CHEST,))


def test_of_single_images_the_most_plain_one_speaks() -> None:
    one, two, three = image(1), image(2), image(3)
    made = judge_study(
        [
            reading(one, finding("mass", 0.6, one)),
            reading(two, finding("mass", 0.9, two)),
            reading(three, finding("mass", 0.1, three)),
        ],
        [],
    )
    (mass,) = made.findings
    assert (mass.probability, mass.positive, mass.zone) == (0.9, True, "zone of 1.2.2")
    assert mass.images == (two, one)


def test_a_finding_is_positive_if_it_is_positive_anywhere() -> None:
    """A threshold of one image's finding may be another's: the sign decides before the probability."""
    one, two = image(1), image(2)
    made = judge_study(
        [
            reading(one, finding("mass", 0.7, one, threshold=0.8, positive=False)),
            reading(two, finding("mass", 0.3, two, threshold=0.2, positive=True)),
        ],
        [],
    )
    (mass,) = made.findings
    assert (mass.positive, mass.probability, mass.images) == (True, 0.3, (two,))


def test_at_most_five_images_are_named() -> None:
    images = [image(n) for n in range(8)]
    made = judge_study([reading(i, finding("mass", 0.6 + n / 100, i)) for n, i in enumerate(images)], [])
    assert made.findings[0].images == tuple(reversed(images[3:]))


def test_positives_come_first_then_alerts_then_critical_then_likely_ones() -> None:
    one = image(1)
    found = [
        finding("negative-critical", 0.49, one, critical=True),
        finding("plain", 0.99, one),
        finding("critical", 0.6, one, critical=True),
        finding("alert", 0.55, one, critical=True, alert=True),
        finding("likelier", 0.7, one, critical=True),
        finding("b-same", 0.2, one),
        finding("a-same", 0.2, one),
    ]
    made = judge_study([reading(one, *found)], [])
    assert [f.key for f in made.findings] == [
        *("alert", "likelier", "critical", "plain"),
        *("negative-critical", "a-same", "b-same"),
    ]


def test_an_alert_of_any_image_is_an_alert_of_the_study() -> None:
    one, two = image(1), image(2)
    made = judge_study(
        [reading(one, finding("mass", 0.9, one)), reading(two, finding("mass", 0.6, two, alert=True))], []
    )
    assert (made.findings[0].probability, made.findings[0].alert) == (0.9, True)


def test_two_engines_do_not_mix() -> None:
    one, two = image(1), image(2)
    made = judge_study(
        [
            reading(two, finding("mass", 0.9, two, engine=HEAD), engine=HEAD),
            reading(one, finding("mass", 0.2, one)),
        ],
        [],
    )
    assert [(f.engine.id, f.positive) for f in made.findings] == [("head", True), ("chest", False)]
    assert made.engines == (CHEST, HEAD)


def test_a_stack_speaks_for_its_slices() -> None:
    """One slice is over its threshold, the stack as a whole is not; and the other way round."""
    one, two = image(1, series="9.9"), image(2, series="9.9")
    slices = [
        reading(one, finding("blood", 0.6, one, engine=HEAD), finding("mass", 0.4, one, engine=HEAD), engine=HEAD),
        reading(two, finding("blood", 0.3, two, engine=HEAD), finding("mass", 0.1, two, engine=HEAD), engine=HEAD),
    ]
    stack = StackReading(
        series_instance_uid="9.9",
        engine_id="head",
        findings={"blood": (0.35, False), "mass": (0.75, True)},
        impression="Of the stack.",
    )
    made = judge_study(slices, [stack])
    assert {f.key: (f.probability, f.positive) for f in made.findings} == stack.findings
    assert {f.key: f.images for f in made.findings} == {"blood": (one,), "mass": (one, two)}
    assert (made.status, made.impression) == ("positive", "Of the stack.")


def test_a_stack_and_a_single_image_of_one_engine() -> None:
    inside, outside = image(1, series="9.9"), image(2, series="1.1")
    stack = StackReading(
        series_instance_uid="9.9", engine_id="chest", findings={"mass": (0.3, False)}, impression="Stack."
    )
    made = judge_study(
        [
            reading(inside, finding("mass", 0.9, inside), says="Slice."),
            reading(outside, finding("mass", 0.6, outside), says="Film."),
        ],
        [stack],
    )
    (mass,) = made.findings
    assert (mass.probability, mass.positive, mass.images) == (0.6, True, (outside,))
    assert made.impression == "Stack. Film."


def test_a_stack_of_another_engine_does_not_speak() -> None:
    one = image(1, series="9.9")
    stack = StackReading(series_instance_uid="9.9", engine_id="head", findings={"mass": (0.1, False)}, impression="")
    made = judge_study([reading(one, finding("mass", 0.9, one))], [stack])
    assert (made.findings[0].probability, made.status) == (0.9, "positive")


def test_the_impression_says_each_thing_once_positives_first_and_no_more_than_six() -> None:
    images = [image(n) for n in range(12)]
    readings = [
        refused(images[0]),
        reading(images[1], finding("mass", 0.1, images[1]), says="Nothing."),
        reading(images[2], finding("mass", 0.9, images[2]), says="A mass."),
        refused(images[3]),
    ]
    assert judge_study(readings, []).impression == "A mass. Nothing. Not read."
    many = [reading(i, finding("mass", 0.9, i), says=f"Mass {n}.") for n, i in enumerate(images)]
    made = judge_study(many, []).impression
    assert made == "Mass 0. Mass 1. Mass 2. Mass 3. Mass 4. Mass 5. And 6 more."


def test_reasons_are_told_once_each() -> None:
    other = Reason(code="no_engine", text="None.")
    made = judge_study([refused(image(1)), refused(image(2)), refused(image(3), other)], [])
    assert made.refusals == (UNSUITED, other)
