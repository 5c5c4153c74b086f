import assert from 'node:assert/strict'
import { test } from 'node:test'
import { typedReads } from '../../store/ports/config.ts'
import type { Resource } from '../../store/ports/resource.ts'
import { createMcpListing } from './listed.ts'

const stored = (slug: string, spec: Resource['spec']): Resource => ({
  ...{ type: 'virtual_mcps', id: `vmc_${slug}`, slug, parent: null, name: slug, status: 'published' },
  ...{ key: null, revision: 1, spec, draft: null, managed_by: null },
  ...{ created_at: '2026-05-01T00:00:00.000Z', created_by: 'usr_a' },
  ...{ updated_at: '2026-05-01T00:00:00.000Z', updated_by: 'usr_a' },
})

/** A reader of virtual MCPs that counts how often all of them are read. */
function readerOf(all: () => readonly Resource[]) {
  const seen = { revision: 1, reads: 0 }
  const listing = createMcpListing({
    revision: async () => seen.revision,
    ...typedReads({
      all: async () => {
        seen.reads++
        return all()
      },
      byId: async () => undefined,
    }),
    usersOf: async () => [],
  })
  const slugs = async (): Promise<string[]> => (await listing(null)).map(({ slug }) => slug)
  return { seen, slugs, listing }
}

test('virtual MCPs are read once for each revision of the configuration', async () => {
  const all = [stored('b', { registry: 'public' })]
  const { seen, slugs } = readerOf(() => all)
  await Promise.all([slugs(), slugs()])
  assert.deepEqual(await slugs(), ['b'])
  assert.ok(seen.reads <= 2, 'two that come at once may both read')
  const { reads } = seen
  await slugs()
  assert.equal(seen.reads, reads)
  all.push(stored('a', { registry: 'public' }))
  seen.revision = 2
  assert.deepEqual(await slugs(), ['a', 'b'])
  assert.equal(seen.reads, reads + 1)
})

test('a read that fails is not kept', async () => {
  let isDown = true
  const { slugs } = readerOf(() => {
    if (isDown) throw new Error('the store is away')
    return [stored('a', { registry: 'public' })]
  })
  await assert.rejects(slugs(), /away/)
  isDown = false
  assert.deepEqual(await slugs(), ['a'])
})

test('what is stored without the member, or with a value of a later version, is listed for nobody', async () => {
  const { slugs } = readerOf(() => [
    stored('old', {}),
    stored('new', { registry: 'partners', all_users: true }),
  ])
  assert.deepEqual(await slugs(), [])
})

test('icons that this version does not know are left out, and the entry stays', async () => {
  const icons = [{ src: 'https://example.com/a.png' }]
  const { listing } = readerOf(() => [
    stored('a', { registry: 'public', icons }),
    stored('b', { registry: 'public', icons: [{ src: 'http://example.com/a.png' }] }),
    stored('c', { registry: 'public' }),
  ])
  assert.deepEqual(
    (await listing(null)).map(({ icons: [first] }) => first?.src),
    ['https://example.com/a.png', undefined, undefined],
  )
})
