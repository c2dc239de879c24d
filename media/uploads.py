"""How much of an upload is let onto the disk."""

from django.core.files.uploadhandler import FileUploadHandler

from media.formats import MAX_BYTES


class CutOffHandler(FileUploadHandler):
    """Passes on so much of a file that it is seen to be too large, and drops the rest as it arrives.

    First of ``FILE_UPLOAD_HANDLERS``: without it a body of any length would go to a temporary file before anybody
    looks at its size.
    """

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:
        """Return the chunk for the next handler, or None from the first one that begins beyond the limit."""
        return raw_data if start <= MAX_BYTES else None

    def file_complete(self, file_size: int) -> None:
        """Leave the file to the handlers that hold it."""
