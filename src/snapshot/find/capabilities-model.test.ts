/** The filter against a model of the policy that is written as the documentation says it, item by item and call by call. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { anyJson } from '../../../test/support/any-json.ts'
import type { Plain } from '../../base/json/storable.ts'
import { CAPABILITY_TYPES } from '../../model/mcp/capability.ts'
import { approvedOf, type Catalogue } from '../../model/mcp/capability-drift.ts'
import { CapabilityPolicy } from '../../model/mcp/capability-policy.ts'
import { assignNames, assignUris, type NamedMember } from '../../model/mcp/public-names.ts'
import { rulesOf } from '../compile/capability-rules.ts'
import { linkCapabilities } from './capabilities.ts'
import { type Caller, type Capabilities, UNKNOWN, type VisibleList } from './capability-caller.ts'
import { basesOf } from './capability-uris.ts'

type Given = Readonly<Record<string, string | number>>
/** A condition as text, and what it is for a caller and arguments; an error is null. */
interface Condition {
  readonly text: string
  readonly readsArguments: boolean
  readonly of: (caller: Caller, given: Given) => boolean | null
}

const tenant = ({ claims }: Caller): boolean | null =>
  claims['tenant'] === undefined ? null : claims['tenant'] === 'north'
const small = (_: Caller, { n }: Given): boolean | null => (typeof n === 'number' ? n <= 1 : null)
const isAcme = ({ client }: Caller): boolean => client.slug === 'acme'

/** Logic of CEL: an error yields to what decides. */
const and = (a: boolean | null, b: boolean | null): boolean | null =>
  a === false || b === false ? false : a === null || b === null ? null : true
const or = (a: boolean | null, b: boolean | null): boolean | null =>
  a === true || b === true ? true : a === null || b === null ? null : false

const CONDITIONS: readonly Condition[] = [
  { text: 'true', readsArguments: false, of: () => true },
  { text: 'client.slug == "acme"', readsArguments: false, of: isAcme },
  { text: 'claims.tenant == "north"', readsArguments: false, of: tenant },
  {
    text: 'claims.tenant == "north" || client.slug == "acme"',
    readsArguments: false,
    of: (c) => or(tenant(c), isAcme(c)),
  },
  {
    text: 'user.id == "u1" && "dev" in user.groups',
    readsArguments: false,
    of: (c) => and(isU1(c), isDev(c)),
  },
  { text: 'arguments.n <= 1.0', readsArguments: true, of: small },
  {
    text: 'arguments.n <= 1.0 && claims.tenant == "north"',
    readsArguments: true,
    of: (c, g) => and(small(c, g), tenant(c)),
  },
  {
    text: 'arguments.n <= 1.0 || client.slug == "acme"',
    readsArguments: true,
    of: (c, g) => or(small(c, g), isAcme(c)),
  },
  {
    text: 'client.slug == "acme" ? arguments.n <= 1.0 : false',
    readsArguments: true,
    of: (c, g) => isAcme(c) && small(c, g),
  },
  {
    text: '!(has(arguments.n) && client.slug == "acme")',
    readsArguments: true,
    of: (c, g) => !('n' in g && isAcme(c)),
  },
]

function isU1({ user }: Caller): boolean | null {
  return user === null ? null : user === 'u1'
}

function groupsOf({ claims }: Caller): readonly string[] | null {
  const { groups } = claims
  if (typeof groups === 'string') return [groups]
  return Array.isArray(groups) && groups.every((one) => typeof one === 'string') ? groups : null
}

function isDev(caller: Caller): boolean | null {
  return groupsOf(caller)?.includes('dev') ?? null
}

const NAMES = ['read', 'read_all', 'write', 'drop', 'fresh']
const GIVEN: readonly Given[] = [{}, { n: 1 }, { n: 2 }, { n: 'x' }, { n: 1, fixed: 0 }, { hidden: 1 }]

interface Entry {
  readonly match:
    | { readonly exact: string }
    | { readonly glob: string }
    | { readonly annotation: 'readOnlyHint'; readonly is: boolean }
  readonly effect: 'allow' | 'deny'
  readonly subjects?: Readonly<Record<string, readonly string[]>>
  readonly when?: Condition
  readonly projection?: object
}

const match: fc.Arbitrary<Entry['match']> = fc.oneof(
  fc.constantFrom(...NAMES, 'absent').map((exact) => ({ exact })),
  fc.constantFrom('*', 'read*', '*e', 'r*d*l').map((glob) => ({ glob })),
  fc.boolean().map((is) => ({ annotation: 'readOnlyHint' as const, is })),
)
const subjects = fc.constantFrom<Readonly<Record<string, readonly string[]>>>(
  { clients: ['cli_acme'] },
  { profiles: ['pro_1', 'pro_2'] },
  { users: ['u1'] },
  { groups: ['dev'] },
  { groups: ['ops'], clients: ['cli_beta'] },
)
const entry: fc.Arbitrary<Entry> = fc.oneof(
  fc.record(
    { match, effect: fc.constant('deny' as const), subjects, when: fc.constantFrom(...CONDITIONS) },
    { requiredKeys: ['match', 'effect'] },
  ),
  fc.record(
    {
      match,
      effect: fc.constant('allow' as const),
      subjects,
      when: fc.constantFrom(...CONDITIONS),
      projection: fc.constantFrom({ fixed: { fixed: 1 } }, { hidden: ['hidden'] }, { title: 'T' }),
    },
    { requiredKeys: ['match', 'effect'] },
  ),
)
const policy = fc.record({
  tools: fc.option(fc.array(entry, { maxLength: 6 }), { nil: undefined }),
  pin: fc.constantFrom('strict', 'warn', 'off'),
  new_items: fc.constantFrom('hide', 'show'),
})
const caller: fc.Arbitrary<Caller> = fc.record({
  client: fc.constantFrom({ id: 'cli_acme', slug: 'acme' }, { id: 'cli_beta', slug: 'beta' }),
  profile: fc.constantFrom({ id: 'pro_1', slug: 'one' }, { id: 'pro_3', slug: 'three' }),
  user: fc.constantFrom('u1', 'u2', null),
  claims: fc.record(
    {
      tenant: fc.constantFrom('north', 'south'),
      groups: fc.constantFrom<unknown>(['dev'], ['ops', 'x'], 'dev', 7, []),
    },
    { requiredKeys: [] },
  ),
})
const tool: fc.Arbitrary<Plain> = fc.record(
  {
    name: fc.constantFrom(...NAMES),
    description: fc.constantFrom('a', 'b'),
    annotations: fc.record({ readOnlyHint: fc.boolean() }),
  },
  { requiredKeys: ['name'] },
)
const catalogue = fc.uniqueArray(tool, { selector: ({ name }) => name, maxLength: 5 })

type Policy = typeof policy extends fc.Arbitrary<infer T> ? T : never

/** What the documentation says of one call: the arguments to send, or null. */
function expected(
  { tools: entries, pin, new_items }: Policy,
  item: Plain,
  approved: readonly Plain[],
  who: Caller,
  given: Given,
): object | null {
  const before = approved.find(({ name }) => name === item['name'])
  const isChanged = before !== undefined && JSON.stringify(sorted(before)) !== JSON.stringify(sorted(item))
  if (pin === 'strict' && isChanged) return null
  if (pin !== 'off' && before === undefined && !(new_items === 'show' && entries === undefined)) return null
  if (entries === undefined) return given
  const fits = (one: Entry): boolean => {
    if (!matches(one.match, item)) return false
    const subject = one.subjects === undefined ? true : isSubject(one.subjects, who)
    const when = one.when === undefined ? true : one.when.of(who, given)
    // Either says no for certain; an error counts against the caller
    if (subject === false || when === false) return false
    return one.effect === 'deny' || (subject === true && when === true)
  }
  if (entries.some((one) => one.effect === 'deny' && fits(one))) return null
  const allowing = entries.find((one) => one.effect === 'allow' && fits(one))
  if (allowing === undefined) return null
  const { fixed = {}, hidden = [] } = (allowing.projection ?? {}) as { fixed?: object; hidden?: string[] }
  return [...Object.keys(fixed), ...hidden].some((name) => name in given) ? null : { ...given, ...fixed }
}

function sorted(item: Plain): unknown {
  return Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1))
}

function matches(one: Entry['match'], item: Plain): boolean {
  const name = String(item['name'])
  if ('exact' in one) return one.exact === name
  if ('glob' in one) return new RegExp(`^${one.glob.replaceAll('*', '.*')}$`).test(name)
  return ((item['annotations'] as Plain | undefined)?.['readOnlyHint'] ?? false) === one.is
}

function isSubject(subjects: Readonly<Record<string, readonly string[]>>, who: Caller): boolean | null {
  const known: Readonly<Record<string, readonly string[] | null>> = {
    clients: [who.client.id],
    profiles: [who.profile.id],
    users: who.user === null ? null : [who.user],
    groups: groupsOf(who),
  }
  const each = Object.entries(subjects).map(
    ([kind, names]) => known[kind]?.some((one) => names.includes(one)) ?? null,
  )
  return each.includes(true) ? true : each.includes(null) ? null : false
}

const NONE: Catalogue = { tools: [], prompts: [], resources: [], resource_templates: [] }

function linkedOf(members: readonly (readonly [Policy, readonly Plain[], readonly Plain[]])[]): Capabilities {
  const all = members.map(([written, tools, approved], at) => {
    const entries = written.tools?.map(({ when, ...rest }) =>
      when === undefined ? rest : { ...rest, when: when.text },
    )
    const spec = CapabilityPolicy.parse({ ...written, tools: entries })
    return {
      ...{ id: `m${at}`, prefix: `p${at}`, rules: rulesOf(spec), catalogue: { ...NONE, tools } },
      approved: approvedOf({ ...NONE, tools: approved }),
      // With and without hashes that were made before
      ...(at === 0 ? { hashes: approvedOf({ ...NONE, tools }) } : {}),
    }
  })
  const named: NamedMember[] = all.map(({ id, prefix, rules, catalogue: { tools } }) => ({
    ...{ id, prefix },
    items: basesOf('tools', rules, tools),
  }))
  const names = {
    tools: assignNames('tools', [], named, 'always'),
    prompts: [],
    resources: [],
    resource_templates: [],
  }
  return linkCapabilities(all, names)
}

test('a list shows exactly what a call admits, for random catalogues, policies and callers', () => {
  const member = fc.tuple(policy, catalogue, catalogue)
  let [shownCount, hiddenCount] = [0, 0]
  fc.assert(
    fc.property(
      fc.array(member, { minLength: 1, maxLength: 2 }),
      fc.array(caller, { minLength: 2, maxLength: 4 }),
      (members, callers) => {
        const all = linkedOf(members)
        const lists: VisibleList[] = []
        for (const who of callers) {
          const list = all.visible(who, 'tools')
          const listed = new Set(list.items.map(({ name }) => name))
          assert.equal(list.json, JSON.stringify(list.items.map(({ shown }) => shown)))
          for (const [at, [written, tools, approved]] of members.entries())
            for (const item of tools) {
              const name = `p${at}_${String(item['name'])}`
              const isListed = listed.has(name)
              if (isListed) shownCount++
              else hiddenCount++
              let isEverAdmitted = false
              for (const given of GIVEN) {
                const answer = all.call(who, 'tools', name, given)
                const model = expected(written, item, approved, who, given)
                assert.deepEqual(answer.kind === 'admitted' ? answer.arguments : null, model, name)
                isEverAdmitted ||= model !== null
                // Refused is only said of what is listed; all else is the one answer for what does not exist
                assert.equal(answer === UNKNOWN, !isListed)
              }
              const readsArguments = written.tools?.some(({ when }) => when?.readsArguments === true) ?? false
              if (isEverAdmitted || !readsArguments) assert.equal(isListed, isEverAdmitted, name)
              const found = all.find(who, 'tools', name)
              assert.equal(found !== null, isListed)
              if (found !== null) assert.ok(list.items.includes(found))
              assert.equal(all.explain(who, 'tools', name).shown, isListed)
            }
          for (const given of GIVEN) assert.equal(all.call(who, 'tools', 'absent', given), UNKNOWN)
          // Equal lists are one object: items are the same objects in all lists
          const same = lists.find(
            ({ items }) =>
              items.length === list.items.length && items.every((item, at) => item === list.items[at]),
          )
          if (same !== undefined) assert.equal(same, list)
          lists.push(list)
          assert.equal(all.visible(who, 'tools'), list)
        }
      },
    ),
    { numRuns: 1000 },
  )
  assert.ok(shownCount > 500 && hiddenCount > 500, `${shownCount} shown, ${hiddenCount} hidden`)
})

test('whatever a server lists and a caller sends, the filter answers and a list is JSON', () => {
  const text = fc.oneof(
    fc.constantFrom('a', '__proto__', 'constructor', 'file:///a', '{x', ''),
    fc.string({ unit: 'binary', maxLength: 8 }),
  )
  const json = anyJson({ maxDepth: 3 })
  const item = fc.dictionary(
    fc.constantFrom(
      'name',
      'uri',
      'uriTemplate',
      'title',
      'description',
      'inputSchema',
      'arguments',
      'annotations',
      '__proto__',
    ),
    fc.oneof(text, json),
    { noNullPrototype: true },
  )
  const items = fc.array(item, { maxLength: 6 })
  const offers = fc.record({ tools: items, prompts: items, resources: items, resource_templates: items })
  const entries = [
    {
      match: { glob: '*' },
      projection: { title: 'T', annotations: { a: 1 }, hidden: ['a'], fixed: { b: '1' } },
    },
    { match: { glob: 'a*', on: 'title' }, effect: 'deny', when: 'size(arguments) > 1' },
  ]
  const open = entries.map(({ projection: _projection, ...rest }) => rest)
  const policies = [{}, { tools: entries, prompts: entries, resources: open, resource_templates: open }]
  const who: Caller = {
    client: { id: 'c', slug: 'c' },
    profile: { id: 'p', slug: 'p' },
    user: null,
    claims: {},
  }
  fc.assert(
    fc.property(offers, offers, fc.array(text), fc.dictionary(text, json), (first, second, names, given) => {
      const members = [first, second].map((catalogue, at) => ({
        ...{
          id: `m${at}`,
          prefix: `p${at}`,
          rules: rulesOf(CapabilityPolicy.parse(policies[at])),
          catalogue,
        },
        approved: at === 0 ? approvedOf(first) : null,
      }))
      const named = (type: 'tools' | 'prompts'): NamedMember[] =>
        members.map(({ id, prefix, rules, catalogue }) => ({
          ...{ id, prefix },
          items: basesOf(type, rules, catalogue[type]),
        }))
      const all = linkCapabilities(members, {
        tools: assignNames('tools', [], named('tools'), 'auto'),
        prompts: assignNames('prompts', [], named('prompts'), 'auto'),
        ...assignUris(
          { resources: [], resource_templates: [] },
          members.map(({ id, prefix, rules, catalogue }) => ({
            ...{ id, prefix },
            resources: basesOf('resources', rules, catalogue.resources),
            resource_templates: basesOf('resource_templates', rules, catalogue.resource_templates),
          })),
        ),
      })
      for (const type of CAPABILITY_TYPES) {
        const list = all.visible(who, type)
        assert.equal((JSON.parse(list.json) as unknown[]).length, list.items.length)
        for (const { name } of list.items) assert.ok(list.items.includes(all.find(who, type, name)!))
      }
      for (const { name, key, member } of all.visible(who, 'resources').items) {
        const answer = all.read(who, name)
        if (answer.kind === 'admitted') assert.deepEqual([answer.member, answer.uri], [member, key])
        else assert.equal(answer.kind, 'refused')
        assert.equal(all.publicUri(member, key), name)
      }
      for (const name of names) {
        for (const type of ['tools', 'prompts'] as const) all.call(who, type, name, given)
        all.read(who, name)
        all.read(who, all.publicUri('m0', name))
      }
    }),
    { numRuns: 300 },
  )
})
