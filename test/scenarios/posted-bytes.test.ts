/** Bytes that threads post to each other, as a running process posts them. */
import assert from 'node:assert/strict'
import { readFileSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { after, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { eventually } from '../support/eventually.ts'
import type { Posted } from '../support/posted-bytes.ts'
import { answer, flow } from './flows.ts'
import { killNow, runPostern, startUp, temporaryDirectory } from './process.ts'
import { call, created, publishOrders, type Reply } from './server.ts'
import { startUpstream } from './upstream.ts'

const data = await temporaryDirectory()
const log = join(data, 'posted.log')
const preload = pathToFileURL(resolve(import.meta.dirname, '../support/posted-bytes.ts'))
const upstream = await startUpstream()
const up = await startUp(data, ['--workers', '2', '--egress-allow', '127.0.0.1'], {
  NODE_OPTIONS: `--import ${preload}`,
  POSTED_BYTES: log,
})
after(async () => {
  await killNow(up)
  await upstream.close()
  rmSync(data, { recursive: true })
})
const issued = await runPostern(['token', '--role', 'admin', '--ttl', '1h', '--data', data])
const admin = issued.stdout.trim()
const manage = (method: string, path: string, body?: unknown): Promise<Reply> =>
  call(method, `${up.controlUrl}/management/v1${path}`, { token: admin, body })

function posted(): Posted[] {
  const lines = readFileSync(log, 'utf8').trim().split('\n')
  return lines.map((line) => JSON.parse(line) as Posted)
}

test('every view of bytes that a thread posts owns its buffer: kept responses, replays, trials, commands and configuration', async () => {
  const token = await publishOrders({ manage }, upstream.url)
  const proxy = (name: string, members: object): Promise<Reply> =>
    created(
      manage('POST', '/proxies', {
        collection: 'orders',
        name,
        status: 'published',
        methods: ['POST'],
        ...members,
      }),
    )
  await proxy('Charge', { path: '/v1/charges', idempotency: true })
  const command = flow(
    [
      {
        id: 'redis',
        type: 'redis_node',
        on_error: 'handle',
        inputs: { key: 'k', args: ['{{ $.http.request.body }}'] },
        config: { host: '127.0.0.1', port: 9, tls: false, command: 'SET' },
      },
      answer('ok', { body: 'stored' }),
      answer('bad', { body: 'refused' }),
    ],
    ['http redis', 'redis default ok', 'redis error bad'],
  )
  await proxy('Store', { path: '/v1/store', workflow: command })
  const post = async (path: string, body: string, headers: Record<string, string>): Promise<Response> => {
    const response = await fetch(`${up.gatewayUrl}/orders/v1/${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, ...headers },
      body,
    })
    await response.text()
    return response
  }

  const key = { 'idempotency-key': 'k1', 'content-type': 'application/json' }
  const first = await post('charges', '{"amount":1}', key)
  assert.equal(first.status, 200)
  assert.equal((await post('charges', '{"amount":1}', key)).headers.get('idempotency-replayed'), 'true')
  await post('store', '\xff\xfe', { 'content-type': 'application/octet-stream' })
  const id = first.headers.get('x-request-id')
  await eventually(async () => (await manage('GET', `/records/${id}`)).status === 200)
  const replayed = await manage('POST', `/requests/${id}/replay`, {
    ...{ confirm: id, body: '{"amount":2}', headers: ['Content-Type: application/json'] },
  })
  assert.equal(replayed.status, 200, replayed.text)
  const tried = await manage('POST', '/workflows/test', {
    definition: flow([answer('ok', { body: { is: 'tried' } })], ['http ok']),
    request: { method: 'POST', body: { some: 'text' } },
  })
  assert.equal(tried.status, 200, tried.text)

  const views = posted()
  assert.deepEqual(
    views.filter(({ bytes, bufferBytes }) => bytes !== bufferBytes),
    [],
  )
  // It saw those of each kind
  const seen = new Set(views.map(({ path }) => path))
  const expected = [
    'settle.answer.body',
    'claimed.claim.answer.body',
    '.task.work.args.1',
    'ask.question.asked.body',
    'answered.answer.body',
  ]
  for (const path of expected) assert.ok(seen.has(path), [...seen].join(' '))
})
