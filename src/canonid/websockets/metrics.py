"""A hub's metrics for Prometheus. Labels say kind, format, code or reason, never an ID."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from canonid.counters import Counters
from canonid.errors import MissingExtra
from canonid.websockets.hub import Hub

try:
    from prometheus_client import CollectorRegistry, make_asgi_app
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
    from prometheus_client.registry import Collector
except ImportError as error:
    raise MissingExtra("metrics for Prometheus need: pip install 'prometheus-client>=0.22'") from error

HELP = {
    "boundary_ids": "IDs at the boundary of a service.",
    "closes": "Connections that ended, by close code; not ours where the client or the network ended them.",
    "incidents": "Errors of the application's or our own code, each logged under its ID.",
    "message_ids": "IDs inside messages.",
    "minted": "IDs that the hub made.",
    "store_failures": "Connections that ended, or were not let in, because a store did not answer.",
    "runs_ended": "Runs that ended, by their final event.",
    "run_events": "Events of runs that ended.",
}


class HubCollector(Collector):
    """What a hub holds and has counted, as `canonid_…`: one scrape reads it, nothing is kept twice.

    `CollectorRegistry().register(HubCollector(hub))`. Takes about 0.3 µs a connection.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def collect(self) -> Iterator[Metric]:
        yield from self._held()
        yield from self._tree()
        yield from self._membership()
        yield from self._traffic()
        yield from counted(self._hub.counters)

    def _held(self) -> Iterator[Metric]:
        counts, queued = self._hub.counts(), self._hub.queued()
        yield _gauge("connections", "Connections that are open.", counts.connections)
        yield _gauge("sessions", "Sessions that are live.", counts.sessions)
        yield _gauge("runs", "Runs that go on or are kept for replay.", counts.runs)
        yield _gauge("handshakes", "Connections that are not let in yet.", counts.handshakes)
        yield _gauge("watched_threads", "Threads that somebody watches.", counts.watched_threads)
        yield _gauge("outbox_messages", "Messages that wait for clients to read.", queued.messages)
        yield _gauge("outbox_bytes", "Their bytes.", queued.bytes)
        yield _gauge("tickets_unspent", "Tickets that nobody has connected with yet.", len(self._hub.tickets))

    def _tree(self) -> Iterator[Metric]:
        stats = self._hub.tree.stats
        yield _gauge("scopes", "Scopes that are live.", stats.scopes)
        yield _gauge("resources", "Resources that are claimed in scopes.", stats.resources)
        yield _gauge("cleanups_abandoned", "Cleanups that took too long and still run.", stats.abandoned)
        yield _counter("released", "Scopes and resources that were released.", stats.released)
        yield _counter("release_failures", "Cleanups that raised or took too long.", stats.failures)
        yield _counter("release_unknown", "Releases of what was not live there.", stats.unknown)

    def _membership(self) -> Iterator[Metric]:
        membership = self._hub.membership()
        if membership is None:
            return
        yield _gauge("lease_valid", "1 while the lease of this process is good.", float(self._hub.may_send))
        events = CounterMetricFamily(
            "canonid_membership_events",
            "Late beats, fences, and what else befell this process among those that share the scopes.",
            labels=["event"],
        )
        for event, count in membership.items():
            events.add_metric([event], count)
        yield events

    def _traffic(self) -> Iterator[Metric]:
        traffic = self._hub.traffic
        yield _counter("messages_received", "Messages of clients.", traffic.messages_in)
        yield _counter("received_bytes", "Their bytes.", traffic.bytes_in)
        yield _counter("messages_sent", "Messages written to clients.", traffic.messages_out)
        yield _counter("sent_bytes", "Their bytes.", traffic.bytes_out)
        closing = HistogramMetricFamily(
            "canonid_close_seconds", "From the end of a connection until all of it is released."
        )
        closing.add_metric([], buckets=traffic.closing.cumulative(), sum_value=traffic.closing.total)
        yield closing


def counted(counters: Counters) -> list[Metric]:
    """Counters as metrics, `canonid_<name>_total` each."""
    families: dict[str, CounterMetricFamily] = {}
    for name, labels, value in counters:
        family = families.get(name)
        if family is None:
            family = CounterMetricFamily(f"canonid_{name}", HELP.get(name, f"Counted as {name}."))
            families[name] = family
        family.add_sample(f"canonid_{name}_total", labels, value)
    return list(families.values())


def metrics_app(hub: Hub) -> Callable[..., Awaitable[Any]]:
    """An ASGI application that answers a scrape, for mounting where only Prometheus can reach it.

    Runs in the hub's own process and event loop, like the hub itself.
    """
    registry = CollectorRegistry()
    registry.register(HubCollector(hub))
    app: Callable[..., Awaitable[Any]] = make_asgi_app(registry)
    return app


def _gauge(name: str, says: str, value: float) -> Metric:
    return GaugeMetricFamily(f"canonid_{name}", says, value=value)


def _counter(name: str, says: str, value: float) -> Metric:
    return CounterMetricFamily(f"canonid_{name}", says, value=value)
