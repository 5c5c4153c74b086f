/** Long work of management whose caller hangs up. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { startTestServer } from './server.ts'

/** A body that the main thread reads itself, with a description that takes its thread a second. */
const body = (slug: string): string => {
  const lines = Array.from({ length: 6000 }, (_, at) => `- [a${at}, {b: c, d: [e, f]}]\n`).join('')
  const document = `openapi: 3.1.0\ninfo: {title: T, version: '1'}\npaths: {}\nx-list:\n${lines}`
  return JSON.stringify({ document, slug, base_path: `/${slug}` })
}

test('an import whose caller hangs up ends, is in the trail, stores nothing, and holds no further one up', async () => {
  await using server = await startTestServer()
  const left = new AbortController()
  const opened = once(process, 'worker')
  const asked = fetch(`${server.running.controlUrl}/management/v1/collections/import`, {
    method: 'POST',
    headers: { authorization: `Bearer ${server.adminToken}`, 'content-type': 'application/json' },
    body: body('left'),
    signal: left.signal,
  })
  await opened
  left.abort()
  await assert.rejects(asked, { name: 'AbortError' })

  let entries: { outcome: string; error: string; detail: string }[] = []
  while (entries.length === 0) {
    const { json } = await server.manage('GET', '/audit?operation=collections.import')
    entries = json.items
  }
  assert.deepEqual(
    entries.map(({ outcome, error, detail }) => ({ outcome, error, detail })),
    [
      {
        outcome: 'failed',
        error: 'payload_rejected',
        detail: 'The caller disconnected before the work was done.',
      },
    ],
  )
  assert.equal((await server.manage('GET', '/collections/left')).status, 404)
  const next = await server.manage('POST', '/collections/import', body('next'))
  assert.equal(next.status, 201, next.text)
})
