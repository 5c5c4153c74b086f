import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startSample } from './instance.ts'
import { PRODUCTS } from './words.ts'

test('a sample instance has two weeks of records whose callers and proxies exist, and what waits, drifts and was issued', async () => {
  await using sample = await startSample({ proxiesEach: 5, records: 5000, workers: 1 })
  const read = async (path: string) => {
    const { status, text, json } = await sample.server.manage('GET', path)
    assert.equal(status, 200, text)
    return json
  }
  const from = new Date(Date.now() - 15 * 86_400_000).toISOString()
  const figures = await read(`/metrics/overview?from=${from}`)
  assert.ok(figures.requests >= 5000, `${figures.requests}`)
  assert.ok(figures.error_rate > 0.02 && figures.error_rate < 0.2, `${figures.error_rate}`)
  assert.ok(figures.clients > 20 && figures.from_agents > 100, JSON.stringify(figures))
  const { items: endpoints } = await read(`/metrics/error_endpoints?from=${from}&limit=5`)
  assert.equal(endpoints.length, 5)
  for (const { client, proxy } of (await read('/records?limit=20&surface=gateway&status=200')).items) {
    await read(`/clients/${client}`)
    await read(`/proxies/${proxy}`)
  }
  assert.equal((await read('/collections?limit=200')).items.length, PRODUCTS.length)
  assert.equal((await read('/proxies?collection=orders')).items.length, 5)
  assert.equal((await read('/change_requests?state=open')).items.length, 2)
  assert.equal((await read('/access_requests?state=open')).items.length, 2)
  const week = await read('/metrics/overview?from=-7d&before=true')
  assert.ok(week.requests > week.before.requests && week.before.requests > 1000, `${week.before.requests}`)
  const drifted = (await read('/virtual_mcps/drifted')).items
  assert.deepEqual(
    drifted.map(({ slug, undecided }: Record<string, unknown>) => [slug, undecided]),
    [['support-desk', 2]],
  )
  for (const operation of [
    'bindings.issue_token',
    'service_identities.issue_secret',
    'personal_tokens.create',
    'exports.create',
  ])
    assert.equal((await read(`/audit?operation=${operation}&outcome=ok`)).items.length, 1, operation)
  const found = (await read(`/records?limit=5&guardrail=card-numbers&from=${from}`)).items
  assert.ok(found.length > 0, 'no guardrail found anything')
  const { items } = await read('/records?limit=20&path_exact=/orders/v1&method=POST&status=200')
  const calls = await Promise.all(items.map(({ id }: { readonly id: string }) => read(`/records/${id}`)))
  assert.ok(
    calls.some(({ workflow_trace }) => workflow_trace !== null),
    'no call went through the workflow',
  )
})
