/** A body that is watched, on both engines: it is seen whole, in order and once, however it is read. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BodyWatch, Incoming, Upstream } from '../../src/wire/port.ts'
import { eventually } from '../support/eventually.ts'
import { Caller, NO_BOUND, Origin, startGateway } from './peers.ts'

const ENGINES = ['native', 'node'] as const
const BODY = `${'abcdefghij'.repeat(20_000)}!`

class Seen implements BodyWatch {
  text = ''
  readonly ends: boolean[] = []
  piece(bytes: Uint8Array, from: number, to: number): void {
    assert.deepEqual(this.ends, [])
    this.text += Buffer.from(bytes.subarray(from, to)).toString('latin1')
  }
  end(isWhole: boolean): void {
    this.ends.push(isWhole)
  }
}

const chunked = (body: string, size: number): string => {
  const chunks = Array.from({ length: Math.ceil(body.length / size) }, (_, index) =>
    body.slice(index * size, (index + 1) * size),
  )
  return `${chunks.map((one) => `${one.length.toString(16)}\r\n${one}\r\n`).join('')}0\r\n\r\n`
}

const FRAMINGS = {
  'of a length': (body: string) => `Content-Length: ${body.length}\r\n\r\n${body}`,
  'in chunks': (body: string) => `Transfer-Encoding: chunked\r\n\r\n${chunked(body, 700)}`,
} as const

async function start(httpEngine: (typeof ENGINES)[number], collects: boolean) {
  const origin: Origin = new Origin((socket) => {
    if (/(\r\n0\r\n\r\n|!)$/.test(origin.received))
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  })
  const seen: Seen[] = []
  const forward = (incoming: Incoming, upstream: Upstream): void =>
    incoming.forward(upstream, {
      ...{ method: 'POST', target: '/a', host: 'a', fields: '', responseFields: '', responseNames: [] },
    })
  const gateway = await startGateway(
    { host: '127.0.0.1', port: await origin.listen() },
    {
      httpEngine,
      request: (incoming, upstream) => {
        const watch = new Seen()
        seen.push(watch)
        incoming.watchBody(watch)
        if (collects)
          incoming.collect(1_000_000, NO_BOUND, (body) => body !== null && forward(incoming, upstream))
        else forward(incoming, upstream)
      },
    },
  )
  return {
    ...{ origin, seen, gateway },
    [Symbol.dispose]() {
      gateway.close()
      origin.close()
      assert.deepEqual(gateway.faults, [])
    },
  }
}

for (const engine of ENGINES)
  for (const [name, framed] of Object.entries(FRAMINGS))
    for (const collects of [true, false])
      test(`${engine}: a body ${name} that is ${collects ? 'collected' : 'streamed'} is seen whole`, async () => {
        using started = await start(engine, collects)
        for (const body of [BODY, 'short!']) {
          const caller = new Caller(started.gateway.port)
          assert.match(
            await caller.ask(`POST /a HTTP/1.1\r\nHost: a\r\n${framed(body)}`, /ok$/),
            /^HTTP\/1\.1 200 /,
          )
          const last = started.seen.at(-1)!
          assert.equal(last.text, body)
          assert.deepEqual(last.ends, [true])
        }
      })

for (const engine of ENGINES)
  for (const collects of [true, false])
    test(`${engine}: the watch of a body that is ${collects ? 'collected' : 'streamed'} ends with its caller`, async () => {
      using started = await start(engine, collects)
      const caller = new Caller(started.gateway.port)
      caller.send('POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf')
      await eventually(
        () => started.seen[0]?.text === 'half',
        () => String(started.seen[0]?.text),
      )
      caller.socket.destroy()
      await eventually(
        () => started.seen[0]!.ends.length === 1,
        () => String(started.seen[0]!.ends),
      )
      assert.deepEqual(started.seen[0]!.ends, [false])
    })
