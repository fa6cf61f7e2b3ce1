"""Our server through dicomweb-client, a DICOMweb client of others."""

import io

import numpy as np
import pytest
from dicom_factory import MARKER_NAME
from dicomweb_client.api import DICOMwebClient
from PIL import Image
from pydicom import Dataset, dcmread, uid
from web import dicomweb_objects as objects
from web.dicomweb_archive import MemoryArchive, encoded, serving

from radiolucent.web.dicomweb.routes import dicomweb_app

STUDY, SERIES = objects.STUDY, objects.SERIES


@pytest.fixture
def archive():
    return MemoryArchive()


@pytest.fixture
def client(archive):
    # This client states a Host without the port, so addresses in our answers must come from `public_url`.
    with serving(lambda address: dicomweb_app(archive, archive, public_url=address)) as address:
        made = DICOMwebClient(address)
        yield made
        made._session.close()


def test_store_then_search_then_retrieve(client, archive):
    sent = [objects.grey(Modality="CR")[0], objects.compressed(uid.JPEGLSLossless, frames=2)[0]]
    told = client.store_instances([dcmread(io.BytesIO(encoded(ds))) for ds in sent])
    assert [item.ReferencedSOPInstanceUID for item in told.ReferencedSOPSequence] == [d.SOPInstanceUID for d in sent]
    (study,) = client.search_for_studies(search_filters={"PatientName": "mark*"}, fields=["00081030", "StudyID"])
    assert Dataset.from_json(study).PatientName == MARKER_NAME
    assert Dataset.from_json(study).NumberOfStudyRelatedInstances == 2
    assert client.search_for_studies(search_filters={"PatientID": "nobody"}) == []
    (series,) = client.search_for_series(STUDY)
    assert Dataset.from_json(series).SeriesInstanceUID == SERIES
    assert len(client.search_for_instances(STUDY, SERIES, limit=1, get_remaining=True)) == 2
    found = client.retrieve_series(STUDY, SERIES)
    assert [one.SOPInstanceUID for one in found] == [one.SOPInstanceUID for one in sent]
    assert np.array_equal(found[1].pixel_array, objects.ramp(2, 40, 36))
    kept = client.retrieve_study(STUDY, media_types=(("application/dicom", "*"),))
    assert {one.file_meta.TransferSyntaxUID for one in kept} == {uid.ExplicitVRLittleEndian, uid.JPEGLSLossless}
    assert len(list(client.iter_series(STUDY, SERIES))) == 2
    one = client.retrieve_instance(STUDY, SERIES, sent[0].SOPInstanceUID)
    assert np.array_equal(one.pixel_array, objects.ramp()[0])


def test_metadata_and_bulk_data(client, archive):
    ds, pixels = objects.with_binary()
    key = archive.add(ds)
    (told,) = client.retrieve_study_metadata(STUDY)
    assert told == client.retrieve_instance_metadata(STUDY, SERIES, key)
    assert client.retrieve_bulkdata(told["7FE00010"]["BulkDataURI"]) == [pixels.tobytes()]
    whole = Dataset.from_json(
        told, bulk_data_uri_handler=lambda _tag, _vr, uri: bytes(client.retrieve_bulkdata(uri)[0])
    )
    assert whole.PixelData == ds.PixelData
    assert whole.WaveformSequence[0].WaveformData == ds.WaveformSequence[0].WaveformData


@pytest.mark.parametrize("syntax", [uid.JPEGLSLossless, uid.JPEG2000Lossless, uid.RLELossless], ids=str)
def test_frames(client, archive, syntax):
    kinds = {uid.JPEGLSLossless: "image/jls", uid.JPEG2000Lossless: "image/jp2", uid.RLELossless: "image/dicom-rle"}
    ds, pixels = objects.compressed(syntax, frames=3)
    key = archive.add(ds)
    plain = client.retrieve_instance_frames(STUDY, SERIES, key, [1, 3])
    assert [np.frombuffer(frame, "<u2").tolist() for frame in plain] == [pixels[n].ravel().tolist() for n in (0, 2)]
    asked = (("application/octet-stream", "*"),)
    assert client.retrieve_instance_frames(STUDY, SERIES, key, [1, 3], media_types=asked) == plain
    encoded = client.retrieve_instance_frames(STUDY, SERIES, key, [2], media_types=((kinds[syntax], syntax),))
    assert encoded[0] in ds.PixelData
    assert len(list(client.iter_instance_frames(STUDY, SERIES, key, [1, 2, 3]))) == 3


def test_pictures(client, archive):
    key = archive.add(objects.compressed(uid.JPEGLSLossless, frames=2)[0])
    for found in (
        client.retrieve_instance_rendered(STUDY, SERIES, key, media_types=("image/png",)),
        client.retrieve_instance_frames_rendered(STUDY, SERIES, key, [2], media_types=("image/jpeg",)),
    ):
        assert Image.open(io.BytesIO(found)).size == (36, 40)
