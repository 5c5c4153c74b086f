import assert from 'node:assert/strict'
import { test } from 'node:test'
import { client, delta } from '../../../test/gateway/fragments.ts'
import { fromSentFragment, toSent } from '../../snapshot/sent-delta.ts'
import { PublishedSnapshot } from './published-snapshot.ts'

test('parts and the last delta together have each published fragment once, as it was published last', () => {
  const slugs = Array.from({ length: 450 }, (_, index) => `c${index}`)
  const first = delta(
    7,
    slugs.map((slug) => client(slug)),
    { full: true },
  )
  const published = new PublishedSnapshot(toSent(first))
  published.remember(toSent({ ...delta(8, [client('c3', { name: 'Renamed' })]), drop: ['client:cli_c4'] }))
  const { parts, last } = published.whole()
  assert.ok(parts.length >= 2, 'the fragments come in several parts')
  const sent = [...parts.flat(), ...last.put].map((one) => fromSentFragment(one).fragment)
  assert.deepEqual(
    sent.map(({ id }) => id).sort(),
    slugs
      .filter((slug) => slug !== 'c4')
      .map((slug) => `cli_${slug}`)
      .sort(),
  )
  assert.deepEqual(
    sent.find(({ id }) => id === 'cli_c3'),
    client('c3', { name: 'Renamed' }),
  )
  assert.deepEqual([last.revision, last.full], [8, true])
})
