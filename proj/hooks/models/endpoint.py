import uuid
from datetime import datetime
from typing import Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.urls import reverse

from proj.hooks import signing

URL_LENGTH = 500
KIND_LENGTH = 60


class EndpointQuerySet(models.QuerySet["Endpoint"]):
    def of(self, owner_id: int) -> Self:
        return self.filter(owner_id=owner_id)

    def locked(self) -> Self:
        """Whoever changes a delivery holds its endpoint. `no_key`: new deliveries may be written meanwhile."""
        return self.select_for_update(of=("self",), no_key=True)


class Endpoint(models.Model):
    """An address that somebody wants to be told at. Deleted, it has no owner until its deliveries are gone too."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="webhook_endpoints"
    )
    url = models.CharField(max_length=URL_LENGTH)
    description = models.CharField(max_length=100, blank=True)
    kinds = ArrayField(models.CharField(max_length=KIND_LENGTH), help_text="What it wants to be told.")
    secret = models.TextField(editable=False, help_text="Encrypted.")
    old_secrets = ArrayField(
        models.TextField(), default=list, editable=False, help_text="Encrypted; they sign too until they end."
    )
    old_secret_until = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    disabled_at = models.DateTimeField(null=True, editable=False)
    disabled_because = models.CharField(max_length=300, blank=True, editable=False)
    failing_since = models.DateTimeField(
        null=True, editable=False, help_text="The first failure since the last success."
    )
    failures = models.PositiveIntegerField(default=0, editable=False, help_text="Since the last success.")
    quiet_until = models.DateTimeField(null=True, editable=False, help_text="It is left alone until then.")

    objects = EndpointQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.description or self.url

    def get_absolute_url(self) -> str:
        return reverse("hooks:endpoint", args=[self.public_id])

    @property
    def is_on(self) -> bool:
        return self.owner_id is not None and self.disabled_at is None

    def sealed_secrets(self, now: datetime) -> list[str]:
        """What is stored of the secrets that sign now: the newest, and those before it while they are still honoured."""
        has_old = self.old_secret_until is not None and now < self.old_secret_until
        return [self.secret, *(self.old_secrets if has_old else ())]

    def secrets(self, now: datetime) -> list[bytes]:
        """The keys that sign what is sent now."""
        return [signing.unseal(secret) for secret in self.sealed_secrets(now)]
