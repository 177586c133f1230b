"""The text that one side of a record holds: plain or in BASE64, zipped or not, and what it is where it is none."""

from __future__ import annotations

import base64
import binascii
import zlib

from kedge.errors import UnreadableRecordError

INPUT, ANSWER = "endpointInput", "endpointOutput"
# What some programs begin a text with, and what is no part of it.
BOM = "\ufeff"
_BINARY = {
    b"\x93NUMPY": "a NumPy array", b"\n#\xd7\xce": "RecordIO protobuf", b"PK\x03\x04": "a zip archive, as npz is",
    b"PAR1": "Parquet", b"\x80": "a pickle or another binary format",
}  # fmt: skip
# No request carries more as it stands, so none may carry more in gzip: a line of 8 kB could hold gigabytes.
_GZIP, _GZIP_BYTES_MAX = b"\x1f\x8b", 8 * 2**20
# What gzip begins with in BASE64.
GZIP_MARK = base64.b64encode(b"\x1f\x8b\x08").decode()


def decoded_text(data: str, side: str) -> str:
    """The text that stands in BASE64, gzip undone; what is no text is refused with its name.

    >>> decoded_text("MC41", "endpointOutput")
    '0.5'

    Raises
    ------
    UnreadableRecordError
    """
    try:
        content = base64.b64decode(data, validate=True)
        if content.startswith(_GZIP):
            content = _unzipped(content)
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    except zlib.error as error:
        raise UnreadableRecordError(
            reason=f"{side} is gzip that is damaged, or holds more than {_GZIP_BYTES_MAX:,} bytes"
        ) from error
    except (binascii.Error, ValueError) as error:
        raise UnreadableRecordError(reason=f"{side} is not text in BASE64") from error
    if "\0" in text:
        what = next((name for start, name in _BINARY.items() if content.startswith(start)), "no UTF-8")
        raise UnreadableRecordError(reason=f"{side} is not text in BASE64 but {what}, so neither CSV nor JSON")
    return text


def _unzipped(content: bytes) -> bytes:
    unzip = zlib.decompressobj(wbits=31)
    found = unzip.decompress(content, _GZIP_BYTES_MAX)
    if not unzip.eof:
        raise zlib.error(f"more than {_GZIP_BYTES_MAX:,} bytes in gzip, or cut short")
    return found
