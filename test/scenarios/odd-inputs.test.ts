/** Inputs whose members make the comparison of a length throw: each operation answers them as any other wrong input. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startTestServer, type TestServer } from './server.ts'

let server: TestServer
before(async () => {
  server = await startTestServer({ workers: 1 })
})
after(() => server?.stop())

const ODD = { length: { toString: 1, valueOf: 1 } }

test('a length that cannot be compared is invalid input, wherever a text or a list is wanted', async () => {
  for (const [path, body, pointer] of [
    ['/policies', { name: ODD, slug: 'gold' }, '/name/length'],
    ['/policies', { name: 'Gold', limits: ODD }, '/limits/length'],
    [
      '/collections',
      { name: 'Orders', base_path: '/orders', upstream: { targets: [{ url: ODD }] } },
      '/upstream/targets/0/url/length',
    ],
    ['/policies', { name: 'Gold', slug: ODD }, '/slug/length'],
  ] as const) {
    const { status, json } = await server.manage('POST', path, body)
    assert.deepEqual([status, json.code, json.errors[0].pointer], [400, 'input_invalid', pointer])
  }
})
