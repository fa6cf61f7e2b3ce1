import pytest

from radiolucent.errors import PeerRefused, PeerUnavailable
from radiolucent.standards.dicomweb_refusals import answer_unreadable, http_refused, http_unreachable


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 507])
def test_what_may_succeed_later(status):
    error = http_refused(status, request="STOW-RS")
    assert isinstance(error, PeerUnavailable)
    assert error.found == f"HTTP status {status} to STOW-RS"


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (301, "redirects"),
        (308, "redirects"),
        (400, "does not take the request"),
        (401, "other credentials"),
        (403, "may not do this"),
        (404, "nothing at this address"),
        (413, "too large"),
        (415, "media type"),
        (501, "does not take the request"),
        (505, "does not take the request"),
    ],
)
def test_what_the_operator_must_see_to(status, words):
    error = http_refused(status, request="WADO-RS")
    assert isinstance(error, PeerRefused)
    assert words in error.found
    assert str(status) in error.found


def test_silence_is_tried_again_and_nonsense_is_not():
    assert isinstance(http_unreachable(request="STOW-RS"), PeerUnavailable)
    assert isinstance(answer_unreadable(request="STOW-RS"), PeerRefused)
