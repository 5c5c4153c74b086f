import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { compilePerson, compileTeam } from '../../snapshot/compile/sources.ts'
import { isAmong, isSharedWith } from '../../snapshot/find/people.ts'
import { typedReads } from '../../store/ports/config.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import { membershipsOf, sharedProfiles, sharedVirtualMcps } from './shared-with.ts'

const stored = (type: Resource['type'], id: string, spec: Fields): Resource => ({
  ...{ type, id, slug: id.slice(4), parent: null, name: id, status: 'published', key: null, revision: 1 },
  ...{ spec, draft: null, managed_by: null },
  ...{ created_at: '2026-05-01T00:00:00.000Z', created_by: 'usr_a' },
  ...{ updated_at: '2026-05-01T00:00:00.000Z', updated_by: 'usr_a' },
})

const TEAMS = 6
const teamIds = Array.from({ length: TEAMS }, (_, n) => `tea_${n}`)
const someTeams = fc.subarray(teamIds)
const someGroups = fc.subarray(['staff', 'on-call'])

/** Teams in any number of trees: the parent of each comes before it. */
const teamSpecs = fc.tuple(
  ...teamIds.map((_, n) =>
    fc.record({
      parent: fc.option(fc.integer({ min: 0, max: Math.max(0, n - 1) }), { nil: null }),
      members: fc.subarray(['usr_ada', 'usr_bob']),
      idp_groups: someGroups,
    }),
  ),
)
const configuration = fc.record({
  teams: teamSpecs,
  groups: someGroups,
  virtualMcps: fc.array(fc.record({ teams: someTeams, all_users: fc.boolean() }), { maxLength: 4 }),
  profiles: fc.array(
    fc.option(fc.record({ teams: someTeams, users: fc.subarray(['usr_ada', 'usr_bob']) }), { nil: null }),
    { maxLength: 4 },
  ),
})
type Configuration = typeof configuration extends fc.Arbitrary<infer T> ? T : never

function resourcesOf({ teams, groups, virtualMcps, profiles }: Configuration) {
  return {
    ada: { id: 'usr_ada', spec: { active: true, groups } } as unknown as Resource<'users'>,
    teams: teams.map(({ parent, members, idp_groups }, n) =>
      stored('teams', teamIds[n]!, {
        parent: parent === null || n === 0 ? null : teamIds[parent],
        members: members.map((user) => ({ user, role: 'member' })),
        idp_groups,
      }),
    ),
    virtualMcps: virtualMcps.map((spec, n) => stored('virtual_mcps', `vmc_${n}`, spec)),
    profiles: profiles.map((agent_sign_in, n) => stored('profiles', `prf_${n}`, { agent_sign_in })),
  }
}

/** A store with these resources, which finds references by searching for the id. */
function readerOf({ teams, virtualMcps, profiles }: ReturnType<typeof resourcesOf>) {
  const every = [...teams, ...virtualMcps, ...profiles]
  return {
    ...typedReads({
      all: async (type) => every.filter((one) => one.type === type),
      byId: async (type, id) => every.find((one) => one.type === type && one.id === id),
    }),
    usersOf: async (id: string) => every.filter(({ spec }) => JSON.stringify(spec).includes(`"${id}"`)),
  }
}

test('what is listed for a person is what gateway threads let the person use, with any teams and groups', async () => {
  await fc.assert(
    fc.asyncProperty(configuration, async (made) => {
      const resources = resourcesOf(made)
      const { ada, teams, virtualMcps, profiles } = resources
      const reader = readerOf(resources)
      // Stored by the schemas of these types
      const person = compilePerson(ada as never)
      const fragments = new Map(teams.map((team) => [team.id, compileTeam(team as never)]))
      const own = await membershipsOf(reader, ada)
      const idsOf = (found: readonly { readonly resource: Resource }[]): string[] =>
        found.map(({ resource }) => resource.id)
      assert.deepEqual(
        idsOf(await sharedVirtualMcps(reader, own)),
        virtualMcps.filter(({ spec }) => isSharedWith(person, spec as never, fragments)).map(({ id }) => id),
      )
      assert.deepEqual(
        idsOf(await sharedProfiles(reader, ada, own)),
        profiles
          .filter(({ spec }) => {
            const among = spec['agent_sign_in'] as never
            return among !== null && isAmong(person, among, fragments)
          })
          .map(({ id }) => id),
      )
    }),
    { numRuns: 300 },
  )
})

test('each path begins at a team that the person is in, and goes up to the team that is named', async () => {
  await fc.assert(
    fc.asyncProperty(configuration, async (made) => {
      const resources = resourcesOf(made)
      const bySlug = new Map(resources.teams.map((team) => [team.slug, team]))
      const own = await membershipsOf(readerOf(resources), resources.ada)
      for (const { team, path } of own.values()) {
        const [first, ...above] = path.map((slug) => bySlug.get(slug)!)
        const { members, idp_groups } = first!.spec as {
          members: { user: string }[]
          idp_groups: string[]
        }
        const isIn = members.some(({ user }) => user === 'usr_ada')
        assert.ok(isIn || idp_groups.some((group) => made.groups.includes(group as never)))
        let at = first!
        for (const next of above) {
          assert.equal(at.spec['parent'], next.id)
          at = next
        }
        assert.equal(at.id, team.id)
      }
    }),
    { numRuns: 300 },
  )
})
