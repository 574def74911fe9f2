"""What happened, counted; in the Prometheus text format."""

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from packeton.features.caching.fills import FillEvent

__all__ = ["Metrics"]

SECONDS = (0.005, 0.02, 0.1, 0.5, 1, 2.5, 5, 10, 30)
JOB_SECONDS = (0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)


class Metrics:
    """The counters of one build; no global registry, so that several can live in one process."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Counter(
            "packeton_requests", "Requests answered", ["method", "status", "cache"], registry=registry
        )
        self.sent = Counter("packeton_sent_bytes", "Bytes of bodies sent to clients", registry=registry)
        self.seconds = Histogram(
            "packeton_request_seconds", "From a request's head to its answer's end", registry=registry, buckets=SECONDS
        )
        self.upstream = Counter(
            "packeton_upstream_exchanges", "Requests to upstream", ["host", "outcome"], registry=registry
        )
        self.upstream_seconds = Histogram(
            "packeton_upstream_head_seconds", "From our request to upstream's head", registry=registry, buckets=SECONDS
        )
        self.received = Counter("packeton_upstream_bytes", "Bytes of bodies received from upstream", registry=registry)
        self.fills = Counter("packeton_fills", "Fills of the cache", ["event"], registry=registry)
        self.changed = Counter(
            "packeton_dist_changed", "Dists for which upstream served other bytes than first seen", registry=registry
        )
        self.evicted = Counter("packeton_evicted_bytes", "Bytes evicted from the store", registry=registry)
        self.jobs = Counter(
            "packeton_jobs_ended", "Jobs that ended in this process, or were put back", ["type", "status"],
            registry=registry,
        )  # fmt: skip
        self.job_seconds = Histogram(
            "packeton_job_seconds", "From a job's start to its end", ["type"], registry=registry, buckets=JOB_SECONDS
        )
        self._registry = registry

    def text(self) -> bytes:
        """Return all figures, as `CONTENT_TYPE_LATEST` of `prometheus_client` says."""
        return generate_latest(self._registry)

    def gauge(self, name: str, text: str, read: Callable[[], float]) -> None:
        """Add a figure that is read when asked for."""
        Gauge(name, text, registry=self._registry).set_function(read)

    def gauges(self, name: str, text: str, label: str, read: Callable[[], Mapping[str, float]]) -> None:
        """Add a figure by label that is read when asked for."""
        self._registry.register(_Gauges(name, text, label, read))

    def on_fill(self, event: FillEvent, key: str, size: int) -> None:  # noqa: ARG002  # an Observer
        """Count what happened to a fill."""
        self.fills.labels(event.value).inc()

    def on_exchange(self, host: str, outcome: str, head_seconds: float | None, body_bytes: int) -> None:
        """Count one exchange with upstream."""
        self.upstream.labels(host, outcome).inc()
        self.received.inc(body_bytes)
        if head_seconds is not None:
            self.upstream_seconds.observe(head_seconds)

    def on_job(self, kind: str, status: str, seconds: float) -> None:
        """Count one job that is out of our hands."""
        self.jobs.labels(kind, status).inc()
        self.job_seconds.labels(kind).observe(seconds)

    def on_answer(self, method: str, status: int, cache: str, sent: int, seconds: float) -> None:
        """Count one finished request."""
        known = method if method in {"GET", "HEAD", "POST", "PUT", "DELETE"} else "other"
        self.requests.labels(known, str(status), cache).inc()
        self.sent.inc(sent)
        self.seconds.observe(seconds)


class _Gauges(Collector):
    """One figure for each value of a label."""

    def __init__(self, name: str, text: str, label: str, read: Callable[[], Mapping[str, float]]) -> None:
        self._name = name
        self._text = text
        self._label = label
        self._read = read

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Read now."""
        family = GaugeMetricFamily(self._name, self._text, labels=[self._label])
        for value, figure in self._read().items():
            family.add_metric([value], figure)
        yield family
