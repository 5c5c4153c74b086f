import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Control, example, startControl } from '../../../test/control.ts'

interface Doc {
  readonly kind: string
  readonly slug: string
  readonly spec: Record<string, unknown>
}

const documentsOf = async (control: Control, select: string[] = []): Promise<Doc[]> =>
  (await control.run('config.export', { select })).output['documents'] as Doc[]

test('what is exported and planned again changes nothing, and is adopted once', async () => {
  const control = await startControl()
  await example(control)
  const documents = await documentsOf(control)
  assert.deepEqual(
    documents.map(({ kind, slug }) => `${kind}/${slug}`),
    [
      'policy/gold',
      'collection/orders',
      'proxy/get-order',
      'client/acme',
      'profile/default',
      'profile/open',
      'profile/sandbox',
    ],
  )
  const { output: plan } = await control.run('config.plan', { documents, managed_by: 'all' })
  assert.deepEqual([plan['create'], plan['update'], plan['adopt'], plan['remove']], [0, 0, 7, 0])
  const { output } = await control.run('config.apply', {
    documents,
    managed_by: 'all',
    plan_id: plan['plan_id'],
  })
  assert.equal(output['adopt'], 7)
  const again = await control.run('config.apply', { documents, managed_by: 'all' })
  assert.deepEqual([again.output['unchanged'], again.output['items']], [7, []])
  assert.equal(again.configRevision, null)
  const { output: orders } = await control.run('collections.get', { id: 'orders' })
  assert.equal(orders['managed_by'], 'all')
  await control.close()
})

test('documents in any order make an empty instance the same', async () => {
  const one = await startControl()
  const other = await startControl()
  await example(one)
  const documents = await documentsOf(one)
  const { output } = await other.run('config.apply', { documents: documents.toReversed() })
  assert.equal(output['create'], 7)
  assert.deepEqual(await documentsOf(other), documents)
  await one.close()
  await other.close()
})
