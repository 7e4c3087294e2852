"""A small HTTP/1.1 client on asyncio. It costs little, because it shares two cores with what it torments,
and it says exactly how a request ended: answered, never sent, or unknown.
"""

import asyncio
import json
from dataclasses import dataclass
from urllib.parse import urlsplit

# The 1.x SDK: its streams begin with a ping that names the run.
HEADERS = "x-stainless-package-version: 1.12.1\r\nuser-agent: Letta/Python 1.12.1\r\naccept: application/json\r\n"


class NotSent(Exception):
    """There was no connection: nothing of the request left us."""


class Unknown(Exception):
    """Something was sent and no whole answer came: it may or may not have been carried out."""


async def _line(reader: asyncio.StreamReader) -> bytes:
    if not (line := await reader.readline()):
        raise Unknown("the connection was closed")
    return line


class Answer:
    """An answer whose head is there. Exactly one of `read` and `frames` takes its body."""

    def __init__(self, status: int, headers: dict[str, str], connection: "_Connection"):
        self.status, self.headers, self._connection = status, headers, connection
        self.body = b""

    async def _chunks(self):
        reader = self._connection.reader
        if "chunked" in self.headers.get("transfer-encoding", ""):
            while size := int((await _line(reader)).split(b";")[0], 16):
                yield (await reader.readexactly(size + 2))[:-2]
            await _line(reader)
        elif (length := self.headers.get("content-length")) is not None:
            if int(length):
                yield await reader.readexactly(int(length))
        else:
            yield await reader.read()

    async def read(self) -> bytes:
        with _named_losses():
            self.body = b"".join([chunk async for chunk in self._chunks()])
        self._connection.release(self.headers)
        return self.body

    def json(self):
        return json.loads(self.body)

    async def frames(self):
        """The `data:` lines of a stream of server-sent events, the closing `[DONE]` included."""
        rest = b""
        chunks = self._chunks()
        while True:
            with _named_losses():
                try:
                    chunk = await anext(chunks)
                except StopAsyncIteration:
                    break
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                if line.startswith(b"data: "):
                    yield line[6:].strip()
        self._connection.release(self.headers)

    def close(self) -> None:
        """Hangs up, unless the answer was read to its end."""
        self._connection.close()


@dataclass
class _Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    pool: list | None
    done: bool = False

    def release(self, headers: dict[str, str]) -> None:
        if not self.done:
            self.done = True
            if self.pool is not None and headers.get("connection", "").lower() != "close":
                self.pool.append(self)
            else:
                self.writer.close()

    def close(self) -> None:
        if not self.done:
            self.done = True
            self.writer.transport.abort()


class _named_losses:
    """Turns what a broken connection may raise into `Unknown`."""

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _):
        if kind and issubclass(kind, (OSError, EOFError, ValueError, IndexError)):
            raise Unknown(f"{kind.__name__}: {error}") from None


class Client:
    """Requests to one server. `keep_alive` uses connections again, which saves time and can lose requests."""

    def __init__(self, url: str, keep_alive: bool = True):
        parts = urlsplit(url)
        self.host, self.port, self.keep_alive = parts.hostname, parts.port, keep_alive
        self._idle: list[_Connection] = []

    async def _connect(self) -> _Connection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.reader.at_eof() and not connection.writer.is_closing():
                connection.done = False
                return connection
            connection.writer.close()
        try:
            reader, writer = await asyncio.open_connection(self.host, self.port, limit=2**20)
        except OSError as e:
            raise NotSent(str(e)) from None
        return _Connection(reader, writer, self._idle if self.keep_alive else None)

    async def send(self, method: str, path: str, body=None, headers: str = "") -> Answer:
        """Sends a request and waits for the head of its answer."""
        data = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nhost: {self.host}:{self.port}\r\n{HEADERS}{headers}"
        if body is not None or method == "POST":
            head += f"content-type: application/json\r\ncontent-length: {len(data)}\r\n"
        if not self.keep_alive:
            head += "connection: close\r\n"
        connection = await self._connect()
        try:
            with _named_losses():
                connection.writer.write(head.encode() + b"\r\n" + data)
                await connection.writer.drain()
                status = int((await _line(connection.reader)).split()[1])
                answer_headers = {}
                while line := (await _line(connection.reader)).strip():
                    name, _, value = line.decode("latin-1").partition(":")
                    answer_headers[name.lower()] = value.strip()
        except BaseException:
            connection.close()
            raise
        return Answer(status, answer_headers, connection)

    async def call(self, method: str, path: str, body=None, headers: str = "") -> Answer:
        """Sends a request and reads its whole answer."""
        answer = await self.send(method, path, body, headers)
        try:
            await answer.read()
        finally:
            answer.close()
        return answer

    def forget(self) -> None:
        """Closes what is idle."""
        for connection in self._idle:
            connection.writer.close()
        self._idle.clear()
