import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TextDelta } from '../../snapshot/fragments.ts'
import { createPublisher } from './publisher.ts'

const DELTA: TextDelta = { revision: 2, full: false, put: [], drop: [] }

test('a change is sent, then kept while threads take it on, and published when they have acknowledged it', async () => {
  const done: string[] = []
  const { promise, resolve } = Promise.withResolvers<{ pending: boolean }>()
  const publisher = createPublisher(
    ({ revision }) => {
      done.push(`send ${revision}`)
      return promise
    },
    ({ revision }) => done.push(`keep ${revision}`),
  )
  const published = publisher.publish(DELTA).then(({ pending }) => done.push(`pending ${pending}`))
  assert.deepEqual(done, ['send 2', 'keep 2'])
  resolve({ pending: true })
  await published
  assert.deepEqual(done, ['send 2', 'keep 2', 'pending true'])
})
