import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asTexts, client, delta, packed } from '../../../test/gateway/fragments.ts'
import { unpack } from '../../snapshot/packed-fragments.ts'
import { isLong, PublishedSnapshot } from './published-snapshot.ts'

const slugs = Array.from({ length: 450 }, (_, index) => `c${index}`)
const whole = (revision: number) =>
  delta(
    revision,
    slugs.map((slug) => client(slug)),
    { full: true },
  )

/** What a thread that starts now gets, by slug. */
function got(published: PublishedSnapshot): Map<string, unknown> {
  const { pieces, last } = published.whole()
  assert.deepEqual([last.full, last.put, last.drop], [true, [], []])
  const all = pieces.flatMap((piece) => unpack(structuredClone(piece)))
  const bySlug = new Map(all.map(({ fragment }) => ['slug' in fragment ? fragment.slug : '', fragment]))
  assert.equal(bySlug.size, all.length, 'no fragment comes twice')
  return bySlug
}

test('pieces have each published fragment once, as it was published last', () => {
  const published = new PublishedSnapshot(packed(whole(7)))
  published.remember(
    asTexts(delta(8, [client('c3', { name: 'Renamed' }), client('new')], { drop: ['client:cli_c4'] })),
  )
  const bySlug = got(published)
  assert.deepEqual([...bySlug.keys()].sort(), [...slugs.filter((slug) => slug !== 'c4'), 'new'].sort())
  assert.deepEqual(bySlug.get('c3'), client('c3', { name: 'Renamed' }))
  assert.equal(published.whole().last.revision, 8)
})

test('what is dropped and put again, or put and dropped, is there as it was last', () => {
  const published = new PublishedSnapshot(packed(whole(1)))
  published.remember(asTexts(delta(2, [], { drop: ['client:cli_c1'] })))
  published.remember(asTexts(delta(3, [client('c1', { name: 'Again' }), client('x')])))
  published.remember(asTexts(delta(4, [], { drop: ['client:cli_x', 'client:cli_c2'] })))
  const bySlug = got(published)
  assert.deepEqual(bySlug.get('c1'), client('c1', { name: 'Again' }))
  assert.deepEqual([bySlug.has('x'), bySlug.has('c2'), bySlug.size], [false, false, 449])
})

test('many changes, and long ones, are packed without a thread that starts', () => {
  const published = new PublishedSnapshot(packed(whole(1)))
  for (const [at, slug] of slugs.entries())
    published.remember(asTexts(delta(at + 2, [client(slug, { name: `Client ${at}` })])))
  const description = 'long '.repeat(200_000)
  for (let at = 0; at < 8; at++)
    published.remember(asTexts(delta(at + 900, [client(`long-${at}`, { name: description })])))
  const bySlug = got(published)
  assert.equal(bySlug.size, 458)
  assert.deepEqual(bySlug.get('c449'), client('c449', { name: 'Client 449' }))
  assert.deepEqual(bySlug.get('long-7'), client('long-7', { name: description }))
})

test('a full delta leaves nothing of what was there', () => {
  const published = new PublishedSnapshot(packed(whole(1)))
  published.remember(asTexts(delta(2, [client('c1')])))
  published.remember(asTexts(delta(3, [client('only')], { full: true })))
  assert.deepEqual([...got(published).keys()], ['only'])
})

for (const full of [false, true])
  test(`a long ${full ? 'full ' : ''}delta is prepared in slices, and remembered at once`, async () => {
    const published = new PublishedSnapshot(packed(whole(1)))
    published.remember(asTexts(delta(2, [client('recent')], { drop: ['client:cli_c7'] })))
    const many = slugs.map((slug) => client(`new-${slug}`))
    const long = asTexts(
      delta(3, [...many, client('c1', { name: 'Again' })], { full, drop: ['client:cli_c2'] }),
    )
    assert.deepEqual([isLong(long), isLong(asTexts(delta(3, [client('c1')])))], [true, false])
    const preparing = published.prepare(long)
    // A thread that starts meanwhile has what was published before
    assert.deepEqual([got(published).size, published.whole().last.revision], [450, 2])
    const { parts, last, remember } = await preparing
    assert.equal(got(published).size, 450)
    remember()
    const bySlug = got(published)
    assert.equal(bySlug.size, full ? 451 : 899)
    assert.deepEqual(bySlug.get('c1'), client('c1', { name: 'Again' }))
    assert.deepEqual([bySlug.has('c2'), bySlug.has('c7'), bySlug.has('recent')], [false, false, !full])
    assert.equal(published.whole().last.revision, 3)
    // Threads that there are get the same in parts
    assert.equal(parts.flatMap((piece) => unpack(structuredClone(piece))).length, 451)
    assert.deepEqual([last.put, last.drop, last.full, last.revision], [[], ['client:cli_c2'], full, 3])
  })
