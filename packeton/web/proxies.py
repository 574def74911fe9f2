"""One `proxies.<name>` mount: any method, any path, one origin, through the cache."""

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from packeton.core.caching.fields import first_of
from packeton.errors import NotFound, PacketonError
from packeton.features.proxying.exchange import Answer, Exchange, PassingAnswer, ProxyRequest, StoredAnswer
from packeton.web import errors
from packeton.web.bodies import read_posted
from packeton.web.responses import request_fields
from packeton.web.sending import send_blob
from packeton.web.server import MAX_BODY_BYTES
from packeton.web.streaming import abort, stream

__all__ = ["ProxyResource"]

log = Logger()

BODILESS = frozenset({204, 304})


class ProxyResource(Resource):
    """See the module."""

    isLeaf = True

    def __init__(self, exchange: Exchange, clock: IReactorTime) -> None:
        super().__init__()
        self._exchange = exchange
        self._clock = clock

    def render(self, request: Any) -> int:
        """Answer; the outcome of the coroutine is the request's end."""
        gone = request.notifyFinish()
        answered = Deferred.fromCoroutine(self._answer(request))
        gone.addErrback(lambda _: answered.cancel())
        answered.addErrback(lambda failure: log.failure("A proxied request failed", failure))
        return NOT_DONE_YET

    async def _answer(self, request: Request) -> None:
        try:
            whole = await self._send(request, await self._exchange.answer(self._read(request)))
        except CancelledError:
            return
        except PacketonError as error:
            request.write(errors.send_failure(request, error))
            whole = True
        except Exception:
            log.failure("A proxied request failed")
            if request.startedWriting:  # the client must not take a part for the whole
                abort(request)
                return
            request.write(errors.send_problem(request, 500))
            whole = True
        if whole:
            request.finish()

    def _read(self, request: Request) -> ProxyRequest:
        mounted = b"/" + b"/".join(request.prepath or ())
        if not request.uri.startswith(mounted):
            raise NotFound("the mount's own path must be written plainly")
        target = request.uri[len(mounted) :]
        headers = request_fields(request)
        has_body = any(name.lower() in {"content-length", "transfer-encoding"} for name, _ in headers)
        return ProxyRequest(
            method=request.method.decode("latin-1"),
            target=target.decode("latin-1"),
            headers=headers,
            body=read_posted(request, MAX_BODY_BYTES) if has_body else None,
        )

    async def _send(self, request: Request, answer: Answer) -> bool:
        request.setResponseCode(answer.status)
        for name in (b"server", b"date", b"content-type"):
            request.responseHeaders.removeHeader(name)
        request.defaultContentType = None
        for field, value in answer.headers:
            request.responseHeaders.addRawHeader(field.encode("latin-1"), value.encode("latin-1"))
        if isinstance(answer, StoredAnswer):
            return await self._send_stored(request, answer)
        if isinstance(answer, PassingAnswer):
            return await self._send_passing(request, answer)
        if answer.body:
            request.write(answer.body)
        return True

    async def _send_stored(self, request: Request, answer: StoredAnswer) -> bool:
        request.setHeader(b"x-cache", b"hit")
        if answer.status in BODILESS:
            answer.blob.close()
            return True
        if answer.status != 200:
            request.requestHeaders.removeHeader(b"range")
        kind = first_of(answer.headers, "content-type")
        return await send_blob(
            request,
            answer.blob,
            etag=answer.etag,
            last_modified=answer.last_modified,
            content_type=kind or "application/octet-stream",
            clock=self._clock,
        )

    async def _send_passing(self, request: Request, answer: PassingAnswer) -> bool:
        request.setHeader(b"x-cache", b"miss")
        if answer.length is not None and answer.status not in BODILESS:
            request.setHeader(b"content-length", b"%d" % answer.length)
        if request.method == b"HEAD" or answer.status in BODILESS:
            answer.follower.close()
            return True
        return await stream(request, answer.follower, self._clock)
