"""What the vendor's pages leave open about a tenant, and where a person finds the answer.

The names are those of the sandbox's switches, so that a sandbox can be started that behaves like
the tenant.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["QUESTIONS", "Question"]


@dataclass(frozen=True, slots=True)
class Question:
    """One open question: what may be the answer, and what to look at when answers do not tell.

    `look` names the records that a probe leaves for that; empty when nobody can see it either.
    """

    meaning: str
    answers: tuple[str, ...]
    look: str = ""


QUESTIONS: dict[str, Question] = {
    "customer_priority": Question(
        "By what the tenant matches customers: e-mail, customer id, or whichever is there.",
        ("email", "customerid", "reference"),
        "customers `{look}-email` (has only an e-mail address) and `{look}-id` (only a customer "
        "id): if only the first is there, `email`; only the second, `customerid`; both, "
        "`reference`",
    ),
    "customer_delete_style": Question(
        "Where a deleted customer's identifier stands in the request.", ("both", "query", "path")
    ),
    "omitted": Question(
        "Whether an update resets the fields that it leaves out.",
        ("reset", "keep"),
        "customer `{look}-omitted`: it was sent with the name `Probe`, then without one. If the "
        "name is gone, `reset`; if it is still there, `keep`",
    ),
    "lines": Question(
        "Whether an order's lines are merged with the ones it had, or replace them.",
        ("merge", "replace"),
        "order `{look}-lines`: it was sent with two lines, then with the second one only. If there "
        "are two, `merge`; if there is one, `replace`",
    ),
    "variants": Question(
        "Whether a product's variants are merged with the ones it had, or replace them.",
        ("merge", "replace"),
        "product `{look}-variants`: it was sent with two variants, then with the second one only. "
        "If there are two, `merge`; if there is one, `replace`",
    ),
    "atomic_400": Question(
        "Whether a refusal refuses the whole request, or only the faulty documents.",
        ("on", "off"),
        "order `{look}-atomic`: it was sent beside a faulty one. If it is there, `off`; if it is "
        "not, `on`",
    ),
    "error_style": Question(
        "The shape of a refusal's body.", ("problem", "envelope", "minimal", "bare", "mixed")
    ),
    "ignored_in_count": Question(
        "Whether `count` holds documents that were skipped.", ("excluded", "included")
    ),
    "unknown_customer": Question(
        "What becomes of an order whose customer is unknown.",
        ("accept", "ignore"),
        "order `{look}-unknown`: if it is there, `accept`; if it is not, `ignore`",
    ),
    "delete_missing": Question(
        "The answer to a delete of what is not there; 200 also when deletes are queued.",
        ("404", "200"),
    ),
    "rate_headers": Question("Whether answers carry X-RateLimit headers.", ("on", "off")),
}
