"""What mails say of alerts, in English: users have no language of the interface. Nothing in them is what an asker wrote."""

from __future__ import annotations

from typing import Final

from dragoman.insights.alerts.entities import Alert, AlertState
from dragoman.insights.alerts.rules import BUILTIN_BY_ID, BUILTIN_BY_SIGNAL
from dragoman.ports.mailer import Mail

_END: Final = (
    "\n\nYou are told because an administrator of {tenant} chose so. `dragoman alerts list` shows what fires now, and\n"
    "`dragoman alerts silence {rule}` keeps it quiet for a while.\n"
)


def of_alert(*, to: str, tenant_name: str, alert: Alert, state: AlertState) -> Mail:
    """That an alert fires, or is resolved; `state` is that of the moment that the mail tells of."""
    tenant, rule = _one_line(tenant_name), _one_line(alert.rule_name)
    builtin = BUILTIN_BY_ID.get(alert.rule_id) or BUILTIN_BY_SIGNAL.get(alert.signal)
    parts = [builtin.summary] if builtin else []
    if state is AlertState.FIRING:
        subject = f"[{alert.severity.value}] {rule} fires at {tenant}"
        parts.append(_facts(alert, "Now", alert.value))
        parts += [builtin.remedy] if builtin else []
    else:
        subject = f"[resolved] {rule} at {tenant}"
        parts = [f"{rule} is resolved: {_REASONS.get(alert.resolved_because or '', 'it is over')}."]
        parts.append(_facts(alert, "Worst", alert.worst))
    text = "\n\n".join(["Hello,", *parts]) + _END.format(tenant=tenant, rule=_quoted(rule))
    return Mail(to=to, subject=subject, text=text)


def of_test(*, to: str, tenant_name: str) -> Mail:
    """That mails of alerts arrive."""
    tenant = _one_line(tenant_name)
    return Mail(
        to=to,
        subject=f"[test] Alerts of {tenant}",
        text=f"Hello,\n\nthis channel works: alerts of {tenant} on Dragoman are mailed to this address.\n",
    )


_REASONS: Final = {
    "recovered": "the signal is good again",
    "no_data": "there is nothing to measure any more",
    "rule_changed": "the rule was changed or switched off",
}


def _facts(alert: Alert, name: str, value: float) -> str:
    lines = [
        ("Signal", alert.signal.value),
        (name, f"{value:.4g}"),
        ("Threshold", f"{alert.threshold:.4g}"),
        ("Since", "" if alert.fired_at is None else f"{alert.fired_at:%Y-%m-%d %H:%M} UTC"),
        ("Until", "" if alert.resolved_at is None or name == "Now" else f"{alert.resolved_at:%Y-%m-%d %H:%M} UTC"),
        ("Chatbot", "" if alert.chatbot_id is None else str(alert.chatbot_id)),
    ]
    return "\n".join(f"{label + ':':<11}{said}" for label, said in lines if said)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _quoted(rule: str) -> str:
    return rule if rule.isascii() and rule.replace("-", "").isalnum() else f'"{rule}"'
