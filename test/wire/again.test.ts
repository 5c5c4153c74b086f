import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { ForwardRequest, Incoming } from '../../src/wire/port.ts'
import { eventually } from '../support/eventually.ts'
import { Caller, type Gateway, NO_BOUND, Origin, startGateway } from './peers.ts'

const ENGINES = ['native', 'node'] as const
const CHALLENGE = 'WWW-Authenticate: Bearer error="insufficient_scope"'
const REFUSED = `HTTP/1.1 401 Unauthorized\r\n${CHALLENGE}\r\nContent-Length: 2\r\n\r\nno`
const ENDLESS = `HTTP/1.1 401 Unauthorized\r\n${CHALLENGE}\r\nContent-Length: 9\r\n\r\nno`
const POST = 'POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody'

type Again = NonNullable<ForwardRequest['again']>

interface Started {
  readonly origin: Origin
  readonly gateway: Gateway
  readonly caller: Caller
}

/** An origin that answers requests with `X-Try: 2` well, and all others with `first`. */
async function start(
  t: TestContext,
  httpEngine: (typeof ENGINES)[number],
  again: Again,
  { first = REFUSED, collects = true }: { readonly first?: string; readonly collects?: boolean } = {},
): Promise<Started> {
  const origin = new Origin((socket, bytes) =>
    socket.write(bytes.includes('X-Try: 2') ? 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok' : first),
  )
  const gateway = await startGateway(
    { host: '127.0.0.1', port: await origin.listen() },
    {
      httpEngine,
      request: (incoming, upstream) => {
        const forward = (): void => incoming.forward(upstream, { ...requestOf(incoming), again })
        if (collects) incoming.collect(1000, NO_BOUND, (body) => body !== null && forward())
        else forward()
      },
    },
  )
  t.after(() => {
    gateway.close()
    origin.close()
    assert.deepEqual(gateway.faults, [])
  })
  return { origin, gateway, caller: new Caller(gateway.port) }
}

const requestOf = ({ method, path }: Pick<Incoming, 'method' | 'path'>): ForwardRequest => ({
  method,
  target: path,
  host: 'origin',
  fields: 'X-Try: 1\r\n',
  responseFields: 'X-Own: 1\r\n',
  responseNames: ['x-own'],
})

const SECOND = { ...requestOf({ method: 'POST', path: '/a' }), fields: 'X-Try: 2\r\n' }

for (const engine of ENGINES) {
  for (const [what, first] of [
    ['complete', REFUSED],
    ['still coming', ENDLESS],
  ] as const)
    test(`${engine}: an answer that is ${what} is given up, and the request goes again with its body`, async (t) => {
      const statuses: number[] = []
      const again: Again = (status, fields) => {
        statuses.push(status)
        assert.match(fields, /^WWW-Authenticate: Bearer error="insufficient_scope"\r$/im)
        return status === 401 ? Promise.resolve(SECOND) : null
      }
      const { origin, gateway, caller } = await start(t, engine, again, { first })
      const received = await caller.ask(POST, /ok$/)
      assert.match(received, /^HTTP\/1\.1 200 /)
      assert.match(received, /X-Own: 1\r\n/)
      assert.deepEqual(statuses, [401])
      assert.equal(origin.received.split('body').length, 3)
      await eventually(
        () => gateway.finished.length === 1,
        () => 'the end',
      )
      assert.equal(gateway.finished[0]!.outcome.upstreamStatus, 200)
    })

  test(`${engine}: null passes the answer on, and so does a body that is gone`, async (t) => {
    const left = await start(t, engine, () => null)
    assert.match(await left.caller.ask(POST, /no$/), /^HTTP\/1\.1 401 /)
    let asked = 0
    const gone = await start(
      t,
      engine,
      () => {
        asked++
        return Promise.resolve(SECOND)
      },
      { collects: false },
    )
    const chunked = 'POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n'
    assert.match(await gone.caller.ask(chunked, /no$/), /^HTTP\/1\.1 401 /)
    assert.equal(asked, 1)
  })

  test(`${engine}: where there is nothing to send the request is refused`, async (t) => {
    const { gateway, caller } = await start(t, engine, async () => ({ inner: 'no token' }))
    assert.match(await caller.ask(POST, /credential_unavailable$/), /^HTTP\/1\.1 500 /)
    assert.deepEqual(gateway.refused, [{ code: 'credential_unavailable', inner: 'no token' }])
  })

  test(`${engine}: a caller that leaves meanwhile has nothing sent for it`, async (t) => {
    let go: (() => void) | null = null
    const { origin, gateway, caller } = await start(t, engine, () => {
      if (go !== null) return null
      return new Promise((resolve) => {
        go = () => resolve(SECOND)
        caller.socket.destroy()
      })
    })
    caller.send(POST)
    await eventually(
      () => gateway.finished.length === 1,
      () => 'the end',
    )
    go!()
    await new Caller(gateway.port).ask(POST, /no$/)
    assert.equal(origin.received.includes('X-Try: 2'), false)
  })

  test(`${engine}: a call from within goes again too, or fails where there is nothing to send`, async (t) => {
    const { gateway } = await start(t, engine, () => null)
    const ask = (again: Again) =>
      new Promise((resolve) => {
        const bounds = { keepBytesMax: 100, readBytesMax: 100 }
        const request = requestOf({ method: 'POST', path: '/a' })
        gateway.upstream.call({ ...request, ...bounds, body: Buffer.from('body'), again }, (result) =>
          resolve(result.ok ? [result.status, Buffer.from(result.body).toString()] : result.failure),
        )
      })
    assert.deepEqual(await ask(async () => SECOND), [200, 'ok'])
    assert.deepEqual(await ask(async () => ({ inner: 'no token' })), 'credential')
    assert.deepEqual(await ask(() => null), [401, 'no'])
  })
}
