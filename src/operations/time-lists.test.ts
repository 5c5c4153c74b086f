/** Lists of what happened: each finds a text, and is read in either order, page by page. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { refused } from '../../test/control.ts'
import { requestOf, startApprovals } from '../../test/support/approvals.ts'
import type { Fields } from '../store/ports/resource.ts'

const { control, ids, rule, as } = await startApprovals()
after(() => control.close())

before(async () => {
  const { run, store } = control
  for (const name of ['Nightly report', 'Release train', 'Night watch'])
    await as('ada', 'personal_tokens.create', { name })
  await run('collections.create', { name: 'Open', base_path: '/open', requestable: true })
  await run('clients.create', { name: 'Partner' })
  await as('ada', 'access_requests.create', {
    client: 'partner',
    collections: ['open'],
    message: 'For Nightly',
  })
  await run('clients.create', { name: 'Other' })
  await as('ada', 'access_requests.create', { client: 'other', collections: ['open'], message: 'For tests' })
  for (const what of ['audit', 'records']) await run('exports.create', { of: what, format: 'csv' })
  await run('origins.create', { name: 'Desk', url: 'https://mcp.example.com/mcp', probe: false })
  await run('origins.create', { name: 'Notes', url: 'https://notes.example.com/mcp', probe: false })
  const origins = await store.read.all('origins')
  await store.writeOAuth(async ({ connections }) => {
    for (const [index, { id }] of origins.toReversed().entries())
      await connections.put({
        ...{
          user: ids['ada']!,
          origin: id,
          id: `con_${index}`,
          kind: 'key',
          state: 'connected',
          active: true,
        },
        ...{ account_label: index === 0 ? 'night@example.com' : '', issuer: '', scope: '', sealed: 'x' },
        ...{ expires_at: null, created_at: 1000 + index, updated_at: 1000 + index },
      })
  })
  await rule('*:*')
  for (const description of ['one', 'two'])
    requestOf(
      await as('ada', 'proxies.update', { id: 'get-order', description }, { reason: `night ${description}` }),
    )
})

const LISTS = [
  { list: 'personal_tokens', text: 'night', finds: 2, orders: ['newest', 'oldest'] },
  { list: 'access_requests', text: 'NIGHTLY', finds: 1, orders: ['newest', 'oldest'] },
  { list: 'change_requests', text: 'night two', finds: 1, orders: ['newest', 'oldest'] },
  { list: 'exports', text: 'records', finds: 1, orders: ['newest', 'oldest'] },
  { list: 'revisions', text: 'origins.create', finds: 2, orders: ['newest', 'oldest'] },
  { list: 'audit', text: 'Nightly report', finds: 1, orders: ['newest', 'oldest'] },
  { list: 'connections', text: 'night@', finds: 1, orders: ['newest', 'oldest', 'user'] },
] as const

for (const { list, text, finds, orders } of LISTS) {
  const asked = async (input: object) =>
    (await as(list === 'exports' || list === 'revisions' ? 'bob' : 'ada', `${list}.list`, input)).output as {
      items: Fields[]
      next_cursor: string | null
    }

  test(`${list}: a text narrows the list, and one that nothing has finds nothing`, async () => {
    assert.equal((await asked({ text })).items.length, finds)
    assert.deepEqual(await asked({ text: 'no such text' }), { items: [], next_cursor: null })
    const first = await asked({ text, limit: 1 })
    assert.equal(first.next_cursor === null, finds === 1)
  })

  test(`${list}: each order is the same page by page, the newest first is the oldest first reversed, and a cursor is of one order`, async () => {
    const read = async (order: string, limit: number): Promise<string[]> => {
      const found: string[] = []
      let cursor: string | null = null
      do {
        const { items, next_cursor } = await asked({ order, limit, ...(cursor !== null && { cursor }) })
        found.push(...items.map((item) => String(item['id'] ?? item['revision'] ?? item['origin'])))
        cursor = next_cursor
      } while (cursor !== null && found.length < 400)
      return found
    }
    const whole = Object.fromEntries(
      await Promise.all(orders.map(async (order) => [order, await read(order, 200)] as const)),
    )
    assert.ok(whole['newest']!.length > 1)
    assert.deepEqual(whole['newest']!.toReversed(), whole['oldest'])
    for (const order of orders) {
      assert.deepEqual(await read(order, 1), whole[order])
      const { next_cursor: cursor } = await asked({ order, limit: 1 })
      for (const other of orders.filter((one) => one !== order))
        await refused(asked({ order: other, cursor }), 'input_invalid')
    }
  })
}
