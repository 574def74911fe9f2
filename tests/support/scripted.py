"""An IHttpClient that plays a script, for unit tests."""

from collections.abc import Callable, Sequence

from attrs import define, field
from twisted.internet.interfaces import IPushProducer
from twisted.python.failure import Failure
from zope.interface import implementer

from packeton.errors import UpstreamFailed
from packeton.interfaces.upstream import Headers, IBodyReceiver, IHttpClient, IUpstreamResponse, UpstreamRequest


@implementer(IPushProducer)
@implementer(IUpstreamResponse)
@define(eq=False)
class ScriptedResponse:
    """
    One answer whose body the test sends by hand, or at once when `body` is given.

    `cut` after the body ends it with a failure.
    """

    status: int = 200
    headers: Headers = ()
    body: bytes | None = None
    length: int | None = None
    cut: bool = False
    url: str = "https://up.example/x"
    receiver: IBodyReceiver | None = field(default=None, init=False)
    paused: bool = field(default=False, init=False)
    stopped: bool = field(default=False, init=False)
    aborted: bool = field(default=False, init=False)

    def deliver(self, receiver: IBodyReceiver) -> IPushProducer:
        self.receiver = receiver
        if self.body is not None:
            if self.body:
                receiver.received(self.body)
            self.end()
        return self

    def send(self, data: bytes) -> None:
        assert self.receiver is not None
        self.receiver.received(data)

    def end(self, error: Exception | None = None) -> None:
        if self.cut and error is None:
            error = UpstreamFailed("connection lost")
        receiver, self.receiver = self.receiver, None
        if receiver is not None:
            receiver.ended(None if error is None else Failure(error))

    def abort(self) -> None:
        self.aborted = True

    def pauseProducing(self) -> None:
        self.paused = True

    def resumeProducing(self) -> None:
        self.paused = False

    def stopProducing(self) -> None:
        self.stopped = True
        self.end(UpstreamFailed("stopped"))


Answer = ScriptedResponse | Exception | Callable[[UpstreamRequest], ScriptedResponse]


@implementer(IHttpClient)
@define
class ScriptedClient:
    """Gives the answers in turn and keeps the requests."""

    answers: list[Answer] = field(factory=list)
    requests: list[UpstreamRequest] = field(factory=list)

    async def request(self, request: UpstreamRequest) -> IUpstreamResponse:
        self.requests.append(request)
        if not self.answers:
            raise UpstreamFailed(f"nothing is scripted for {request.url}")
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, ScriptedResponse) else answer(request)

    def header(self, index: int, name: str) -> str | None:
        """Return a field of the index-th request."""
        return dict(self.requests[index].headers).get(name)


async def immediately(work: Callable[..., object], *args: object) -> object:
    """An InThread that runs the work at once."""
    return work(*args)


def script(*answers: Answer) -> ScriptedClient:
    """Return a client with these answers."""
    return ScriptedClient(answers=list(answers))


def pairs(**fields: str) -> Sequence[tuple[str, str]]:
    """Return header fields; underscores in names are hyphens."""
    return [(name.replace("_", "-"), value) for name, value in fields.items()]
