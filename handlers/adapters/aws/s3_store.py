"""The fleet's ``ObjectStore``: a bucket of S3, or of anything that speaks its language."""

from __future__ import annotations

import gzip
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from boto3.exceptions import S3UploadFailedError
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    IncompleteReadError,
    ReadTimeoutError,
    ResponseStreamingError,
)

from handlers.adapters.aws.clients import code_of, explained
from handlers.domain.result import Part, PartPointer
from handlers.errors import PaperfleetError, damage_error, missing_error
from handlers.state_paths import RESULTS, checked_key, run_key

_PACKED = ".jsonl.gz"
_CHUNK = 8 << 20
_CACHED_BYTES = 64 << 20
"""Unpacked parts kept for readers that take many lines of one."""
_WRITERS = 8
_READERS = 16
_TRIES = 4
_BROKEN = (ConnectionClosedError, IncompleteReadError, ReadTimeoutError, ResponseStreamingError)
_MISSING = frozenset({"404", "NoSuchKey", "NotFound"})


class S3Store:
    """Parts are gzip objects ``runs/<run>/results/<part>.jsonl.gz``; pointers count unpacked bytes."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = bucket
        self._lock = threading.Lock()
        self._unpacked: OrderedDict[str, bytes] = OrderedDict()
        self._unpacked_bytes = 0

    def put_file(self, key: str, path: Path) -> None:
        """In several parts when large. An object that exists is left as it is."""
        if self.exists(key):
            return
        try:
            self._client.upload_file(str(path), self._bucket, key)
        except (BotoCoreError, ClientError) as error:
            raise self._explained(error, key) from error
        except S3UploadFailedError as error:
            cause = error.__context__
            if isinstance(cause, ClientError | BotoCoreError):
                raise self._explained(cause, key) from error
            raise PaperfleetError(f"bucket {self._bucket!r}: {key} cannot be uploaded: {error}") from error

    def exists(self, key: str) -> bool:
        try:
            self._client.head_object(Bucket=self._bucket, Key=checked_key(key))
        except ClientError as error:
            if code_of(error) in _MISSING:
                return False
            raise self._explained(error, key) from error
        except BotoCoreError as error:
            raise self._explained(error, key) from error
        return True

    def read(self, key: str, offset: int, length: int) -> bytes:
        if checked_key(key).endswith(_PACKED):
            data = self._part(key)[offset : offset + length]
        else:
            data, _ = self._get(key, offset, offset + length)
        if len(data) != length:
            problem = f"{length} bytes at offset {offset} wanted, {len(data)} there; the object was replaced"
            raise damage_error(key, f"s3://{self._bucket}/{key}: {problem}")
        return data

    def read_many(self, key: str, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Several at once: a request takes tens of milliseconds, and workers wait for a batch's papers."""
        if len(ranges) <= 1:
            return [self.read(key, offset, length) for offset, length in ranges]
        with ThreadPoolExecutor(min(_READERS, len(ranges)), thread_name_prefix="s3") as pool:
            return list(pool.map(lambda where: self.read(key, *where), ranges))

    def lines(self, key: str) -> Iterator[bytes]:
        """Chunk by chunk, so that a broken connection costs one chunk and not the stream."""
        if checked_key(key).endswith(_PACKED):
            yield from self._part(key).splitlines(keepends=True)
            return
        rest, offset, total = b"", 0, 1
        while offset < total:
            data, total = self._get(key, offset, offset + _CHUNK)
            if not data and offset < total:
                raise damage_error(key, f"s3://{self._bucket}/{key} was cut while it was read")
            offset += len(data)
            *whole, rest = (rest + data).split(b"\n")
            for line in whole:
                yield line + b"\n"
        if rest:
            yield rest

    def keys(self, prefix: str) -> Iterator[str]:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
        try:
            for page in pages:
                yield from (entry["Key"] for entry in page.get("Contents", ()))
        except (BotoCoreError, ClientError) as error:
            raise self._explained(error, prefix) from error

    def write_parts(self, job_id: str, parts: Sequence[Part]) -> list[tuple[PartPointer, ...]]:
        del job_id  # it is in the parts' names
        if len(parts) <= 1:
            return [self._write(part) for part in parts]
        with ThreadPoolExecutor(min(_WRITERS, len(parts)), thread_name_prefix="s3") as pool:
            return list(pool.map(self._write, parts))

    def _write(self, part: Part) -> tuple[PartPointer, ...]:
        key = checked_key(run_key(part.run_id, RESULTS, part.name + _PACKED))
        content = b"".join(part.lines)
        self._put_once(key, content)
        pointers, offset = [], 0
        for line in part.lines:
            pointers.append(PartPointer(key=key, offset=offset, length=len(line)))
            offset += len(line)
        return tuple(pointers)

    def _put_once(self, key: str, content: bytes) -> None:
        packed = gzip.compress(content, 6, mtime=0)
        request = {"Bucket": self._bucket, "Key": key, "Body": packed, "ContentType": "application/gzip"}
        try:
            self._client.put_object(**request, IfNoneMatch="*")
        except ClientError as error:
            code = code_of(error)
            if code in ("PreconditionFailed", "412") and self._part(key) == content:
                return  # a repeated request found its own work done
            if code not in ("NotImplemented", "501"):
                raise self._explained(error, key) from error
            self._put_plainly(request)
        except BotoCoreError as error:
            raise self._explained(error, key) from error

    def _put_plainly(self, request: dict[str, Any]) -> None:
        """To a store without conditional writes: names of parts are unique all the same."""
        try:
            self._client.put_object(**request)
        except (BotoCoreError, ClientError) as error:
            raise self._explained(error, request["Key"]) from error

    def _part(self, key: str) -> bytes:
        with self._lock:
            if key in self._unpacked:
                self._unpacked.move_to_end(key)
                return self._unpacked[key]
        try:
            content = gzip.decompress(b"".join(self._chunks(key)))
        except (OSError, EOFError) as error:
            raise damage_error(key, f"s3://{self._bucket}/{key} is no gzip ({error})") from error
        with self._lock:
            if key not in self._unpacked:
                self._unpacked[key] = content
                self._unpacked_bytes += len(content)
            while self._unpacked_bytes > _CACHED_BYTES and len(self._unpacked) > 1:
                self._unpacked_bytes -= len(self._unpacked.popitem(last=False)[1])
        return content

    def _chunks(self, key: str) -> Iterator[bytes]:
        offset, total = 0, 1
        while offset < total:
            data, total = self._get(key, offset, offset + _CHUNK)
            offset += len(data)
            yield data

    def _get(self, key: str, start: int, end: int) -> tuple[bytes, int]:
        """(bytes from ``start`` up to ``end`` or the object's end, the object's size)."""
        for tried in range(_TRIES):
            try:
                answer = self._client.get_object(
                    Bucket=self._bucket, Key=key, Range=f"bytes={start}-{end - 1}"
                )
                total = int(answer.get("ContentRange", "").rpartition("/")[2] or answer["ContentLength"])
                return answer["Body"].read(), total
            except ClientError as error:
                if code_of(error) in ("InvalidRange", "416"):
                    return b"", 0
                raise self._explained(error, key) from error
            except _BROKEN as error:  # the SDK repeats requests, but not the reading of an answer
                if tried == _TRIES - 1:
                    raise self._explained(error, key) from error
            except BotoCoreError as error:
                raise self._explained(error, key) from error
        raise AssertionError("unreachable")

    def _explained(self, error: BotoCoreError | ClientError, key: str) -> PaperfleetError:
        if isinstance(error, ClientError) and code_of(error) in _MISSING:
            return missing_error(key, f"s3://{self._bucket}/{key}")
        return explained(error, self._client, f"bucket {self._bucket!r}")

    def close(self) -> None:
        self._client.close()
