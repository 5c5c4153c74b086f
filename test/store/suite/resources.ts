import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isWithin } from '../../../src/access/roles.ts'
import type { ResourceType } from '../../../src/model/resource-types.ts'
import type { ListOrder, ListQuery } from '../../../src/store/ports/config.ts'
import type { Resource } from '../../../src/store/ports/resource.ts'
import { turnsDuring } from '../../support/main-thread.ts'
import { type MakePlace, policy } from '../place.ts'

const idsOf = (found: readonly Resource[]): string[] => found.map(({ id }) => id)

export function resourcesSuite(name: string, make: MakePlace): void {
  test(`${name}: a resource is read as it was written, whatever its texts hold`, async () => {
    const store = await (await make()).open()
    const odd: Resource = {
      ...policy('pol_1', 'odd'),
      name: `'"\\ %_ \u{1f600} é \n`,
      status: 'published',
      key: '/a/{}',
      revision: 2_147_483_648,
      spec: { b: [1, 2.5, null, { z: 1, a: '"' }], a: 'ü', tags: [] },
      draft: { a: true },
      managed_by: 'files',
    }
    await store.write((writer) => writer.insert(odd))
    assert.deepEqual(await store.read.byId('policies', 'pol_1'), odd)
    // The order of members is part of hashes
    assert.deepEqual(Object.keys((await store.read.byId('policies', 'pol_1'))!.spec), ['b', 'a', 'tags'])
    assert.equal(await store.read.byId('users', 'pol_1'), undefined)
    const next = { ...odd, name: 'New', draft: null, revision: 3 }
    await store.write((writer) => writer.replace(next))
    assert.deepEqual(await store.read.byId('policies', 'pol_1'), next)
    await store.close()
  })

  test(`${name}: slugs are unique below a parent, and found with and without it`, async () => {
    const store = await (await make()).open()
    const below = (id: string, parent: string | null, key: string): Resource => ({
      ...policy(id, 'same'),
      type: 'proxies',
      parent,
      key,
    })
    await store.write(async (writer) => {
      await writer.insert({ ...policy('col_a', 'a'), type: 'collections' })
      await writer.insert({ ...policy('col_b', 'b'), type: 'collections' })
      await writer.insert(below('prx_2', 'col_b', '/x'))
      await writer.insert(below('prx_1', 'col_a', '/x'))
    })
    await assert.rejects(store.write((writer) => writer.insert(below('prx_3', 'col_a', '/y'))))
    const { read } = store
    assert.deepEqual(idsOf(await read.bySlug('proxies', 'same')), ['prx_1', 'prx_2'])
    assert.deepEqual(idsOf(await read.bySlug('proxies', 'same', 'col_b')), ['prx_2'])
    assert.deepEqual(idsOf(await read.bySlug('proxies', 'same', '')), [])
    assert.deepEqual(idsOf(await read.bySlug('collections', 'a', '')), ['col_a'])
    const within = [{ collections: ['col_a'], tags: [] }]
    assert.deepEqual(idsOf(await read.bySlug('proxies', 'same', undefined, within)), ['prx_1'])
    assert.deepEqual(idsOf(await read.bySlug('proxies', 'same', undefined, [])), [])
    assert.deepEqual(idsOf(await read.byKey('proxies', '/x', null)), ['prx_1', 'prx_2'])
    assert.deepEqual(idsOf(await read.byKey('proxies', '/x', 'col_b')), ['prx_2'])
    assert.deepEqual(idsOf(await read.below('proxies', ['col_a'])), ['prx_1'])
    const both = await read.below('proxies', ['col_b', 'col_a', 'col_gone'])
    assert.deepEqual(idsOf(both).sort(), ['prx_1', 'prx_2'])
    assert.deepEqual(idsOf(await read.below('profiles', ['col_a'])), [])
    assert.deepEqual(idsOf(await read.below('proxies', [])), [])
    assert.deepEqual(idsOf(await read.all('proxies', 'col_a')), ['prx_1'])
    assert.deepEqual([...(await read.slugs(['prx_1', 'col_b', 'none']))].sort(), [
      ['col_b', 'b'],
      ['prx_1', 'same'],
    ])
    await store.close()
  })

  test(`${name}: ids and slugs are in the order of their bytes`, async () => {
    const store = await (await make()).open()
    const ids = [
      'pol_Z',
      'pol_a',
      'pol_10',
      'pol_9',
      'pol__',
      'pol_é',
      'pol_z',
      'pol_\u{1f600}',
      'pol_\uffee',
    ]
    await store.write(async (writer) => {
      for (const id of ids) await writer.insert(policy(id, id))
    })
    const sorted = ids.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    assert.deepEqual(idsOf(await store.read.all('policies')), sorted)
    const pages: string[] = []
    for (let after: string | undefined; ; ) {
      const page = await store.read.list({
        type: 'policies',
        limit: 2,
        ...(after === undefined ? {} : { after }),
      })
      if (page.length === 0) break
      pages.push(...idsOf(page))
      after = page.at(-1)!.id
    }
    assert.deepEqual(pages, sorted)
    await store.close()
  })

  test(`${name}: many ids are asked for at once`, async () => {
    const store = await (await make()).open()
    await store.write((writer) => writer.insert(policy('pol_1', 'one')))
    const many = Array.from({ length: 70_000 }, (_, n) => `pol_${n}`)
    assert.deepEqual([...(await store.read.slugs(many))], [['pol_1', 'one']])
    assert.deepEqual(await store.read.tokensOf(many), [])
    assert.deepEqual(await store.read.secretsOf([]), [])
    const targets = Array.from({ length: 2500 }, (_, n) => policy(`pol_x${n}`, `x${n}`))
    await store.write(async (writer) => {
      for (const one of targets) await writer.insert(one)
      await writer.link(
        'pol_1',
        targets.map(({ id }) => id),
      )
    })
    assert.deepEqual(idsOf(await store.read.usersOf('pol_x2499')), ['pol_1'])
    await store.close()
  })

  test(`${name}: thousands that refer to one are read in several statements, each once`, async () => {
    const store = await (await make()).open()
    const ids = Array.from({ length: 2001 }, (_, at) => `pol_${String(at).padStart(5, '0')}`)
    await store.write(async (writer) => {
      await writer.insert(policy('pol_x', 'x'))
      for (const id of ids) {
        await writer.insert(policy(id, id.replace('_', '-')))
        await writer.link(id, ['pol_x'])
      }
    })
    assert.deepEqual(idsOf(await store.read.usersOf('pol_x')), ids)
    await store.close()
  })

  test(`${name}: a list that finds few of thousands looks through them in parts, and finds them in all orders and pages`, async () => {
    const store = await (await make()).open()
    const all = Array.from({ length: 4100 }, (_, at) => {
      const one = policy(
        `pol_${String(at).padStart(5, '0')}`,
        `p-${String((at * 7919) % 4100).padStart(5, '0')}`,
      )
      const isRare = at % 1000 === 999
      return {
        ...one,
        name: isRare ? 'Rare' : 'Usual',
        // Times that many share
        updated_at: `2026-01-01T00:00:0${at % 3}.000Z`,
        spec: {
          ...one.spec,
          name: isRare ? 'Rare' : 'Usual',
          tags: isRare ? ['a', 'rare'] : ['a'],
          active: at % 2 === 1,
        },
      }
    })
    await store.write(async (writer) => {
      for (const one of all) await writer.insert(one)
    })
    const rare = all.filter(({ name }) => name === 'Rare')
    const sorted = {
      oldest: rare,
      newest: rare.toReversed(),
      slug: rare.toSorted((a, b) => (a.slug < b.slug ? -1 : 1)),
      updated: rare.toSorted((a, b) => (`${a.updated_at} ${a.id}` > `${b.updated_at} ${b.id}` ? -1 : 1)),
    }
    const asked: readonly Partial<ListQuery>[] = [
      { text: 'rARE' },
      { within: [{ collections: [], tags: ['rare'] }] },
      { tags: ['a'], text: 'rare' },
      { where: { active: true }, within: [{ collections: [], tags: ['rare'] }] },
      { where: { active: true }, tags: ['rare'] },
    ]
    for (const query of asked)
      for (const [order, wanted] of Object.entries(sorted) as [ListOrder, Resource[]][])
        for (const limit of [1, 3, 50]) {
          const found: Resource[] = []
          for (let from: Partial<ListQuery> = {}; ; ) {
            const page = await store.read.list({ type: 'policies', limit, order, ...query, ...from })
            found.push(...page)
            const last = page.at(-1)
            if (last === undefined || page.length < limit) break
            const value = order === 'slug' ? last.slug : order === 'updated' ? last.updated_at : undefined
            from = { after: last.id, ...(value !== undefined && { afterValue: value }) }
          }
          assert.deepEqual(idsOf(found), idsOf(wanted), `${JSON.stringify(query)} ${order} ${limit}`)
        }
    const turns = await turnsDuring(() => store.read.list({ type: 'policies', limit: 50, text: 'none' }))
    assert.ok(turns >= 2, `${turns} turns`)
    await store.close()
  })

  test(`${name}: references are replaced, and go with what refers`, async () => {
    const store = await (await make()).open()
    await store.write(async (writer) => {
      for (const id of ['pol_1', 'pol_2', 'pol_3']) await writer.insert(policy(id, id))
      await writer.link('pol_1', ['pol_2', 'pol_3', 'pol_2'])
      await writer.link('pol_2', ['pol_3'])
    })
    assert.deepEqual(idsOf(await store.read.usersOf('pol_3')), ['pol_1', 'pol_2'])
    // What others refer to cannot go
    await assert.rejects(store.write((writer) => writer.remove('pol_3')))
    await store.write((writer) => writer.link('pol_1', []))
    await store.write((writer) => writer.remove('pol_2'))
    assert.deepEqual(await store.read.usersOf('pol_3'), [])
    assert.deepEqual(idsOf(await store.read.all('policies')), ['pol_1', 'pol_3'])
    await store.close()
  })

  test(`${name}: lists hold what is within one of the parts, and agree with how a scope is judged`, async () => {
    const store = await (await make()).open()
    const of = (type: ResourceType, id: string, parent: string | null, tags: string[]): Resource => ({
      ...policy(id, id.replace('_', '-')),
      type,
      parent,
      spec: { tags },
    })
    const all = [
      of('collections', 'col_a', null, ['x']),
      of('collections', 'col_b', null, ['y']),
      of('collections', 'col_c', null, []),
      of('proxies', 'prx_a', 'col_a', []),
      of('proxies', 'prx_b', 'col_a', ['y']),
      of('proxies', 'prx_c', 'col_b', ['z']),
      of('proxies', 'prx_d', 'col_c', []),
      of('clients', 'cli_a', null, ['x']),
      of('profiles', 'prf_a', 'cli_a', []),
    ]
    await store.write(async (writer) => {
      for (const one of all) await writer.insert(one)
    })
    const tagsOf = (id: string | null): string[] =>
      id === null ? [] : (all.find((one) => one.id === id)!.spec['tags'] as string[])
    const touched = ({ id, type, parent }: Resource) => ({
      collection: type === 'collections' ? id : type === 'proxies' ? parent : null,
      tags: [...tagsOf(id), ...tagsOf(parent)],
    })
    const some = (...texts: string[]) => fc.subarray(texts)
    const part = fc.record({
      collections: some('col_a', 'col_b', 'col_c', 'col_gone'),
      tags: some('x', 'y', 'z', 'q'),
    })
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom<ResourceType>('collections', 'proxies', 'clients', 'profiles'),
        fc.array(part, { maxLength: 3 }),
        async (type, within) => {
          const found = await store.read.list({ type, limit: 100, within })
          const wanted = all.filter(
            (one) => one.type === type && within.some((parts) => isWithin(parts, touched(one))),
          )
          assert.deepEqual(idsOf(found), idsOf(wanted))
        },
      ),
      { numRuns: 300 },
    )
    await store.close()
  })

  test(`${name}: lists filter by fields, tags and members of lists, in order and by pages`, async () => {
    const store = await (await make()).open()
    await store.write(async (writer) => {
      for (const n of [1, 2, 3, 4, 5])
        await writer.insert({
          ...policy(`pol_${n}`, `p${n}`),
          spec: { active: n % 2 === 1, tags: [`t${n}`, 'all'] },
        })
    })
    const ids = async (query: Partial<ListQuery>) =>
      idsOf(await store.read.list({ type: 'policies', limit: 10, ...query }))
    assert.deepEqual(await ids({ limit: 2 }), ['pol_1', 'pol_2'])
    assert.deepEqual(await ids({ limit: 2, after: 'pol_2' }), ['pol_3', 'pol_4'])
    assert.deepEqual(await ids({ where: { active: false } }), ['pol_2', 'pol_4'])
    assert.deepEqual(await ids({ where: { active: false }, after: 'pol_2' }), ['pol_4'])
    assert.deepEqual(await ids({ where: { active: false }, within: [] }), [])
    assert.deepEqual(await ids({ tags: ['t4'] }), ['pol_4'])
    assert.deepEqual(await ids({ tags: ['all', 't4'] }), ['pol_4'])
    assert.deepEqual(await ids({ tags: ['t3', 't4'] }), [])
    assert.deepEqual(await ids({ tags: [`t4' or 1=1`] }), [])
    // A record of any texts has the type of conditions too
    const unknown: Record<string, string> = { name: 'p1' }
    await assert.rejects(ids({ holds: unknown }), /lists cannot be asked by "name"/)
    await store.close()
  })

  test(`${name}: lists find resources by what they hold now, whatever was written before`, async () => {
    const store = await (await make()).open()
    const spec = fc.record({
      active: fc.boolean(),
      role: fc.constantFrom('a', 'b', '', null),
      groups: fc.array(fc.constantFrom('a', 'b', 'c')),
      tags: fc.array(fc.constantFrom('a', 'b')),
    })
    const id = fc.constantFrom('usr_1', 'usr_2', 'usr_3')
    const model = new Map<string, Resource>()
    const steps = fc.array(fc.tuple(id, fc.option(spec)), { minLength: 1, maxLength: 8 })
    await fc.assert(
      fc.asyncProperty(steps, async (changes) => {
        await store.write(async (writer) => {
          for (const [one, now] of changes) {
            const isKnown = model.has(one)
            if (now === null) {
              if (isKnown) await writer.remove(one)
              model.delete(one)
              continue
            }
            const next = { ...policy(one, one), type: 'users' as const, spec: now }
            // A draft is not what lists find
            const draft = { active: !now.active, role: 'b', groups: ['c'] }
            if (isKnown) await writer.replace({ ...next, draft })
            else await writer.insert(next)
            model.set(one, next)
          }
        })
        const all = [...model.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
        const found = async (query: Partial<ListQuery>) =>
          idsOf(await store.read.list({ type: 'users', limit: 10, ...query }))
        const wanted = (fits: (spec: Resource['spec']) => boolean) =>
          idsOf(all.filter((one) => fits(one.spec)))
        const has = (of: Resource['spec'], list: string, value: string) =>
          (of[list] as string[]).includes(value)
        for (const active of [true, false])
          assert.deepEqual(
            await found({ where: { active } }),
            wanted((of) => of['active'] === active),
          )
        for (const role of ['a', 'b', ''])
          assert.deepEqual(
            await found({ where: { active: true, role }, tags: ['a'] }),
            wanted((of) => of['active'] === true && of['role'] === role && has(of, 'tags', 'a')),
          )
        assert.deepEqual(
          await found({ holds: { groups: 'a' }, tags: ['a', 'b'] }),
          wanted((of) => has(of, 'groups', 'a') && has(of, 'tags', 'a') && has(of, 'tags', 'b')),
        )
        assert.deepEqual(await store.read.list({ type: 'clients', limit: 10, where: { active: true } }), [])
      }),
      { numRuns: 60 },
    )
    await store.close()
  })
}
