"""Options of stores, and what of URLs and errors may be shown."""

import pytest

from pcapdiag.fleet.access import PLAIN, access_of, shown, told


def test_options_go_to_their_protocol_and_values_are_json_where_they_can_be() -> None:
    access = access_of(
        ["s3.endpoint_url=http://127.0.0.1:9000", "s3.anon=true", 'https.headers={"a":"b=c"}', "s3.key=k"]
    )
    assert access.of("s3://bucket/x") == {"endpoint_url": "http://127.0.0.1:9000", "anon": True, "key": "k"}
    assert access.of("https://host/x") == {"headers": {"a": "b=c"}}
    assert access.of("/a/path") == {}
    assert PLAIN.of("s3://bucket/x") == {}


def test_what_is_no_option_is_refused_without_its_value() -> None:
    for text in ("4711", "s3=4711", "s3.=4711", ".x=4711", "s3.secret:4711"):
        with pytest.raises(ValueError, match="PROTOCOL") as caught:
            access_of([text])
        assert "4711" not in str(caught.value)


def test_a_url_is_shown_without_password_and_query() -> None:
    assert shown("sftp://me:secret@host/x.pcap") == "sftp://me:…@host/x.pcap"
    assert shown("https://host/x.pcap?X-Amz-Signature=secret&a=b") == "https://host/x.pcap?…"
    assert shown("abfs://container@account/x") == "abfs://container@account/x"
    assert shown("s3://bucket/a:b/c@d.pcap") == "s3://bucket/a:b/c@d.pcap"
    assert shown("/captures/x?.pcap") == "/captures/x?.pcap"


def test_an_error_is_one_line_without_secrets() -> None:
    access = access_of(["s3.secret=a-secret-4711", "s3.endpoint_url=http://127.0.0.1:9000", "s3.key=12345678"])
    assert "4711" not in repr(access)
    said = told(RuntimeError("no\n way with a-secret-4711 and 12345678\nat http://127.0.0.1:9000/x?sig=1"), access)
    assert said == "RuntimeError: no way with … and … at http://127.0.0.1:9000/x?…"
    assert told(PermissionError("Forbidden"), PLAIN) == "permission denied: Forbidden"
    assert told(PermissionError(13, "Permission denied"), PLAIN) == "Permission denied"
    assert told(KeyError(), PLAIN) == "KeyError"
    assert len(told(ValueError("x" * 5_000), PLAIN)) < 400
