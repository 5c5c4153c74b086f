import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import {
  type Control,
  example,
  operationOf,
  principalOf,
  refused,
  startControl,
  VIA,
} from '../../../test/control.ts'
import type { Principal } from '../../access/principal.ts'
import { createClock } from '../../base/clock.ts'
import type { ChangeRequest } from '../../model/access/approval.ts'
import { createAccounts } from '../access/accounts.ts'
import { differencesOf, diffOf } from './diff.ts'
import { holdsLengths, reviewOf } from './review.ts'
import type { DiffEntry } from './write-options.ts'

/** Carries out the entries of a diff as a JSON patch (RFC 6902). */
function patched(document: unknown, entries: readonly DiffEntry[]): unknown {
  const root = { document: structuredClone(document) }
  for (const { op, path, value } of entries) {
    const keys = ['document', ...path.split('/').slice(1)].map((key) =>
      key.replaceAll('~1', '/').replaceAll('~0', '~'),
    )
    const last = keys.pop()!
    const target = keys.reduce<unknown>((one, key) => (one as Record<string, unknown>)[key], root)
    if (Array.isArray(target) && op === 'add') target.splice(Number(last), 0, structuredClone(value))
    else if (Array.isArray(target) && op === 'remove') target.splice(Number(last), 1)
    else if (op === 'remove') delete (target as Record<string, unknown>)[last]
    else (target as Record<string, unknown>)[last] = structuredClone(value)
  }
  return root.document
}

describe('differences', () => {
  const limit = (name: string, max: number): object => ({
    name,
    kind: 'rate',
    max,
    window: '1m',
    note: 'x'.repeat(100),
  })

  test('of a list are those of its items, which are told by id, slug or name', () => {
    const before = { limits: Array.from({ length: 20 }, (_, n) => limit(`l${n}`, n)) }
    const after = structuredClone(before)
    ;(after.limits[7] as { max: number }).max = 700
    after.limits.splice(3, 1)
    after.limits.push(limit('new', 1))
    assert.deepEqual(differencesOf(before, after), [
      { op: 'remove', path: '/limits/3', from: limit('l3', 3) },
      { op: 'add', path: '/limits/19', value: limit('new', 1) },
      { op: 'replace', path: '/limits/6/max', from: 7, value: 700, item: 'l7' },
    ])
    const [one, two] = [limit('one', 1), limit('two', 2)]
    assert.deepEqual(differencesOf({ limits: [one] }, { limits: [two, one] }), [
      { op: 'add', path: '/limits/0', value: two },
    ])
    assert.deepEqual(differencesOf({ tags: ['a', 'b'] }, { tags: ['a', 'b', 'c'] }), [
      { op: 'add', path: '/tags/2', value: 'c' },
    ])
  })

  test('of a list in which no item stayed, or items changed places, are the whole lists', () => {
    assert.deepEqual(diffOf({ tags: ['a', 'b'] }, { tags: ['b', 'a'] }), [
      { op: 'replace', path: '/tags', from: ['a', 'b'], value: ['b', 'a'] },
    ])
    assert.deepEqual(diffOf({ tags: ['a'] }, { tags: ['b'] }), [
      { op: 'replace', path: '/tags', from: ['a'], value: ['b'] },
    ])
  })

  test('tell a member that is named like an inherited one', () => {
    assert.deepEqual(differencesOf({ valueOf: 1 }, {}), [{ op: 'remove', path: '/valueOf', from: 1 }])
    assert.deepEqual(differencesOf({}, { toString: 1 }), [{ op: 'add', path: '/toString', value: 1 }])
  })

  test('are a JSON patch from the one to the other, whatever they are', () => {
    const item = fc.record({
      name: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
      value: fc.jsonValue({ maxDepth: 2 }),
      pad: fc.constant('x'.repeat(300)),
    })
    const list = fc.uniqueArray(item, { selector: ({ name }) => name, maxLength: 6 })
    const scalars = fc.uniqueArray(fc.string({ minLength: 200, maxLength: 210 }), { maxLength: 8 })
    const document = fc.record({ list, scalars, other: fc.jsonValue({ maxDepth: 2 }) }, { requiredKeys: [] })
    const plain = (value: unknown): boolean => !JSON.stringify(value).includes('__proto__')
    fc.assert(
      fc.property(document.filter(plain), document.filter(plain), (a, b) => {
        const [before, after] = [JSON.parse(JSON.stringify(a)), JSON.parse(JSON.stringify(b))]
        assert.deepEqual(patched(before, differencesOf(before, after)), after)
      }),
      { numRuns: 1000 },
    )
  })
})

describe('what an approver is shown', () => {
  const review = (before: unknown, after: unknown): readonly DiffEntry[] => {
    const { diff, isWhole } = reviewOf(differencesOf(before, after))
    assert.ok(isWhole && !holdsLengths(diff))
    for (const entry of diff) assert.ok(JSON.stringify(entry).length < 16_384)
    return diff
  }

  test('holds every line of a long text that differs, with its number', () => {
    const lines = Array.from({ length: 900 }, (_, n) => `line ${n}`)
    const after = lines.with(41, 'other').toSpliced(700, 2).toSpliced(100, 0, 'new 1', 'new 2')
    assert.deepEqual(review({ text: lines.join('\n') }, { text: after.join('\n') }), [
      { op: 'replace', path: '/text', line: 42, from: 'line 41', value: 'other' },
      { op: 'add', path: '/text', line: 101, value: 'new 1\nnew 2' },
      { op: 'remove', path: '/text', line: 701, from: 'line 700\nline 701' },
    ])
  })

  test('holds every character of what is added, removed or replaced', () => {
    const leaf = fc.oneof(
      fc.string({ maxLength: 20 }),
      fc.integer(),
      fc.string({ minLength: 3000, maxLength: 9000 }),
    )
    const value = fc.dictionary(
      fc.string({ minLength: 1, maxLength: 5 }),
      fc.oneof(leaf, fc.array(leaf, { maxLength: 4 })),
      { maxKeys: 6 },
    )
    fc.assert(
      fc.property(value, (given) => {
        if (Object.hasOwn(given, '__proto__')) return
        const text = (side: 'value' | 'from', diff: readonly DiffEntry[]): string[] =>
          diff.flatMap((entry) => leaves(entry[side]))
        const wanted = leaves(given).join('')
        assert.equal(text('value', review(undefined, given)).join(''), wanted)
        assert.equal(text('from', review(given, undefined)).join(''), wanted)
        const replaced = review({ x: given }, { x: 7 })
        assert.equal(text('from', replaced).join(''), wanted)
      }),
      { numRuns: 300 },
    )
  })

  function leaves(value: unknown): string[] {
    if (value === null || value === undefined) return []
    return typeof value === 'object' ? Object.values(value).flatMap(leaves) : [String(value)]
  }
})

describe('an approval', () => {
  let control: Control
  const ids: Record<string, string> = {}
  before(async () => {
    control = await startControl()
    await example(control)
    for (const slug of ['ada', 'bob']) {
      ids[slug] = String((await control.run('users.create', { name: slug })).output['id'])
      await control.run('grants.create', { name: 'all', user: slug, role: 'admin' })
    }
    const local: Principal = { ...principalOf('admin'), authMethod: 'local_token' }
    const approvals = [{ name: 'Two of us', permissions: ['*:*'] }]
    await control.invoke(operationOf('settings.update'), { approvals }, {}, local, VIA)
  })
  after(() => control.close())

  async function as(name: string, operation: string, input: unknown) {
    const accounts = createAccounts(control.store.read, createClock(control.cell), control.invoke)
    const principal = await accounts.principalOf(ids[name]!, {
      authMethod: 'oauth',
      expiresAt: null,
      ceiling: null,
    })
    return control.invoke(operationOf(operation), input, {}, principal, VIA)
  }

  /** A schema whose only dangerous member lies far behind the first 8,192 characters. */
  const schemaOf = (properties: number, last: object, chars = 60): object => ({
    type: 'object',
    properties: Object.fromEntries([
      ...Array.from({ length: properties }, (_, n) => [
        `field_${n}`,
        { type: 'string', description: 'd'.repeat(chars) },
      ]),
      ['last', last],
    ]),
  })

  async function ask(schema: object): Promise<ChangeRequest> {
    const { status, output } = await as('ada', 'proxies.update', { id: 'get-order', request_schema: schema })
    assert.equal(status, 202)
    return output['change_request'] as ChangeRequest
  }

  async function pages(id: string): Promise<DiffEntry[]> {
    const all: DiffEntry[] = []
    let cursor: string | null = null
    do {
      const { output } = await as('bob', 'change_requests.diff', {
        id,
        limit: 50,
        ...(cursor === null ? {} : { cursor }),
      })
      all.push(...(output['items'] as DiffEntry[]))
      cursor = output['next_cursor'] as string | null
    } while (cursor !== null)
    return all
  }

  test('shows a large change whole, page by page, and carries it out', async () => {
    const request = await ask(schemaOf(400, { const: 'the dangerous part' }))
    assert.ok(request.diff.length < request.diff_entries)
    const all = await pages(request.id)
    assert.equal(all.length, request.diff_entries)
    assert.deepEqual(all.slice(0, request.diff.length), request.diff)
    assert.ok(
      all.some(
        ({ path, value }) =>
          path === '/request_schema/properties/last' && JSON.stringify(value).includes('dangerous'),
      ),
    )
    assert.doesNotMatch(JSON.stringify(all), /characters of JSON/)
    assert.equal((await as('bob', 'change_requests.approve', { id: request.id })).output['state'], 'applied')

    // A member of what is there by now: the one difference, not the whole schema
    const small = await ask(schemaOf(400, { const: 'another' }))
    assert.deepEqual(small.diff, [
      {
        op: 'replace',
        path: '/request_schema/properties/last/const',
        from: 'the dangerous part',
        value: 'another',
      },
    ])
    await as('bob', 'change_requests.reject', { id: small.id })
  })

  test('is refused before it waits where the change cannot be shown whole', async () => {
    const huge = as('ada', 'proxies.update', { id: 'get-order', request_schema: schemaOf(400, {}, 2000) })
    const refusal = await refused(huge, 'change_too_large')
    assert.match(refusal.message, /Split it into several smaller changes/)
    const { output } = await as('bob', 'change_requests.list', { state: 'open' })
    assert.deepEqual(output['items'], [])
  })

  test('of a request of an earlier version that names a value by its length is refused', async () => {
    const request = await ask({ type: 'string' })
    await control.store.write(async (writer) => {
      const { is_whole: _, ...stored } = (await writer.changeRequest(request.id))!
      const diff = [
        { op: 'replace' as const, path: '/request_schema', from: null, value: '90210 characters of JSON' },
      ]
      await writer.putChangeRequest({ ...stored, diff })
    })
    await refused(as('bob', 'change_requests.approve', { id: request.id }), 'change_too_large')
    assert.equal((await as('bob', 'change_requests.reject', { id: request.id })).output['state'], 'rejected')
  })
})
