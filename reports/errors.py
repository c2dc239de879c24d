"""Why a report is refused. The code is for programs, the detail for people."""


class ReportRefused(Exception):  # noqa: N818  it says what happened
    """The report cannot be made as asked.

    Args:
        code: one word per reason, part of the API: ``dates_reversed``, ``date_in_future``, ``too_many_days``,
            ``unclear_selection``.
        detail: a sentence for the person who asked.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class EndedMeanwhile(Exception):  # noqa: N818
    """The report was cancelled while its file was being written."""
