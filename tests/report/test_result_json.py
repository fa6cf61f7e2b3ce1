import json
import math
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from report.report_cases import IMAGES, explanation, finding, negative, positive, refused, series

from radiolucent.errors import InvariantBroken
from radiolucent.report.result_json import dumps, schema, series_json, to_json

DOCS = Path(__file__).parents[2] / "docs" / "result-schema.md"


def validator(of):
    loaded = schema(of)
    jsonschema.Draft202012Validator.check_schema(loaded)
    return jsonschema.Draft202012Validator(loaded)


def rendered(result):
    keys = [f.key for f in result.findings if f.explanation]
    return to_json(
        result, timing_ms={"infer": 12.5}, objects=["dicom/sr.dcm"],
        evidence_paths={k: f"evidence/{k}.npy" for k in keys}, overlay_paths={k: f"overlay/{k}.png" for k in keys},
    )  # fmt: skip


@pytest.mark.parametrize("name", IMAGES)
def test_result_keeps_its_schema_and_survives_a_round_trip(name):
    value = rendered(IMAGES[name]())
    validator("result").validate(value)
    assert json.loads(dumps(value)) == value


def test_contract_of_the_design():
    value = rendered(positive())
    assert {"schema", "status", "reason", "engine", "image", "findings", "primary", "impression", "timing_ms",
            "objects", "disclaimer"} <= value.keys()  # fmt: skip
    assert value["schema"] == "radiolucent.result/1"
    assert {"id", "version", "sha256"} <= value["engine"].keys()
    assert {"sop_instance_uid", "rows", "columns", "view", "age_years", "sex", "modality", "body_part"} <= value[
        "image"
    ].keys()
    first = value["findings"][0]
    assert {"key", "display", "code", "rank", "critical", "logit", "probability", "threshold", "positive",
            "confidence", "reasons", "flags", "explanation"} <= first.keys()  # fmt: skip
    assert first["code"] == {"scheme": "SCT", "value": "60046008", "meaning": "Pleural effusion"}
    why = first["explanation"]
    assert why["map"] == "evidence/pneumothorax.npy"
    assert why["overlay"] == "overlay/pneumothorax.png"
    assert why["peak_row_col"] == [100, 250]
    assert why["region_box"] == [100, 250, 20, 40]
    assert why["peak_evidence"] == 0.5
    assert (why["zone"], why["in_expected_region"], why["completeness_error"]) == ("left lower zone", 0.93, 1e-6)


def test_three_outcomes_differ():
    found, nothing, not_read = rendered(positive()), rendered(negative()), rendered(refused())
    assert (found["status"], found["primary"], found["reason"]) == ("processed", "pneumothorax", None)
    assert (nothing["status"], nothing["primary"], nothing["reason"]) == ("processed", None, None)
    assert all(not f["positive"] and f["explanation"] is None for f in nothing["findings"])
    assert (not_read["status"], not_read["findings"]) == ("refused", [])
    assert not_read["reason"]["code"] == "population_age"


def test_frame_is_named():
    image = rendered(IMAGES["multiframe"]())["image"]
    assert (image["frame"], image["frames"]) == (3, 9)


def test_series_keeps_its_schema():
    value = series_json(series())
    validator("series").validate(value)
    assert json.loads(dumps(value)) == value
    assert value["slices"]["count"] == 4
    assert value["slices"]["refused"] == 1
    found = value["findings"][0]
    assert found["slice_probabilities"] == [0.1, 0.2, 0.3, 0.4]
    assert found["positive_slices"] == 2
    assert found["key_slices"][0] == {
        "sop_instance_uid": "2.25.14", "instance_number": 4, "frame": 1, "probability": 0.4,
    }  # fmt: skip


def test_numpy_numbers_become_plain():
    odd = finding(logit=np.float32(1.5), probability=np.float64(0.5), rank=np.int64(2), positive=np.bool_(True))
    value = rendered(replace(positive(), findings=(odd,), primary="effusion"))
    assert json.loads(dumps(value)) == value


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("where", ["logit", "probability", "threshold", "scale", "in_expected_region", "timing"])
def test_numbers_that_are_not_finite_are_refused(number, where):
    subject = finding()
    timing = {"infer": number if where == "timing" else 1.0}
    if where in ("logit", "probability", "threshold"):
        subject = finding(**{where: number})
    elif where != "timing":
        subject = finding(explanation=replace(explanation(), **{where: number}))
    result = replace(positive(), findings=(subject,), primary="effusion")
    with pytest.raises(InvariantBroken) as caught:
        to_json(result, timing_ms=timing)
    assert caught.value.code == "result_not_finite"


@pytest.mark.parametrize(
    "wrong",
    [
        replace(refused(), reason=None),
        replace(refused(), findings=(finding(),)),
        replace(positive(), reason=refused().reason),
        replace(positive(), engine=None),
        replace(positive(), findings=(finding(), finding())),
        replace(positive(), primary="nodule"),
        replace(positive(), findings=(finding("pneumothorax", display_class="notify-only"),)),
    ],
)
def test_results_that_contradict_themselves_are_refused(wrong):
    with pytest.raises(InvariantBroken) as caught:
        to_json(wrong, timing_ms={})
    assert caught.value.code == "result_incoherent"


@pytest.mark.parametrize("change", ["drop", "add", "status", "probability"])
def test_schema_is_strict(change):
    value = rendered(positive())
    if change == "drop":
        del value["findings"][0]["explanation"]["zone"]
    elif change == "add":
        value["image"]["patient_name"] = "x"
    elif change == "status":
        value["status"] = "refused"
    else:
        value["findings"][0]["probability"] = 1.2
    with pytest.raises(jsonschema.ValidationError):
        validator("result").validate(value)


def objects(node):
    if isinstance(node, dict):
        if "properties" in node and node.get("type") == "object":
            yield node
        for child in node.values():
            yield from objects(child)
    elif isinstance(node, list):
        for child in node:
            yield from objects(child)


@pytest.mark.parametrize("of", ["result", "series"])
def test_every_property_is_required_closed_described_and_documented(of):
    page = DOCS.read_text("utf-8")
    for node in objects(schema(of)):
        assert node["additionalProperties"] is False
        assert sorted(node["required"]) == sorted(node["properties"])
        for name, what in node["properties"].items():
            assert what["description"]
            assert f"| `{name}` |" in page


def test_no_patient_identifiers():
    def names(node):
        if isinstance(node, dict):
            for key, child in node.items():
                yield key
                yield from names(child)
        elif isinstance(node, list):
            for child in node:
                yield from names(child)

    keys = set(names(rendered(positive())))
    assert not {k for k in keys if "patient" in k} - {"patient_left_at"}
    assert not {k for k in keys if "birth" in k or "accession" in k or k in ("stem", "path", "date")}
