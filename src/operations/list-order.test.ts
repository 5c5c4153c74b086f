import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Control, example, refused, startControl } from '../../test/control.ts'

type Item = Readonly<Record<string, unknown>>
const ORDERS = ['oldest', 'newest', 'slug', 'updated'] as const

async function pages(control: Control, input: Item): Promise<Item[]> {
  const seen: Item[] = []
  for (let cursor: unknown = null; ; ) {
    const { output } = await control.run('policies.list', { ...input, ...(cursor !== null && { cursor }) })
    seen.push(...(output['items'] as Item[]))
    cursor = output['next_cursor']
    if (cursor === null) return seen
  }
}

const compare = (a: unknown, b: unknown): number => (String(a) < String(b) ? -1 : Number(a !== b))
/** As a list in memory is sorted. */
const SORTED: Readonly<Record<(typeof ORDERS)[number], (a: Item, b: Item) => number>> = {
  oldest: (a, b) => compare(a['id'], b['id']),
  newest: (a, b) => compare(b['id'], a['id']),
  slug: (a, b) => compare(a['slug'], b['slug']),
  updated: (a, b) => compare(b['updated_at'], a['updated_at']) || compare(b['id'], a['id']),
}

test('each order gives each item that fits once, over pages of any length', async () => {
  const control = await startControl()
  const names = ['Gold', 'silver', 'Old gold', 'Bronze', '100 %', 'a_b', 'Zinc', 'Ägypten']
  for (const [n, name] of names.entries())
    await control.run('policies.create', { name, slug: `p${(n * 5) % 8}`, tags: n % 2 === 0 ? ['even'] : [] })
  for (const slug of ['p5', 'p1', 'p2']) {
    control.move(1000)
    await control.run('policies.update', { id: slug, description: 'changed' })
  }
  const all = await pages(control, {})
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...ORDERS),
      fc.integer({ min: 1, max: 9 }),
      fc.constantFrom(undefined, 'even'),
      fc.constantFrom(undefined, 'gold', 'P', '%', '_', ' ', 'none'),
      async (order, limit, tag, text) => {
        const found = await pages(control, { order, limit, ...(tag && { tag }), ...(text && { text }) })
        const has = (one: Item): boolean =>
          [one['name'], one['slug']].some((value) =>
            String(value).toLowerCase().includes(text!.toLowerCase()),
          )
        const expected = all
          .filter((one) => tag === undefined || (one['tags'] as string[]).includes(tag))
          .filter((one) => text === undefined || has(one))
          .toSorted(SORTED[order])
        assert.deepEqual(
          found.map(({ slug }) => slug),
          expected.map(({ slug }) => slug),
        )
      },
    ),
    { numRuns: 150 },
  )
  assert.equal(all.length, names.length)
  await control.close()
})

test('a text is looked for in paths, base paths and email addresses too', async () => {
  const control = await startControl()
  await example(control)
  await control.run('users.create', {
    name: 'Ann',
    email: 'ann@example.test',
  })
  const slugs = async (operation: string, input: Item): Promise<unknown[]> => {
    const { output } = await control.run(operation, input)
    return (output['items'] as Item[]).map(({ slug }) => slug)
  }
  assert.deepEqual(await slugs('proxies.list', { text: '/ORDERS/{' }), ['get-order'])
  assert.deepEqual(await slugs('collections.list', { text: '/orders' }), ['orders'])
  assert.deepEqual(await slugs('users.list', { text: '@EXAMPLE.test' }), ['ann'])
  assert.deepEqual(await slugs('proxies.list', { text: 'get', collection: 'orders' }), ['get-order'])
  assert.deepEqual(await slugs('proxies.list', { text: 'upstream' }), [])
  await control.close()
})

test('a list does not take the cursor of another order', async () => {
  const control = await startControl()
  for (const name of ['A', 'B']) await control.run('policies.create', { name })
  for (const order of ORDERS) {
    const { output } = await control.run('policies.list', { order, limit: 1 })
    for (const other of ORDERS.filter((one) => one !== order))
      await refused(
        control.run('policies.list', { order: other, cursor: output['next_cursor'] }),
        'input_invalid',
      )
  }
  await control.close()
})

test('case does not matter in any alphabet', async () => {
  const control = await startControl()
  await control.run('policies.create', { name: 'Élan für Ärzte', slug: 'elan' })
  for (const text of ['Élan', 'ÉLAN', 'ärzte', 'FÜR Ä']) {
    const { output } = await control.run('policies.list', { text })
    assert.equal((output['items'] as Item[]).length, 1, text)
  }
  await control.close()
})
