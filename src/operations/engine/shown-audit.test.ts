import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { type Control, example, startControl } from '../../../test/control.ts'
import { entry, sealed } from '../../../test/store/place.ts'
import { openTestStore } from '../../../test/support/test-database.ts'
import { Refusal } from '../../base/refusal.ts'
import type { AuditEntry } from '../../model/access/audit.ts'
import type { AuditFilter, ConfigStore } from '../../store/ports/config.ts'
import { OPERATIONS } from '../registry.ts'
import { entriesOf } from './shown-audit.ts'

const directory = mkdtempSync(join(tmpdir(), 'postern-shown-'))
const open: (ConfigStore | Control)[] = []
after(async () => {
  for (const one of open) await one.close()
  rmSync(directory, { recursive: true, force: true })
})

const SEEN = 'col_seen'
const WORDS = ['alpha', 'beta', 'gamma', 'diff', '"diff":[]', '[]', 'null', 'request', 'detail', '/clients/x']
const pick = <T>(of: readonly T[]): T => of[Math.floor(Math.random() * of.length)]!

/** An entry whose shown part is the same for each call with the same number, and whose hidden part is random. */
function entryWithHidden(n: number): AuditEntry {
  const isSeen = n % 3 !== 0
  const isDenied = n % 7 === 0
  const word = WORDS[n % 3]!
  return entry(`aud_${String(n).padStart(4, '0')}`, {
    resource: {
      type: 'proxy',
      id: `prx_${n}`,
      slug: isSeen ? `p-${n}` : pick(WORDS),
      collection: isSeen ? SEEN : 'col_other',
    },
    reason: isSeen ? 'ticket' : pick(WORDS),
    outcome: isDenied ? 'denied' : 'ok',
    diff: [
      { op: 'replace', path: isSeen ? '/name' : `/${pick(WORDS)}`, from: 'a', value: word },
      ...(Math.random() < 0.5
        ? [{ op: 'replace' as const, path: '/clients/x', from: 'a', value: pick(WORDS) }]
        : []),
    ],
    detail: isDenied ? `denied ${word}` : Math.random() < 0.5 ? pick(WORDS) : null,
    request: { asked: pick(WORDS) },
    response: { answered: pick(WORDS) },
  })
}

const ENTRIES = 60
async function storeOf(name: string): Promise<ConfigStore> {
  const store = await openTestStore(join(directory, `${name}.db`))
  open.push(store)
  await sealed(store)
  await store.write(async (writer) => {
    for (let n = 0; n < ENTRIES; n++) await writer.appendAudit(entryWithHidden(n))
  })
  return store
}

async function pagesOf(store: ConfigStore, filter: AuditFilter) {
  const pages: Awaited<ReturnType<typeof entriesOf>>[] = []
  for (let last: number | null | undefined; last !== null && pages.length <= ENTRIES; ) {
    const page = await entriesOf([SEEN], { ...filter, ...(last !== undefined && { last }) }, store.read)
    pages.push(page)
    last = page.next
  }
  return pages
}

test('pages of the trail for a reader of one collection are the same whatever the hidden parts of entries hold', async () => {
  const stores = [await storeOf('one'), await storeOf('two')]
  let found = 0
  for (const name of ['request', 'response', 'diff', 'detail', 'text'] as const)
    for (const word of WORDS)
      for (const limit of [1, 7, 200])
        for (const order of ['newest', 'oldest'] as const) {
          const filter = { [name]: word, limit, order, bodies: limit === 7 }
          const [one, two] = [await pagesOf(stores[0]!, filter), await pagesOf(stores[1]!, filter)]
          assert.deepEqual(one, two, JSON.stringify(filter))
          assert.deepEqual(
            one.slice(0, -1).map(({ items }) => items.length),
            one.slice(0, -1).map(() => limit),
            'a page with a successor is full',
          )
          const last = one.at(-1)!
          if (one.length > 1) assert.ok(last.items.length > 0, 'a successor has an entry')
          found += one.flatMap(({ items }) => items).length
        }
  assert.ok(found > 0)
})

test('in every list, a page of a reader of one collection has a successor only if that one has an item', async () => {
  const control = await startControl()
  open.push(control)
  await example(control)
  for (let n = 0; n < 3; n++) {
    await control.run('collections.create', { name: `Hidden ${n}`, base_path: `/hidden${n}` })
    await control.run('proxies.create', {
      collection: `hidden-${n}`,
      name: 'Hidden',
      methods: ['GET'],
      path: '/hidden',
    })
    await control.run('clients.create', { name: `Hidden ${n}`, collections: [`hidden-${n}`] })
    await control.run('proxies.update', { id: 'get-order', name: `Get ${n}` })
  }
  const collection = String((await control.run('collections.get', { id: 'orders' })).output['id'])
  const scope = { types: [], verbs: [], collections: [collection], tags: [] }
  const narrowed = {
    grants: [
      { role: 'auditor' as const, scope },
      { role: 'admin' as const, scope },
    ],
  }
  const lists = new Set<string>()
  let followed = 0
  for (const { resource, action, input } of OPERATIONS) {
    const members = Object.keys(input.shape)
    if (!members.includes('cursor') || action === 'follow') continue
    const name = `${resource}.${action}`
    const texts = ['text', 'request', 'response', 'diff', 'detail'].filter((one) => members.includes(one))
    const filters = [
      {},
      ...texts.flatMap((one) => ['hidden', 'created_by', 'get'].map((word) => ({ [one]: word }))),
    ]
    for (const filter of filters) {
      const pages = await pagesOfList(control, name, filter, narrowed)
      if (pages === null) continue
      lists.add(name)
      const where = `${name} by ${JSON.stringify(filter)}`
      if (pages.length > 1) assert.deepEqual(new Set(pages), new Set([1]), where)
      followed += pages.length - 1
    }
  }
  assert.ok(
    lists.has('audit.list') && lists.size > 10 && followed > 10,
    `${[...lists].join()}: ${followed} pages that follow`,
  )
})

/** The sizes of the pages of one item that a reader gets; null where the reader may not call the list, or it needs more input. */
async function pagesOfList(
  control: Control,
  name: string,
  filter: object,
  options: Parameters<Control['run']>[2],
): Promise<number[] | null> {
  const pages: number[] = []
  for (let cursor: unknown; cursor !== null; ) {
    const asked = { limit: 1, ...filter, ...(typeof cursor === 'string' && { cursor }) }
    try {
      const { output } = await control.run(name, asked, options)
      pages.push((output['items'] as unknown[]).length)
      cursor = output['next_cursor']
    } catch (error) {
      if (error instanceof Refusal && cursor === undefined) return null
      throw error
    }
  }
  return pages
}
