"""The file of a form (``multipart/form-data``), as a stream: nothing of it is held in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from email.message import Message

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser

from swaptalk.serving.http.problems import ProblemError, invalid

FORM_TYPE = "multipart/form-data"
#: Bytes that fields beside the file may have altogether.
_FIELD_BYTES = 64 * 1024


def is_form(content_type: str) -> bool:
    """Whether a body of this type is a form with files."""
    return content_type.partition(";")[0].strip().lower() == FORM_TYPE


def _parameters(header: str, content: str) -> dict[str, str]:
    message = Message()
    message[header] = content
    return {
        name: str(value) for name, value in message.get_params([], header=header) if name != content
    }


class FormFile:
    """The one file of a form.

    Args:
        stream: the request's body.
        content_type: of the request, with the boundary.

    Raises:
        ProblemError: 400, there is no boundary.
    """

    def __init__(self, stream: AsyncIterator[bytes], content_type: str) -> None:
        boundary = _parameters("content-type", content_type).get("boundary")
        if not boundary:
            raise _broken("The form's boundary is missing.")
        self.name: str | None = None
        self._stream = stream
        self._ready: deque[bytes] = deque()
        self._header, self._content = bytearray(), bytearray()
        self._is_file = False
        self._files = self._other = 0
        self._parser = MultipartParser(
            boundary.encode("latin-1", "replace"),
            {
                "on_part_begin": self._part,
                "on_header_field": lambda data, start, end: self._header.extend(data[start:end]),
                "on_header_value": lambda data, start, end: self._content.extend(data[start:end]),
                "on_header_end": self._header_end,
                "on_part_data": self._data,
            },
        )

    def _part(self) -> None:
        self._is_file = False

    def _header_end(self) -> None:
        header = self._header.decode("latin-1").lower()
        content = self._content.decode("utf-8", "replace")
        self._header.clear()
        self._content.clear()
        if header != "content-disposition":
            return
        name = _parameters("content-disposition", content).get("filename")
        if name is not None:
            self._is_file = True
            self._files += 1
            self.name = name

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self._ready.append(data[start:end])
        else:
            self._other += end - start

    async def chunks(self) -> AsyncIterator[bytes]:
        """The file's bytes; :attr:`name` is known with the first.

        Raises:
            ProblemError: 400 for a broken form, 422 if it has no file, or several.
        """
        async for chunk in self._stream:
            try:
                self._parser.write(chunk)
            except MultipartParseError:
                raise _broken("The body is no form as its content type says.") from None
            if self._files > 1:
                raise invalid("file", "The form has several files.", remedy="Send one a request.")
            if self._other > _FIELD_BYTES or len(self._header) + len(self._content) > _FIELD_BYTES:
                raise invalid(
                    "body", "The form has long fields beside the file.", limit=_FIELD_BYTES
                )
            while self._ready:
                if part := self._ready.popleft():
                    yield part
        if not self._files:
            raise invalid("file", "The form has no file.", remedy="Send it as the field 'file'.")


def _broken(detail: str) -> ProblemError:
    return ProblemError(
        400, "broken-form", "The form is broken", detail, field="body", remedy="Send it again."
    )
