"""What the mails say. Plain text: nothing in them is made of what a stranger wrote, but names of tenants and inviters."""

from __future__ import annotations

from dragoman.ports.mailer import Mail


def invitation(*, to: str, tenant_name: str, url: str, hours: int) -> Mail:
    name = _one_line(tenant_name)
    return Mail(
        to=to,
        subject=f"Your invitation to {name}",
        text=(
            f"Hello,\n\nyou are invited to {name} on Dragoman. Choose a password here to accept:\n\n{url}\n\n"
            f"The link is good for {hours} hours, and once. If you did not expect it, do nothing.\n"
        ),
    )


def password_reset(*, to: str, tenant_name: str, url: str, minutes: int) -> Mail:
    name = _one_line(tenant_name)
    return Mail(
        to=to,
        subject=f"A new password for {name}",
        text=(
            f"Hello,\n\nsomebody, probably you, asked for a new password for {name} on Dragoman. Choose it here:\n\n{url}\n\n"
            f"The link is good for {minutes} minutes, and once. If it was not you, do nothing: your password stays.\n"
        ),
    )


def password_changed(*, to: str, tenant_name: str) -> Mail:
    name = _one_line(tenant_name)
    return Mail(
        to=to,
        subject=f"Your password for {name} was changed",
        text=(
            f"Hello,\n\nyour password for {name} on Dragoman was just changed, and your other sign-ins have ended. If it was "
            "not you, have a link for a new one sent at once, and tell an administrator.\n"
        ),
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())
