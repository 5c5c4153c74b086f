import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { HOSTILE } from '../wire/hostile-requests.ts'
import { Caller, startGateway } from '../wire/peers.ts'
import { PEERS } from './origins.ts'

const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n'
/** Ends the connection of whatever was taken for a whole request. */
const LAST = 'GET /close HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'
const bytes = (text: string): number => Buffer.byteLength(text, 'latin1')
const chunked = (text: string): string => `${bytes(text).toString(16)}\r\n${text}\r\n0\r\n\r\n`

/** Ways of saying twice, or wrongly, where a body ends; the second request stands where one reading puts it. */
function desyncs(): string[] {
  const encodings = [
    ...[
      'Transfer-Encoding: chunked',
      'Transfer-Encoding : chunked',
      'Transfer-Encoding:\tchunked',
      'transfer-encoding: CHUNKED',
    ],
    ...[
      'Transfer-Encoding: xchunked',
      'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity',
      'Transfer-Encoding: \x0bchunked',
    ],
    ...[
      'Transfer-Encoding: identity, chunked',
      'X: y\r\n Transfer-Encoding: chunked',
      'Transfer_Encoding: chunked',
      'X: y\nTransfer-Encoding: chunked',
    ],
    ...[
      'Transfer-Encoding: "chunked"',
      'Transfer-Encoding: chunked;q=1',
      'Transfer-Encoding: chunk\r\n ed',
      'Transfer-Encoding\r\n: chunked',
      '',
    ],
  ]
  const lengths = (body: string): string[] => [
    ...[
      `Content-Length: ${bytes(body)}`,
      'Content-Length: 0',
      'Content-Length: 5',
      `Content-Length: +${bytes(body)}`,
      '',
    ],
    ...[
      `Content-Length: 0\r\nContent-Length: ${bytes(body)}`,
      `Content-Length : ${bytes(body)}`,
      `Content-Length: ${bytes(body)}, 0`,
    ],
    ...[
      `Content-Length: 00${bytes(body)}`,
      `Content_Length: ${bytes(body)}`,
      `Content-Length:\x0b${bytes(body)}`,
    ],
  ]
  const bodies = [
    ...[SMUGGLED, `0\r\n\r\n${SMUGGLED}`, chunked('x') + SMUGGLED, chunked(SMUGGLED), `0\n\n${SMUGGLED}`],
    ...[
      `5;ext\r\nhello\r\n0\r\n\r\n${SMUGGLED}`,
      `0\r\nX: y\r\n\r\n${SMUGGLED}`,
      `0x5\r\nhello\r\n0\r\n\r\n${SMUGGLED}`,
    ],
  ]
  const requests: string[] = []
  for (const body of bodies)
    for (const encoding of encodings)
      for (const length of lengths(body)) {
        const lines = [encoding, length].filter((line) => line !== '').map((line) => `${line}\r\n`)
        requests.push(`POST /first HTTP/1.1\r\nHost: a\r\n${lines.join('')}\r\n${body}`)
      }
  return requests
}

for (const kind of PEERS)
  test(`${kind.name} reads just the requests that the gateway forwarded`, async (t) => {
    const absent = kind.missing()
    if (absent !== null) return t.skip(absent)
    const directory = mkdtempSync(join(tmpdir(), 'postern-origin-'))
    const peer = await kind.start(directory)
    const gateway = await startGateway({ host: '127.0.0.1', port: peer.port })
    try {
      const corpus = [...HOSTILE.map(([, text]) => text + SMUGGLED), ...desyncs()]
      const before = peer.requests().length
      for (let done = 0; done < corpus.length; done += 64)
        await Promise.all(
          corpus.slice(done, done + 64).map(async (text) => {
            const caller = new Caller(gateway.port)
            caller.send(text + LAST)
            await caller.closed()
          }),
        )
      await eventually(
        () => gateway.finished.length >= gateway.seen.length,
        () => 'every request to end',
      )
      const marker = new Caller(gateway.port)
      await marker.ask('GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', /HTTP\/1\.1 \d\d\d/)
      await eventually(
        () => peer.requests().includes('GET /last'),
        () => `the log of ${kind.name}`,
      )
      const read = peer.requests().slice(before)
      const told = gateway.seen.map(
        ({ method, path, query }) => `${method} ${query === '' ? path : `${path}?${query}`}`,
      )
      // A request that was refused after its head had gone out may not have been read; none was made up
      const left = new Map<string, number>()
      for (const one of told) left.set(one, (left.get(one) ?? 0) + 1)
      for (const one of read) {
        const count = left.get(one) ?? 0
        assert.ok(count > 0, `${kind.name} read "${one}", which was never forwarded`)
        left.set(one, count - 1)
      }
      assert.ok(read.length > 50, `only ${read.length} requests came through`)
      assert.deepEqual(gateway.faults, [])
    } finally {
      gateway.close()
      await peer.stop()
      rmSync(directory, { recursive: true, force: true })
    }
  })
