"""What goes in and out."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from ninja import Field, Schema
from pydantic import AfterValidator, AwareDatetime, ConfigDict, JsonValue

from proj.api.describing import shows
from proj.api.text import Text
from proj.hooks.api import examples
from proj.hooks.models import Attempt, Delivery, Endpoint, State
from proj.hooks.models.endpoint import URL_LENGTH


def in_utc(moment: datetime) -> datetime:
    """Return a moment as PostgreSQL takes it, which knows no time zone further than 16 hours from Greenwich."""
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("must lie within the years 1 to 9999") from error


Moment = Annotated[AwareDatetime, AfterValidator(in_utc)]
Url = Annotated[Text, Field(max_length=URL_LENGTH, description="Where we POST each event.")]
Events = Annotated[
    list[Text], Field(min_length=1, max_length=100, description="Kinds of events; see event-types.")
]
Description = Annotated[Text, Field(max_length=100, description="What you call it.")]


class Strict(Schema):
    """A request: a misspelt field is refused."""

    model_config = ConfigDict(extra="forbid")


class EndpointIn(Strict):
    model_config = shows(examples.ENDPOINT_IN)

    url: Url
    events: Events
    description: Description = ""


class EndpointChange(Strict):
    """What is not given stays as it is."""

    model_config = shows(examples.CHANGE)

    url: Url | None = None
    events: Events | None = None
    description: Description | None = None
    enabled: bool | None = Field(
        None,
        strict=True,
        description="False: what is on its way is given up; what happens meanwhile is not told.",
    )


class RotateIn(Strict):
    model_config = shows(examples.KEEP)

    end_old_now: bool = Field(
        False,
        strict=True,
        description="The old secret signs nothing more. Otherwise it signs too, for 24 hours.",
    )


class ReplayIn(Strict):
    model_config = shows(examples.SINCE)

    since: Moment | None = Field(None, description="Only of the events from then on, with its time zone.")


class ReplayOut(Schema):
    model_config = shows({"replayed": 3})

    replayed: int


class EndpointOut(Schema):
    model_config = shows(examples.ENDPOINT)

    id: UUID = Field(alias="public_id")
    url: str
    description: str
    events: list[str] = Field(alias="kinds")
    enabled: bool = Field(alias="is_on")
    disabled_because: str = Field(description="Why it is off; empty while it is on.")
    failing_since: datetime | None = Field(
        description="The first failure since the last success. After 3 days: off."
    )
    old_secret_until: datetime | None = Field(description="Old secrets sign too until then.")
    created_at: datetime


class EndpointMade(EndpointOut):
    model_config = shows({**examples.ENDPOINT, "secret": examples.SECRET})

    secret: str = Field(description="whsec_ and base64. It cannot be read again.")


class SecretOut(Schema):
    model_config = shows({"secret": examples.SECRET, "old_secret_until": examples.TOMORROW})

    secret: str = Field(description="whsec_ and base64. It cannot be read again.")
    old_secret_until: datetime | None


class EndpointList(Schema):
    model_config = shows({"items": [examples.ENDPOINT]})

    items: list[EndpointOut]


class EventTypeOut(Schema):
    name: str
    description: str
    example: dict[str, JsonValue] = Field(description="Of the event's data.")


class EventTypeList(Schema):
    model_config = shows({"items": [examples.EVENT_TYPE]})

    items: list[EventTypeOut]


class AttemptOut(Schema):
    started_at: datetime
    finished_at: datetime | None
    status: int | None
    error: str | None
    answer: str = Field(description="How the answer's body began.")

    @staticmethod
    def resolve_error(attempt: Attempt) -> str | None:
        return attempt.error or None


class DeliverySummary(Schema):
    model_config = shows(examples.SUMMARY)

    id: str = Field(alias="event_id", description="What the receiver sees as webhook-id.")
    type: str = Field(alias="kind")
    state: State = Field(
        description="pending: on its way, or to be tried again; failed: given up, may be replayed."
    )
    created_at: datetime
    next_attempt_at: datetime | None
    error: str | None = Field(description="Why it was given up.")

    @staticmethod
    def resolve_next_attempt_at(delivery: Delivery) -> datetime | None:
        return delivery.due_at if delivery.state == State.PENDING else None

    @staticmethod
    def resolve_error(delivery: Delivery) -> str | None:
        return delivery.error or None


class DeliveryOut(DeliverySummary):
    model_config = shows(examples.DELIVERY)

    body: str = Field(description="What is sent and signed, to the byte.")
    attempts: list[AttemptOut] = Field(description="The latest first, at most 50.")

    @staticmethod
    def resolve_attempts(delivery: Delivery) -> list[Attempt]:
        return list(delivery.attempts.order_by("-pk")[:50])


class DeliveryPage(Schema):
    items: list[DeliverySummary]
    next: str | None


class DeliveryFilter(Schema):
    state: State | None = None
    cursor: Text | None = None
    limit: int = 50


def made(endpoint: Endpoint, secret: str) -> dict[str, Any]:
    """Return an endpoint with its secret, for the answer that shows it."""
    return {**EndpointOut.from_orm(endpoint).model_dump(by_alias=True), "secret": secret}
