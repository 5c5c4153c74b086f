import assert from 'node:assert/strict'
import type { lookup } from 'node:dns'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Caller, Origin, startGateway } from '../../../test/wire/peers.ts'
import type { CallRequest, CallResult } from '../port.ts'

const CALL: CallRequest = {
  method: 'GET',
  target: '/',
  host: 'a',
  fields: '',
  responseFields: '',
  responseNames: [],
  body: null,
  keepBytesMax: 0,
  readBytesMax: 100,
}
const NEVER = 'is refused: Postern never calls link-local, metadata, multicast and unspecified addresses'
const REQUEST = 'GET /a HTTP/1.1\r\nHost: a\r\n\r\n'

/** A resolver that gives the addresses that `addressesOf` names at that time. */
const resolverOf = (addressesOf: () => readonly string[]): typeof lookup =>
  ((_name: string, _options: unknown, answer: (error: null, found: object[]) => void) => {
    process.nextTick(
      answer,
      null,
      addressesOf().map((address) => ({ address, family: 4 })),
    )
  }) as unknown as typeof lookup // Only the form with all: true is used

for (const host of [
  '169.254.169.254',
  '[::ffff:169.254.169.254]',
  '[fd00:ec2::254]',
  '[fe80::1]',
  'metadata.google.internal',
  'leads.to.one.test',
])
  for (const scheme of ['http', 'https'])
    test(`nothing is connected to ${host} over ${scheme}, for a caller or for Postern itself`, async () => {
      const tls = scheme === 'http' ? null : { serverName: host }
      const gateway = await startGateway(
        { host, port: 80 },
        { upstream: { tls }, resolve: resolverOf(() => ['169.254.169.254']) },
      )
      const inner = `${host.replace(/^\[(.*)\]$/, '$1')} ${NEVER}`
      const caller = new Caller(gateway.port)
      await caller.ask(REQUEST, /^HTTP\/1\.1 502 /)
      assert.deepEqual(gateway.refused, [{ code: 'upstream_unreachable', inner }])
      // As health checks and trials of credentials do
      const result = await new Promise<CallResult>((done) => gateway.upstream.call(CALL, done))
      assert.deepEqual(result, {
        ok: false,
        failure: 'unreachable',
        inner,
        upstreamAt: 0,
      })
      assert.equal(gateway.upstream.open, 0)
      gateway.close()
    })

test('the address that was judged is the one that is connected to, also when a name changes its mind', async () => {
  const origin = new Origin()
  const port = await origin.listen()
  let addresses = ['127.0.0.1']
  const gateway = await startGateway({ host: 'rebind.test', port }, { resolve: resolverOf(() => addresses) })
  const ask = async (pattern: RegExp): Promise<void> => {
    const caller = new Caller(gateway.port)
    await caller.ask(REQUEST.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'), pattern)
    await caller.closed()
  }
  await ask(/^HTTP\/1\.1 200 /)
  addresses = ['169.254.169.254']
  for (const socket of origin.sockets) socket.destroy()
  gateway.pass(11_000)
  await ask(/^HTTP\/1\.1 502 /)
  assert.equal(gateway.refused.at(-1)?.inner, `rebind.test ${NEVER}`)
  // Of several addresses the refused ones are passed over
  addresses = ['169.254.169.254', '127.0.0.1']
  gateway.pass(11_000)
  await ask(/^HTTP\/1\.1 200 /)
  gateway.close()
  origin.close()
})

test('a name that comes to lead to the control listener is refused for each kind of URL, and another port is not', async () => {
  const origin = new Origin()
  const port = await origin.listen()
  let addresses = ['127.0.0.1']
  const resolve = resolverOf(() => addresses)
  const askAt = async (control: number, from: 'typed' | 'discovered' | 'own', pattern: RegExp) => {
    const gateway = await startGateway(
      { host: 'rebind.test', port },
      { resolve, upstream: { from }, egress: { control: { host: '0.0.0.0', port: control } } },
    )
    await new Caller(gateway.port).ask(REQUEST, pattern)
    gateway.close()
    return gateway.refused.at(-1)?.inner
  }
  const own = `rebind.test:${port} is refused: it is the control listener of this Postern`
  for (const from of ['typed', 'discovered'] as const)
    for (const leads of ['127.0.0.1', '127.3.2.1']) {
      addresses = [leads]
      assert.equal(await askAt(port, from, /^HTTP\/1\.1 502 /), own)
    }
  addresses = ['127.0.0.1']
  assert.equal(await askAt(port + 1, 'typed', /^HTTP\/1\.1 200 /), undefined)
  assert.match(String(await askAt(port + 1, 'discovered', /^HTTP\/1\.1 502 /)), /POSTERN_EGRESS_ALLOW/)
  assert.equal(await askAt(port, 'own', /^HTTP\/1\.1 200 /), undefined)
  origin.close()
})

test('a private socket of Postern is connected to by Postern itself alone', async () => {
  const sockets = mkdtempSync(join(tmpdir(), 'postern-'))
  const gateway = await startGateway({ socketPath: join(sockets, 'control.sock') }, { egress: { sockets } })
  await new Caller(gateway.port).ask(REQUEST, /^HTTP\/1\.1 502 /)
  assert.match(gateway.refused[0]!.inner, /it is a private socket of this Postern$/)
  gateway.close()
  rmSync(sockets, { recursive: true })
})
