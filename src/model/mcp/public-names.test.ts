import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  assignNames,
  assignUris,
  fromPublicUri,
  type LocatedMember,
  type NamedMember,
  type PublicName,
  prefixesOf,
  toPublicUri,
} from './public-names.ts'

function member(id: string, keys: readonly string[], prefix: string = id): NamedMember {
  return { id, prefix, items: keys.map((key) => ({ key, base: key })) }
}

const NONE = { resources: [], resource_templates: [] }

/** A member with resources and templates. */
function located(id: string, uris: readonly string[], templates: readonly string[] = []): LocatedMember {
  const itemsOf = (keys: readonly string[]) => keys.map((key) => ({ key, base: key }))
  return { id, prefix: id, resources: itemsOf(uris), resource_templates: itemsOf(templates) }
}

function namesIn(names: readonly PublicName[]): Record<string, string> {
  return Object.fromEntries(names.map(({ member, key, name }) => [`${member} ${key}`, name]))
}

test('only the newcomer of a collision gets the prefix, and a name stays when its rival goes or returns', () => {
  const first = assignNames('tools', [], [member('git', ['search', 'log'])], 'auto')
  assert.deepEqual(namesIn(first), { 'git search': 'search', 'git log': 'log' })
  const both = [member('wiki', ['search', 'read']), member('git', ['search', 'log'])]
  const second = assignNames('tools', first, both, 'auto')
  const expected = {
    ...{ 'git search': 'search', 'git log': 'log' },
    ...{ 'wiki search': 'wiki_search', 'wiki read': 'read' },
  }
  assert.deepEqual(namesIn(second), expected)
  const without = [member('wiki', ['search']), member('git', ['log'])]
  const third = assignNames('tools', second, without, 'auto')
  assert.deepEqual(namesIn(third), expected, 'names of what is gone are kept')
  assert.deepEqual(namesIn(assignNames('tools', third, both, 'auto')), expected)
  // A member that is taken out gives its names back
  const alone = assignNames('tools', third, [member('wiki', ['search', 'read', 'log'])], 'auto')
  assert.equal(namesIn(alone)['wiki log'], 'log')
  assert.equal(namesIn(alone)['wiki search'], 'wiki_search')
})

test('mode always puts the prefix before every new name', () => {
  const before = assignNames('tools', [], [member('git', ['log'])], 'auto')
  const after = assignNames('tools', before, [member('git', ['log', 'blame'])], 'always')
  assert.deepEqual(namesIn(after), { 'git log': 'log', 'git blame': 'git_blame' })
})

test('names of tools have the characters that models take, and a clean name wins over a cleaned one', () => {
  const names = assignNames('tools', [], [member('fs', ['a b', 'a/b', 'a_b', 'größe', ''])], 'auto')
  const { 'fs a/b': third, ...rest } = namesIn(names)
  assert.deepEqual(rest, { 'fs a_b': 'a_b', 'fs a b': 'fs_a_b', 'fs größe': 'gr__e', 'fs ': rest['fs ']! })
  assert.match(third!, /^fs_a_b_[0-9a-f]{8}$/)
  assert.match(rest['fs ']!, /^_[0-9a-f]{8}$/)
  // Prompts keep theirs
  assert.deepEqual(namesIn(assignNames('prompts', [], [member('fs', ['größe x'])], 'auto')), {
    'fs größe x': 'größe x',
  })
})

test('names of endpoints have no dots, and the name with dots is an alias that nobody else gets', () => {
  const own = (...keys: string[]): NamedMember => ({ ...member('shop', keys), isOwn: true })
  const aliasesIn = (names: readonly PublicName[]) => names.map(({ name, alias }) => [name, alias])
  const before = assignNames('tools', [], [member('shop', ['orders.get', 'a.b', 'a_b'])], 'auto')
  const after = assignNames('tools', before, [own('orders.get', 'a.b', 'a_b', 'x.y')], 'auto')
  const byKey = new Map(after.map(({ key, name, alias }) => [key, [name, alias]]))
  assert.deepEqual(byKey.get('a_b'), ['a_b', undefined])
  assert.deepEqual(byKey.get('a.b'), ['shop_a_b', 'a.b'])
  assert.deepEqual(byKey.get('orders.get'), ['orders_get', 'orders.get'])
  assert.deepEqual(byKey.get('x.y'), ['x_y', 'x.y'])
  assert.deepEqual(
    assignNames('tools', after, [own('orders.get', 'a.b', 'a_b', 'x.y')], 'auto'),
    after,
    'nothing new, nothing changed',
  )
  // Tools of a server keep their names, also where they have dots
  const both = assignNames('tools', after, [own('orders.get'), member('wiki', ['x.y', 'p.q'])], 'auto')
  assert.equal(namesIn(both)['wiki x.y'], 'wiki_x.y')
  assert.equal(namesIn(both)['wiki p.q'], 'p.q')
  // A name that a policy projects stands as it is written
  const projected = { ...own(), items: [{ key: 'get', base: 'my.get' }] }
  assert.deepEqual(aliasesIn(assignNames('tools', [], [projected], 'auto')), [['my.get', undefined]])
  // A name that begins with the prefix of another member is not given
  const orders = assignNames('tools', before, [own('orders.get'), member('orders', ['x'])], 'auto')
  assert.equal(namesIn(orders)['shop orders.get'], 'shop_orders_get')
})

test('a projected name is the base, and a new projection gives a new name', () => {
  const of = (base: string): NamedMember[] => [{ id: 'git', prefix: 'git', items: [{ key: 'log', base }] }]
  const first = assignNames('tools', [], of('history'), 'auto')
  assert.deepEqual(namesIn(first), { 'git log': 'history' })
  assert.deepEqual(namesIn(assignNames('tools', first, of('log'), 'auto')), { 'git log': 'log' })
})

const key = fc.oneof(
  fc.string({ maxLength: 6, unit: fc.constantFrom('a', 'b', '_', '/', ' ', 'é') }),
  fc.string({ maxLength: 80, unit: fc.constantFrom('a', '_') }),
  fc.constantFrom('search', 'wiki_search', 'git_search', 'x'.repeat(60), 'x'.repeat(61)),
)
const members = fc
  .uniqueArray(fc.constantFrom('git', 'wiki', 'a', 'p'.repeat(63)), { minLength: 1, maxLength: 4 })
  .chain((ids) =>
    fc.tuple(...ids.map((id) => fc.uniqueArray(key, { maxLength: 12 }).map((keys) => member(id, keys)))),
  )
const mode = fc.constantFrom('auto' as const, 'always' as const)
const nameType = fc.constantFrom('tools' as const, 'prompts' as const)

test('no published name exceeds 60 characters, and every shortening is unique and stable, in whatever order items are listed', () => {
  fc.assert(
    fc.property(
      nameType,
      fc.array(members, { minLength: 1, maxLength: 4 }),
      mode,
      (type, rounds, prefixing) => {
        let names: PublicName[] = []
        for (const round of rounds) {
          const next = assignNames(type, names, round, prefixing)
          const all = next.map(({ name }) => name)
          assert.equal(new Set(all).size, all.length, 'unique')
          for (const name of all) {
            assert.ok(name.length >= 1 && name.length <= 60, name)
            if (type === 'tools') assert.match(name, /^[A-Za-z0-9_.-]+$/)
          }
          for (const { id, items } of round)
            for (const item of items)
              assert.equal(next.filter((one) => one.member === id && one.key === item.key).length, 1)
          const ids = new Set(round.map(({ id }) => id))
          const isOfAnother = ({ member, name }: PublicName): boolean =>
            round.some(
              ({ id, prefix }) => id !== member && name.toLowerCase().startsWith(`${prefix.toLowerCase()}_`),
            )
          for (const old of names.filter((one) => ids.has(one.member) && !isOfAnother(one)))
            assert.ok(next.includes(old), 'stays')
          assert.ok(!next.some((one) => ids.has(one.member) && isOfAnother(one)), 'reserved')
          const reversed = round.map((one) => ({ ...one, items: one.items.toReversed() }))
          assert.deepEqual(assignNames(type, names, reversed, prefixing), next)
          assert.deepEqual(assignNames(type, next, round, prefixing), next, 'nothing new, nothing changed')
          names = next
        }
      },
    ),
  )
})

test('a server that renames its tools without end leaves a bounded number of names', () => {
  let names: PublicName[] = []
  for (let round = 0; round < 8; round++)
    names = assignNames(
      'tools',
      names,
      [member('git', ['stays', ...Array.from({ length: 1000 }, (_, at) => `t${round}_${at}`)])],
      'auto',
    )
  assert.equal(names.length, 5000 + 1001)
  assert.ok(names.some((one) => one.key === 'stays') && names.some((one) => one.key === 't7_999'))
  assert.ok(!names.some((one) => one.key === 't0_0'))
})

test('URIs stay where they are unique, and take a prefix that can be undone', () => {
  for (const [uri, prefixed] of [
    ['file:///a/b', 'file://files~/a/b'],
    ['https://host:80/x', 'https://files~host:80/x'],
    ['urn:a:b', 'urn:files~a:b'],
    ['test://b~x', 'test://files~b~x'],
    ['file:///{path}', 'file://files~/{path}'],
    ['no scheme', 'files~no scheme'],
    ['{scheme}://x', 'files~{scheme}://x'],
    ['', 'files~'],
  ] as const) {
    assert.equal(toPublicUri('files', uri), prefixed)
    assert.deepEqual(fromPublicUri(prefixed), { prefix: 'files', uri })
  }
  for (const uri of ['file:///a~b', 'file:///files~/x', 'urn:A~b', 'x', '~x'])
    assert.equal(fromPublicUri(uri), null)
  const first = assignUris(NONE, [located('a', ['file:///x', 'file:///y'])])
  assert.deepEqual(namesIn(first.resources), { 'a file:///x': 'file:///x', 'a file:///y': 'file:///y' })
  const both = assignUris(first, [located('b', ['file:///x', 'urn:z']), located('a', ['file:///x'])])
  assert.deepEqual(namesIn(both.resources), {
    ...namesIn(first.resources),
    'b file:///x': 'file://b~/x',
    'b urn:z': 'urn:z',
  })
})

test('a template keeps its URI where no other member has items that begin as it does', () => {
  const templatesOf = (members: readonly LocatedMember[], existing = NONE) =>
    namesIn(assignUris(existing, members).resource_templates)
  const notes = located('notes', ['note://first'], ['note://pages/{page}'])
  assert.deepEqual(templatesOf([notes, located('files', ['file:///x'], ['file:///docs/{name}'])]), {
    'notes note://pages/{page}': 'note://pages/{page}',
    'files file:///docs/{name}': 'file:///docs/{name}',
  })
  // Of two members the first one keeps it
  assert.deepEqual(templatesOf([notes, located('more', [], ['note://{+any}', 'note://pages/{id}/{line}'])]), {
    'notes note://pages/{page}': 'note://pages/{page}',
    'more note://{+any}': 'note://more~{+any}',
    'more note://pages/{id}/{line}': 'note://more~pages/{id}/{line}',
  })
  assert.deepEqual(templatesOf([notes, located('more', ['note://pages/1'])]), {
    'notes note://pages/{page}': 'note://notes~pages/{page}',
  })
  assert.deepEqual(templatesOf([located('any', [], ['{+uri}']), notes]), {
    'any {+uri}': 'any~{+uri}',
    'notes note://pages/{page}': 'note://pages/{page}',
  })
})

test('a new resource never takes a URI that an unprefixed template of another member may stand for', () => {
  const alone = assignUris(NONE, [located('a', [], ['file:///{path}'])])
  const both = [
    located('a', [], ['file:///{path}']),
    located('b', ['file:///x', 'urn:x'], ['file:///{+rest}']),
  ]
  const then = assignUris(alone, both)
  assert.deepEqual(namesIn(then.resources), { 'b file:///x': 'file://b~/x', 'b urn:x': 'urn:x' })
  assert.deepEqual(namesIn(then.resource_templates), {
    'a file:///{path}': 'file:///{path}',
    'b file:///{+rest}': 'file://b~/{+rest}',
  })
  // Its own template is no obstacle
  const own = assignUris(alone, [located('a', ['file:///x'], ['file:///{path}']), located('b', [])])
  assert.deepEqual(namesIn(own.resources), { 'a file:///x': 'file:///x' })
})

test('every public URI leads back, and different URIs and members never share one', () => {
  const part = fc.string({
    maxLength: 8,
    unit: fc.constantFrom('a', 'b', '-', '~', ':', '/', '.', '{', '}', 'é'),
  })
  const uri = fc.oneof(
    part,
    fc.webUrl(),
    part.map((rest) => `a~${rest}`),
    part.map((rest) => `file:${rest}`),
  )
  const prefix = fc.constantFrom('a', 'b', 'a-2', 'files')
  fc.assert(
    fc.property(prefix, uri, (name, one) => {
      assert.deepEqual(fromPublicUri(toPublicUri(name, one)), { prefix: name, uri: one })
    }),
  )
  const some = fc.uniqueArray(uri, { maxLength: 10 })
  const sets = fc.tuple(
    ...['a', 'b'].map((id) => fc.tuple(some, some).map(([uris, templates]) => located(id, uris, templates))),
  )
  const type = fc.constantFrom('resources' as const, 'resource_templates' as const)
  fc.assert(
    fc.property(type, sets, sets, (kind, first, second) => {
      const names = assignUris(assignUris(NONE, first), second)[kind]
      assert.equal(new Set(names.map(({ name }) => name)).size, names.length)
      for (const { member: id, key: own, name } of names) {
        const found = fromPublicUri(name)
        if (name === own) assert.equal(found, null)
        else assert.deepEqual(found, { prefix: id, uri: own })
      }
    }),
  )
})

test('members of the same origin have prefixes of their own', () => {
  const prefixes = prefixesOf([
    { id: '1', slug: 'git' },
    { id: '2', slug: 'git' },
    { id: '3', slug: 'wiki' },
  ])
  assert.equal(prefixes[0], 'git')
  assert.match(prefixes[1]!, /^git-[0-9a-f]{8}$/)
  assert.equal(prefixes[2], 'wiki')
})

test('the prefix of a member stays when its origin is renamed, and another origin takes its slug', () => {
  const [git, wiki] = [
    { id: '1', slug: 'git' },
    { id: '2', slug: 'wiki' },
  ]
  const prefixes = { '1': 'git', '2': 'wiki' }
  assert.deepEqual(
    prefixesOf(
      [
        { ...git, slug: 'wiki' },
        { ...wiki, slug: 'git' },
      ],
      { prefixes },
    ),
    ['git', 'wiki'],
  )
  const [, , third] = prefixesOf([git, wiki, { id: '3', slug: 'git' }], { prefixes })
  assert.match(third!, /^git-[0-9a-f]{8}$/)
  // What is stored may be older than prefixes in it
  const resources = [{ member: '1', key: 'a:b', base: 'a:b', name: 'a:old~b' }]
  assert.match(prefixesOf([git, { id: '2', slug: 'old' }], { resources })[1]!, /^old-[0-9a-f]{8}$/)
  assert.deepEqual(
    prefixesOf([{ id: '2', slug: 'old' }], { resources }),
    ['old'],
    'that of no member is free',
  )
})

test('a name that begins with the prefix of another member is reserved for it, in any spelling of the prefix', () => {
  const honest = member('honest', ['pay', 'honest_own'])
  const evil = member('evil', ['honest_pay', 'Honest_pay', 'honest', 'evil_x'])
  for (const type of ['tools', 'prompts'] as const)
    for (const members of [
      [honest, evil],
      [evil, honest],
    ]) {
      const names = namesIn(assignNames(type, [], members, 'auto'))
      assert.equal(names['honest pay'], 'pay')
      assert.equal(names['honest honest_own'], 'honest_own')
      assert.equal(names['evil honest_pay'], 'evil_honest_pay')
      assert.equal(names['evil Honest_pay'], 'evil_Honest_pay')
      assert.equal(names['evil honest'], 'honest')
      assert.equal(names['evil evil_x'], 'evil_x')
    }
})

test('a name that was given before its prefix belonged to another member is given up for it', () => {
  const evil = member('evil', ['honest_pay', 'pay'])
  const alone = assignNames('tools', [], [evil], 'auto')
  assert.equal(namesIn(alone)['evil honest_pay'], 'honest_pay')
  const names = assignNames('tools', alone, [evil, member('honest', ['pay'])], 'auto')
  assert.deepEqual(namesIn(names), {
    'evil honest_pay': 'evil_honest_pay',
    'evil pay': 'pay',
    'honest pay': 'honest_pay',
  })
  assert.deepEqual(assignNames('tools', names, [evil, member('honest', ['pay'])], 'auto'), names)
})

test('a policy may project a name with the prefix of another member', () => {
  const chosen = { id: 'own', prefix: 'own', items: [{ key: 'send', base: 'honest_send' }] }
  const names = assignNames('tools', [], [chosen, member('honest', ['pay'])], 'auto')
  assert.equal(namesIn(names)['own send'], 'honest_send')
})
