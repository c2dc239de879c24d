from django.db import models


class Mail(models.Model):
    """A mail about somebody's account that is still to be sent. It may hold a link that opens the account.

    It goes when the mail has gone: a task carries its number only, so that no link is in a message or a result.
    """

    recipient = models.EmailField()
    subject = models.CharField(max_length=200)
    body = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    def __str__(self) -> str:
        return f"mail {self.pk}"
