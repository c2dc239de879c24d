from typing import Annotated

from pydantic import AfterValidator


def printable(text: str) -> str:
    """Refuse a NUL, which PostgreSQL has no text for."""
    if "\x00" in text:
        raise ValueError("must not contain a NUL")
    return text


#: Text that can be stored and looked for.
Text = Annotated[str, AfterValidator(printable)]
