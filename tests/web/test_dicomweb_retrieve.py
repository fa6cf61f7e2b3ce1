"""WADO-RS before real HTTP: what is given, in which form, to whom."""

import io
import json
from contextlib import suppress
from email import message_from_bytes

import httpx
import numpy as np
import pydicom
import pytest
from dicom_factory import MARKER_NAME
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom import uid
from starlette.applications import Starlette
from starlette.routing import Mount
from web import dicomweb_objects as objects
from web.dicomweb_archive import MemoryArchive, serving

from radiolucent.errors import SettingsError
from radiolucent.web.dicomweb.limits import WebLimits
from radiolucent.web.dicomweb.routes import cors, dicomweb_app, dicomweb_routes

STUDY, SERIES = objects.STUDY, objects.SERIES
ANY_DICOM = 'multipart/related; type="application/dicom"; transfer-syntax=*'
PLAIN_DICOM = 'multipart/related; type="application/dicom"'
PLAIN_FRAMES = "multipart/related; type=application/octet-stream"
COMPRESSED = [uid.RLELossless, uid.JPEGLSLossless, uid.JPEG2000Lossless]
NATIVE = [
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRLittleEndian,
    uid.DeflatedExplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
]


@pytest.fixture
def archive():
    return MemoryArchive()


@pytest.fixture
def client(archive):
    app = dicomweb_app(archive, archive, WebLimits(max_frames=20), allowed_origins=["https://viewer.example"])
    with serving(app) as address, httpx.Client(base_url=address, timeout=60) as http:
        yield http


def at(instance, *more):
    return "/".join((f"/studies/{STUDY}/series/{SERIES}/instances/{instance}", *more))


def parts(answer):
    """Headers and bodies of a multipart answer, read by the standard library."""
    assert answer.status_code in (200, 206), answer.text
    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    whole = message_from_bytes(head + answer.content)
    assert whole.is_multipart()
    return [(part, part.get_payload(decode=True)) for part in whole.get_payload()]


def off_by(found, rgb):
    """Largest difference, the columns at the edge between the colours left out: JPEG halves colour along rows."""
    assert found.shape == rgb.shape
    return int(np.delete(np.abs(found.astype(int) - rgb), range(14, 18), axis=1).max())


def read(data):
    return pydicom.dcmread(io.BytesIO(data))


def get(client, path, accept, **options):
    return client.get(path, headers={"Accept": accept}, **options)


@pytest.mark.parametrize("syntax", [*NATIVE, *COMPRESSED], ids=str)
def test_bytes_as_kept(client, archive, syntax):
    ds, _ = objects.in_syntax(syntax) if syntax in NATIVE else objects.compressed(syntax, frames=2)
    key = archive.add(ds)
    ((part, body),) = parts(get(client, at(key), ANY_DICOM))
    assert body == archive.files[key]
    assert part["Content-Type"] == f"application/dicom; transfer-syntax={syntax}"
    assert get(client, at(key), "application/dicom; transfer-syntax=*").content == archive.files[key]
    named = f'multipart/related; type="application/dicom"; transfer-syntax={syntax}'
    assert parts(get(client, at(key), named))[0][1] == archive.files[key]


@pytest.mark.parametrize("syntax", [*NATIVE, *COMPRESSED], ids=str)
def test_explicit_little_endian_is_the_default(client, archive, syntax):
    ds, pixels = objects.in_syntax(syntax) if syntax in NATIVE else objects.compressed(syntax, frames=3)
    key = archive.add(ds)
    for accept in (PLAIN_DICOM, "*/*", f"{PLAIN_DICOM}; transfer-syntax=1.2.840.10008.1.2.1"):
        ((part, body),) = parts(get(client, at(key), accept))
        assert part["Content-Type"].endswith("=1.2.840.10008.1.2.1")
        found = read(body)
        assert found.file_meta.TransferSyntaxUID == uid.ExplicitVRLittleEndian
        assert np.array_equal(found.pixel_array.reshape(pixels.shape), pixels)
        assert found.PatientName == MARKER_NAME
        assert found.SOPInstanceUID == found.file_meta.MediaStorageSOPInstanceUID == key
        assert {e.tag for e in found} == {e.tag for e in ds}


def test_transcoded_colour_says_what_it_became(client, archive):
    ds, rgb = objects.colour("YBR_FULL_422", uid.JPEGBaseline8Bit)
    key = archive.add(ds)
    found = read(parts(get(client, at(key), PLAIN_DICOM))[0][1])
    assert found.PhotometricInterpretation == "RGB"
    assert off_by(found.pixel_array, rgb) <= 12


def test_objects_without_pixels_are_given_too(client, archive):
    key = archive.add(objects.document())
    assert read(parts(get(client, at(key), PLAIN_DICOM))[0][1]).Modality == "SR"
    assert get(client, at(key, "frames/1"), PLAIN_FRAMES).status_code == 404
    assert get(client, at(key, "rendered"), "image/png").status_code == 404


def test_what_cannot_be_decoded_is_given_as_kept_or_not_at_all(client, archive):
    ds, _ = objects.compressed(uid.JPEGLSLossless)
    ds.file_meta.TransferSyntaxUID = uid.MPEG4HP41
    key = archive.add(ds)
    assert get(client, at(key), PLAIN_DICOM).status_code == 406
    assert parts(get(client, at(key), ANY_DICOM))[0][1] == archive.files[key]


def test_a_series_of_which_some_can_be_given_is_partial(client, archive):
    good = archive.add(objects.grey()[0])
    video, _ = objects.compressed(uid.JPEGLSLossless)
    video.file_meta.TransferSyntaxUID = uid.MPEG4HP41
    archive.add(video)
    answer = get(client, f"/studies/{STUDY}/series/{SERIES}", PLAIN_DICOM)
    assert answer.status_code == 206
    assert [read(body).SOPInstanceUID for _, body in parts(answer)] == [good]
    whole = get(client, f"/studies/{STUDY}", ANY_DICOM)
    assert whole.status_code == 200
    assert len(parts(whole)) == 2


def test_a_damaged_frame_has_a_status_before_anything_is_sent(client, archive):
    ds, _ = objects.compressed(uid.JPEGLSLossless)
    data = bytearray(ds.PixelData)
    data[30:60] = b"\x00" * 30
    ds.PixelData = bytes(data)
    key = archive.add(ds)
    for path, accept in (
        (at(key), PLAIN_DICOM),
        (at(key, "frames/1"), PLAIN_FRAMES),
        (at(key, "rendered"), "image/png"),
    ):
        answer = get(client, path, accept)
        assert answer.status_code == 406
        assert answer.json()["code"] in ("cannot_decode", "pixel_data_mismatch")


@pytest.mark.parametrize("syntax", COMPRESSED, ids=str)
def test_frames_plain_and_encoded(client, archive, syntax):
    ds, pixels = objects.compressed(syntax, frames=4)
    key = archive.add(ds)
    found = parts(get(client, at(key, "frames/3,1"), PLAIN_FRAMES))
    assert [np.frombuffer(body, "<u2").tolist() for _, body in found] == [pixels[n].ravel().tolist() for n in (2, 0)]
    assert found[0][0]["Content-Type"] == "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1"
    assert found[0][0]["Content-Location"].endswith(at(key, "frames/3"))
    kind = dict(zip(COMPRESSED, ("image/dicom-rle", "image/jls", "image/jp2"), strict=True))[syntax]
    kept = list(pydicom.encaps.generate_frames(ds.PixelData, number_of_frames=4))
    for numbers in ((2, 4), (4, 2), (1, 2, 3, 4), (3, 3)):
        path = at(key, "frames/" + ",".join(map(str, numbers)))
        found = parts(get(client, path, f'multipart/related; type="{kind}"; transfer-syntax={syntax}'))
        assert [body for _, body in found] == [kept[n - 1] for n in numbers]
        assert found[0][0]["Content-Type"] == f"{kind}; transfer-syntax={syntax}"
    assert get(client, at(key, "frames/2"), kind).content == kept[1]
    assert get(client, at(key, "frames/2"), "application/octet-stream").content == pixels[1].tobytes()
    assert get(client, at(key, "frames/1,2"), kind).status_code == 406
    assert get(client, at(key, "frames/2"), "multipart/related; type=image/gif").status_code == 406


@pytest.mark.parametrize("syntax", NATIVE, ids=str)
def test_native_frames(client, archive, syntax):
    ds, pixels = objects.in_syntax(syntax)
    key = archive.add(ds)
    for accept in (PLAIN_FRAMES, PLAIN_FRAMES + "; transfer-syntax=*", "*/*", "multipart/related"):
        assert parts(get(client, at(key, "frames/1"), accept))[0][1] == pixels.tobytes()


def test_bit_maps_and_floats(client, archive):
    ds, bits = objects.bitmap()
    key = archive.add(ds)
    found = parts(get(client, at(key, "frames/1,2,3"), PLAIN_FRAMES))
    unpacked = [np.unpackbits(np.frombuffer(body, np.uint8), bitorder="little")[:35] for _, body in found]
    assert np.array_equal(unpacked, bits.reshape(3, 35))
    shown = np.asarray(Image.open(io.BytesIO(get(client, at(key, "frames/2/rendered"), "image/png").content)))
    assert np.array_equal(shown, bits[1] * 255)
    ds, values = objects.float_map()
    key = archive.add(ds)
    assert parts(get(client, at(key, "frames/1"), PLAIN_FRAMES))[0][1] == values.tobytes()
    shown = np.asarray(Image.open(io.BytesIO(get(client, at(key, "rendered"), "image/png").content)))
    assert shown[0, 0] == 0
    assert shown[-1, -1] == 255


@pytest.mark.parametrize(
    ("photometric", "syntax", "planar"),
    [
        ("RGB", uid.ExplicitVRLittleEndian, 0),
        ("RGB", uid.ExplicitVRLittleEndian, 1),
        ("RGB", uid.RLELossless, 0),
        ("YBR_FULL_422", uid.JPEGBaseline8Bit, 0),
    ],
)
def test_colour_frames_are_what_the_metadata_say(client, archive, photometric, syntax, planar):
    ds, rgb = objects.colour(photometric, syntax, planar)
    key = archive.add(ds)
    told = client.get(at(key, "metadata")).json()[0]
    body = parts(get(client, at(key, "frames/1"), PLAIN_FRAMES))[0][1]
    local = pydicom.Dataset.from_json({k: v for k, v in told.items() if "BulkDataURI" not in v})
    local.PixelData = body
    local["PixelData"].VR = "OB"
    local.file_meta = pydicom.dataset.FileMetaDataset()
    local.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    assert local.PhotometricInterpretation == photometric
    assert off_by(pydicom.pixels.pixel_array(local), rgb) <= (12 if photometric.startswith("YBR") else 0)
    shown = np.asarray(Image.open(io.BytesIO(get(client, at(key, "rendered"), "image/png").content)))
    assert off_by(shown, rgb) <= (12 if photometric.startswith("YBR") else 0)


def test_a_lossless_luma_image_keeps_its_samples(client, archive):
    ds, rgb = objects.colour("YBR_FULL", uid.ExplicitVRLittleEndian)
    ds.compress(uid.RLELossless, generate_instance_uid=False)
    assert ds.PhotometricInterpretation == "YBR_FULL"
    key = archive.add(ds)
    body = parts(get(client, at(key, "frames/1"), PLAIN_FRAMES))[0][1]
    planar = ds.get("PlanarConfiguration", 0)
    array = np.frombuffer(body, np.uint8)
    array = np.moveaxis(array.reshape(3, 16, 32), 0, 2) if planar else array.reshape(16, 32, 3)
    assert np.array_equal(array, rgb)


@pytest.mark.parametrize("numbers", ["0", "5", "-1", "1,,2", "x", "1,99999", ",".join(["1"] * 21), "\uff11"])
def test_frame_numbers_that_are_none(client, archive, numbers):
    key = archive.add(objects.grey(4)[0])
    assert get(client, at(key, f"frames/{numbers}"), PLAIN_FRAMES).status_code in (400, 404)


def test_metadata(client, archive):
    ds, pixels = objects.with_binary()
    key = archive.add(ds)
    answer = client.get(at(key, "metadata"))
    assert answer.headers["content-type"] == "application/dicom+json"
    (told,) = answer.json()
    assert told["00100010"]["Value"] == [{"Alphabetic": MARKER_NAME}]
    assert told["00291001"] == {"vr": "OB", "InlineBinary": "AQI="}
    assert told["00189318"]["Value"] == ["NaN", "inf"]
    assert told["00083002"]["Value"] == [str(uid.ExplicitVRLittleEndian)]
    assert list(told) == sorted(told)
    long = told["00291002"]["BulkDataURI"]
    nested = told["54000100"]["Value"][0]["54001010"]["BulkDataURI"]
    whole = told["7FE00010"]["BulkDataURI"]
    for address, expected in ((long, bytes(range(256)) * 8), (nested, b"\x07\x00" * 2000), (whole, pixels.tobytes())):
        assert parts(get(client, address, PLAIN_FRAMES))[0][1] == expected
        assert get(client, address, "application/octet-stream").content == expected
    for path in ("00291003", "54000100", "54000100/2/54001010", "54000100/1", "x", "54000100/0/54001010", "00100010"):
        assert get(client, at(key, f"bulkdata/{path}"), PLAIN_FRAMES).status_code == 404


def test_bulk_pixel_data_of_a_compressed_object(client, archive):
    ds, pixels = objects.compressed(uid.JPEGLSLossless, frames=3)
    key = archive.add(ds)
    assert parts(get(client, at(key, "bulkdata/7FE00010"), PLAIN_FRAMES))[0][1] == pixels.tobytes()
    found = parts(get(client, at(key, "bulkdata/7fe00010"), 'multipart/related; type="image/jls"'))
    assert [body for _, body in found] == list(pydicom.encaps.generate_frames(ds.PixelData, number_of_frames=3))


def test_an_unreadable_header_hides_no_other_instance(client, archive):
    good = archive.add(objects.grey()[0])
    bad = archive.add(objects.grey()[0])
    archive.files[bad] = archive.files[bad][:-100]  # cut within the pixel data: its header is whole
    worse = archive.add(objects.grey()[0])
    archive.files[worse] = archive.files[worse][:700]
    told = client.get(f"/studies/{STUDY}/metadata").json()
    assert [one["00080018"]["Value"][0] for one in told] == [good, bad, worse]
    assert "7FE00010" in told[1]
    assert "7FE00010" not in told[2]
    assert get(client, at(bad, "frames/1"), PLAIN_FRAMES).status_code == 406


def test_rendered(client, archive):
    ds, pixels = objects.grey()
    key = archive.add(ds)
    answer = client.get(at(key, "rendered"))
    assert answer.headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(answer.content)).size == (10, 12)

    def shown(**parameters):
        answer = client.get(at(key, "frames/1/rendered"), params={"accept": "image/png", **parameters})
        assert answer.status_code == 200, answer.text
        return np.asarray(Image.open(io.BytesIO(answer.content)))

    first = pixels[0].astype(float)
    window = np.clip((first - 999.5) / 1999 + 0.5, 0, 1) * 255
    assert np.abs(shown(window="1000,2000,linear") - window).max() <= 1
    exact = np.clip((first - 1000) / 2000 + 0.5, 0, 1) * 255
    assert np.abs(shown(window="1000,2000,linear-exact") - exact).max() <= 1
    plain = shown()
    assert shown(viewport="20,24").shape == (24, 20)
    assert shown(viewport="100,24").shape == (24, 20)
    assert np.array_equal(shown(viewport="4,3,2,5,4,3"), plain[5:8, 2:6])
    assert np.array_equal(shown(viewport="4,3,2,5,-4,3"), plain[5:8, 2:6][:, ::-1])
    assert np.array_equal(shown(viewport="10,12,,,,"), plain)


def test_a_negative_film_is_shown_right(client, archive):
    ds, _ = objects.grey()
    bright = np.asarray(Image.open(io.BytesIO(get(client, at(archive.add(ds), "rendered"), "image/png").content)))
    ds.PhotometricInterpretation = "MONOCHROME1"
    key = archive.add(objects.fresh(ds))
    dark = np.asarray(Image.open(io.BytesIO(get(client, at(key, "rendered"), "image/png").content)))
    assert np.abs(bright.astype(int) + dark - 255).max() <= 1
    windowed = client.get(at(key, "rendered"), params={"accept": "image/png", "window": "2048,4096"})
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(windowed.content))), dark)


@pytest.mark.parametrize(
    "query",
    [
        "window=1",
        "window=1,0",
        "window=nan,1",
        "window=1,2,round",
        "window=1,2,linear,3",
        "viewport=0,10",
        "viewport=10",
        "viewport=99999,2",
        "viewport=10,10,1",
        "viewport=10,10,100,0,5,5",
        "viewport=10,10,0,0,0,5",
        "viewport=9000,9000",
        "quality=0",
        "quality=x",
        "annotation=patient",
    ],
)
def test_pictures_that_cannot_be_made(client, archive, query):
    key = archive.add(objects.grey()[0])
    answer = client.get(at(key, f"rendered?{query}"))
    assert answer.status_code == 400
    assert answer.json()["code"] == "request_parameter"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/studies/1.2.3", 404),
        (f"/studies/{STUDY}/series/1.2.3", 404),
        ("/studies/..%2F..%2Fetc", 404),
        ("/studies/abc", 400),
        ("/studies/" + "1" * 65, 400),
        (f"/studies/{STUDY}/series/{SERIES}/instances/1.2.3/metadata", 404),
        (f"/studies/1.2.3/series/{SERIES}/instances/{{key}}/metadata", 404),
        (f"/studies/{STUDY}/series/1.2/instances/{{key}}/frames/1", 404),
        (f"/studies/{STUDY}/metadata?x=%00", 200),
    ],
)
def test_addresses(client, archive, path, status):
    key = archive.add(objects.grey()[0])
    assert client.get(path.format(key=key)).status_code == status


def test_what_was_removed_meanwhile_is_not_found(client, archive):
    key = archive.add(objects.grey()[0])
    archive.files.clear()
    for path, accept in ((at(key), ANY_DICOM), (at(key, "metadata"), "*/*"), (at(key, "frames/1"), "*/*")):
        assert get(client, path, accept).status_code == 404


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(data=st.data())
def test_whatever_is_kept_has_an_answer(client, archive, data):
    """A file that passed the door may still be damaged anywhere behind its identity."""
    key, whole = data.draw(st.sampled_from(damageable(archive)))
    body = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 5))):
        at_byte = data.draw(st.integers(132, len(body) - 1))
        body[at_byte : at_byte + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))
    archive.files[key] = bytes(body)
    more, accept = data.draw(
        st.sampled_from(
            [
                ((), PLAIN_DICOM),
                (("metadata",), "*/*"),
                (("frames/1",), PLAIN_FRAMES),
                (("frames/1,2",), 'multipart/related; type="image/*"'),
                (("rendered",), "image/png"),
                (("bulkdata/7FE00010",), PLAIN_FRAMES),
                (("bulkdata/54000100/1/54001010",), PLAIN_FRAMES),
            ]
        )
    )
    with suppress(httpx.RemoteProtocolError):  # broken off in the middle: seen by the client as such
        assert get(client, at(key, *more), accept).status_code in (200, 404, 406)


def damageable(archive):
    made = [objects.compressed(uid.JPEGLSLossless, frames=2)[0], objects.with_binary()[0], objects.bitmap()[0]]
    made += [objects.compressed(uid.RLELossless)[0], objects.in_syntax(uid.DeflatedExplicitVRLittleEndian)[0]]
    for number, ds in enumerate(made):
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"{SERIES}.{number}"
        archive.files.pop(ds.SOPInstanceUID, None)
        archive.add(ds)
    return sorted(archive.files.items())


def test_nothing_is_cached_and_tags_save_a_transfer(client, archive):
    key = archive.add(objects.grey()[0])
    forms = [
        (at(key), ANY_DICOM),
        (at(key, "metadata"), "application/json"),
        (at(key, "frames/1"), "*/*"),
        (at(key, "rendered"), "image/*"),
        (at(key, "bulkdata/7FE00010"), "*/*"),
    ]
    tags = set()
    for path, accept in forms:
        answer = get(client, path, accept)
        assert answer.headers["cache-control"] == "private, no-store"
        tag = answer.headers["etag"]
        tags.add(tag)
        again = client.get(path, headers={"Accept": accept, "If-None-Match": f'"x", W/{tag}'})
        assert again.status_code == 304
        assert again.content == b""
        assert client.get(path, headers={"Accept": accept, "If-None-Match": '"x"'}).status_code == 200
        head = client.head(path, headers={"Accept": accept})
        assert (head.status_code, head.content) == (200, b"")
    assert len(tags) == len(forms)
    assert client.get("/studies/1.2.3").headers["cache-control"] == "private, no-store"


@pytest.mark.parametrize("path", ["/studies", f"/studies/{STUDY}/metadata"])
def test_only_json_is_spoken(client, archive, path):
    archive.add(objects.grey()[0])
    for accept in ("application/dicom+json", "application/json", "*/*", "application/*", "text/html, */*;q=0.1"):
        assert get(client, path, accept).headers["content-type"] == "application/dicom+json"
    for accept in ('multipart/related; type="application/dicom+xml"', "text/html", "application/dicom+json;q=0"):
        assert get(client, path, accept).status_code == 406
    assert client.get(path + "?accept=application/dicom+json").status_code == 200


def test_no_patient_is_in_an_error(client, archive):
    archive.add(objects.grey()[0])
    for path in (f"/studies?PatientName={MARKER_NAME}&Nonsense={MARKER_NAME}", f"/studies/{MARKER_NAME}/metadata"):
        answer = client.get(path)
        assert answer.status_code == 400
        assert "Marker" not in answer.text


def test_a_defect_is_told_without_its_text(client, archive):
    archive.find_studies = lambda query: (_ for _ in ()).throw(ValueError(MARKER_NAME))
    answer = client.get("/studies")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "Marker" not in answer.text


def test_searches(client, archive):
    for modality in ("CR", "CT", "CR"):
        archive.add(objects.grey(Modality=modality)[0])
    (study,) = client.get("/studies", params={"PatientName": "marker*", "includefield": "00081030,00080060"}).json()
    assert study["00201208"]["Value"] == [3]
    assert study["00080061"]["Value"] == ["CR", "CT"]
    assert study["00081190"]["Value"] == [f"{client.base_url}/studies/{STUDY}".replace("//studies", "/studies")]
    assert study["00080056"]["Value"] == ["ONLINE"]
    nothing = client.get("/studies?PatientID=nobody")
    assert (nothing.status_code, nothing.json()) == (200, [])
    assert len(client.get(f"/studies/{STUDY}/series").json()) == 1
    assert len(client.get(f"/studies/{STUDY}/instances?Modality=CT").json()) == 0 + 1
    paged = client.get("/instances?limit=2&fuzzymatching=true")
    assert len(paged.json()) == 2
    assert "fuzzymatching" in paged.headers["warning"]
    assert "offset" in paged.headers["warning"]
    last = client.get("/instances?limit=2&offset=2")
    assert len(last.json()) == 1
    assert "warning" not in last.headers
    (instance,) = client.get(f"/studies/{STUDY}/series/{SERIES}/instances?limit=1").json()
    assert (instance["00280010"]["Value"], instance["00280011"]["Value"]) == ([12], [10])


def test_other_origins_are_let_in_by_name_only(client, archive):
    archive.add(objects.grey()[0])
    allowed = client.get("/studies", headers={"Origin": "https://viewer.example"})
    assert allowed.headers["access-control-allow-origin"] == "https://viewer.example"
    assert (
        "access-control-allow-origin" not in client.get("/studies", headers={"Origin": "https://evil.example"}).headers
    )
    for origin in ("*", "https://*.example", "viewer.example"):
        with pytest.raises(SettingsError):
            cors([origin])
    assert cors([]) == []


def test_addresses_where_the_service_is_mounted(archive):
    key = archive.add(objects.grey()[0])
    app = Starlette(routes=[Mount("/dicom-web", routes=dicomweb_routes(archive, archive))])
    with serving(app) as address:
        (told,) = httpx.get(f"{address}/dicom-web/studies/{STUDY}/metadata").json()
        (listed,) = httpx.get(f"{address}/dicom-web/instances").json()
        whole = told["7FE00010"]["BulkDataURI"]
        assert whole == f"{address}/dicom-web{at(key, 'bulkdata/7FE00010')}"
        assert listed["00081190"]["Value"] == [f"{address}/dicom-web{at(key)}"]
        assert httpx.get(whole).status_code == 200


def test_a_public_address(archive):
    archive.add(objects.grey()[0])
    app = dicomweb_app(archive, archive, public_url="https://pacs.example/dicomweb/")
    with serving(app) as address:
        (told,) = httpx.get(f"{address}/studies/{STUDY}/metadata").json()
    assert json.dumps(told).count("https://pacs.example/dicomweb/studies/") == 1
