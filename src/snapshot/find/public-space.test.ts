/** Public names and URIs over histories of changes: what a caller was given goes on to mean the same. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { CAPABILITY_TYPES, KEY_OF } from '../../model/mcp/capability.ts'
import type { Catalogue } from '../../model/mcp/capability-drift.ts'
import type { PublicName, PublicNames } from '../../model/mcp/public-names.ts'
import { VirtualMcpSpec } from '../../model/mcp/virtual-mcp.ts'
import { compileVirtualMcp } from '../compile/mcp.ts'
import { linkCapabilities } from './capabilities.ts'
import type { Caller, Capabilities } from './capability-caller.ts'

const NO_NAMES: PublicNames = { tools: [], prompts: [], resources: [], resource_templates: [] }
const WHO: Caller = {
  client: { id: 'c', slug: 'c' },
  profile: { id: 'p', slug: 'p' },
  user: null,
  claims: {},
}

/** What the members are at one moment. */
interface Moment {
  readonly members: readonly { readonly id: string; readonly slug: string; readonly catalogue: Catalogue }[]
  readonly prefix: 'auto' | 'always'
}

const ids = ['m1', 'm2', 'm3'] as const
const name = fc.constantFrom('search', 'a', 'b_search', 'a_search', 'a b', 'é', 'x'.repeat(70))
const uri = fc.constantFrom(
  ...[
    'file:///a',
    'file:///b/c',
    'file://a~/a',
    'file://b~/a',
    'urn:x',
    'urn:a~x',
    'note://pages/1',
    'a~',
    'a',
  ],
)
const template = fc.constantFrom(
  ...['file:///{path}', 'file:///b/{+rest}', '{+uri}', 'note://pages/{page}', 'note://{+any}', 'urn:{id}'],
  ...['file://a~/{x}', 'note://pages/{id}/{line}'],
)
const listed = <T>(one: fc.Arbitrary<T>, to: (one: T) => object) =>
  fc.uniqueArray(one, { maxLength: 4 }).map((all) => all.map((each) => to(each) as Record<string, unknown>))
const catalogue: fc.Arbitrary<Catalogue> = fc.record({
  tools: listed(name, (own) => ({ name: own, inputSchema: { type: 'object' } })),
  prompts: listed(name, (own) => ({ name: own })),
  resources: listed(uri, (own) => ({ uri: own, name: 'r' })),
  resource_templates: listed(template, (own) => ({ uriTemplate: own, name: 't' })),
})
/** All members from the first moment to the last; origins change what they list, and exchange their slugs. */
const history: fc.Arbitrary<readonly Moment[]> = fc.integer({ min: 1, max: 3 }).chain((count) =>
  fc.array(
    fc
      .record({
        prefix: fc.constantFrom('auto' as const, 'always' as const),
        slugs: fc.shuffledSubarray(['a', 'b', 'file', 'a-2'], { minLength: count, maxLength: count }),
        catalogues: fc.array(catalogue, { minLength: count, maxLength: count }),
        shift: fc.nat({ max: 2 }),
      })
      .map(({ prefix, slugs, catalogues, shift }) => {
        const members = catalogues.map((each, at) => ({ id: ids[at]!, slug: slugs[at]!, catalogue: each }))
        return { prefix, members: [...members.slice(shift % count), ...members.slice(0, shift % count)] }
      }),
    { minLength: 1, maxLength: 4 },
  ),
)

function linkedAt(
  { members, prefix }: Moment,
  names: PublicNames,
): { all: Capabilities; names: PublicNames } {
  const fragment = compileVirtualMcp({
    virtualMcp: {
      id: 'v',
      slug: 'v',
      spec: VirtualMcpSpec.parse({ name: 'V', prefix, members: members.map(({ id }) => ({ origin: id })) }),
    },
    origins: new Map(
      members.map(({ id, slug, catalogue: own }) => [id, { slug, catalogue: own, isOwn: true }]),
    ),
    names,
    approved: {},
  })
  const byId = new Map(members.map((member) => [member.id, member]))
  const linked = fragment.members.map(({ origin, prefix: own, rules, approved }) => ({
    ...{ id: origin, prefix: own, rules, approved },
    catalogue: byId.get(origin)!.catalogue,
  }))
  return { all: linkCapabilities(linked, fragment.names), names: fragment.names }
}

/** URIs that an origin may name in a result. */
const URIS = [
  ...[
    'file:///a',
    'file:///b/c',
    'file:///b/zz',
    'file://a~/a',
    'file://b~/zz',
    'urn:x',
    'urn:a~x',
    'urn:zz',
  ],
  ...['note://pages/1', 'note://pages/1/2', 'note://other', 'a~', 'a', 'a-2~x', 'ui://page'],
]

test('two items never share a public name, and a name once given never changes its meaning', () => {
  fc.assert(
    fc.property(history, (moments) => {
      let names = NO_NAMES
      const given = new Map<string, string>()
      for (const moment of moments) {
        const next = linkedAt(moment, names)
        names = next.names
        for (const type of CAPABILITY_TYPES) {
          const all: readonly PublicName[] = names[type]
          const space = KEY_OF[type] === 'name' ? type : 'uris'
          assert.equal(new Set(all.map((one) => one.name)).size, all.length, 'unique in their type')
          for (const { member, key, name: own } of all) {
            const meaning = JSON.stringify([type, member, key])
            const before = given.get(`${space} ${own}`)
            assert.equal(before ?? meaning, meaning, own)
            given.set(`${space} ${own}`, meaning)
          }
        }
      }
    }),
    { numRuns: 500 },
  )
})

test('a public URI leads back to its member and its URI there, whatever changes among the members', () => {
  fc.assert(
    fc.property(history, (moments) => {
      let names = NO_NAMES
      /** By public URI: the member and the URI there, once several members were told apart. */
      const given = new Map<string, string>()
      for (const moment of moments) {
        const next = linkedAt(moment, names)
        names = next.names
        for (const { id } of moment.members)
          for (const own of URIS) {
            const shown = next.all.publicUri(id, own)
            const meaning = JSON.stringify([id, own])
            assert.equal(given.get(shown) ?? meaning, meaning, shown)
            if (moment.members.length > 1) given.set(shown, meaning)
          }
        for (const [shown, meaning] of given) {
          const answer = next.all.read(WHO, shown)
          if (answer.kind === 'admitted')
            assert.equal(JSON.stringify([answer.member, answer.uri]), meaning, shown)
        }
      }
    }),
    { numRuns: 300 },
  )
})
