import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ALONE, executedLater } from '../../../test/support/executed.ts'
import { httpRequestNode } from './definition.ts'
import { httpRequestRun } from './run.ts'

const URL = 'https://api.example.com/v1'

test('the request has what the inputs give, and method and bound of the settings', async () => {
  const asked: unknown[] = []
  const context = {
    ...ALONE,
    callServer: async (request: unknown) => {
      asked.push(request)
      return { status: 204, headers: {}, body: null }
    },
  }
  const result = await executedLater(httpRequestRun, { url: URL }, {}, context)
  assert.deepEqual(result, { handle: 'success', outputs: { status: 204, headers: {}, body: null } })
  const inputs = { path: '/a', query: { b: 1 }, headers: { c: 'd' }, body: [1], method: 'GET', bytesMax: 1 }
  await executedLater(httpRequestRun, { url: URL, method: 'POST', max_body: 10 }, inputs, context)
  assert.deepEqual(asked, [
    { method: 'GET', bytesMax: 1_048_576 },
    { ...inputs, method: 'POST', bytesMax: 10 },
  ])
})

test('settings with faults name no server', () => {
  const { destination } = httpRequestNode
  assert.deepEqual(destination!({ url: URL }), { member: 'url', url: URL, credential: null, tls: null })
  for (const config of [{}, { url: 'ftp://a' }, { url: URL, verify: false }, { url: `${URL}/{{ $.a }}` }])
    assert.equal(destination!(config), null, JSON.stringify(config))
})
