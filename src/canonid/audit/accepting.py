"""What the services of a registry accept, beside what code of other services writes."""

from __future__ import annotations

from canonid.audit.producers import Producer, samples
from canonid.audit.repository import Repository
from canonid.audit.services import plain


def refused(repository: Repository, service: str, producer: Producer) -> str:
    """The declared format in which a producer writes, if the service doesn't accept it; else "".

    Also "" where the registry doesn't name such a service, or no format that the producer's texts are in.
    """
    registry = repository.registry
    if registry is None:
        return ""
    declared = next((each for each in registry.services.values() if plain(each.name) == plain(service)), None)
    if declared is None or declared.accepts >= registry.formats.keys():
        return ""
    kind = producer.kind.replace("_", "-")
    known = next((each for each in (producer.kind, kind) if each in registry.kinds), None)
    formats = {
        reading.format
        for text in samples(producer.template)
        for reading in registry.recognise(text, known).readings
    }
    return min(formats) if formats and not formats & declared.accepts else ""
