/** The caller for whom a virtual MCP is previewed. */
import { z } from 'zod'
import { teamsAbove } from '../../access/teams.ts'
import { refuse } from '../../base/refusal.ts'
import { refersTo } from '../../model/annotations.ts'
import { Ref } from '../../model/members.ts'
import type { Caller, SignedInPerson } from '../../snapshot/find/capability-caller.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import { type Memberships, membershipsOf, reasonsFor } from '../access/shared-with.ts'
import type { OperationContext } from '../engine/context.ts'

const Texts = z.array(z.string().max(256)).max(100)

export const PREVIEW_CALLER = {
  client: Ref.optional().meta(refersTo('clients')).describe('As this client'),
  profile: Ref.optional()
    .meta(refersTo('profiles'))
    .describe('As this profile, and the client that it belongs to'),
  person: Ref.optional()
    .meta(refersTo('users'))
    .describe('As this user after signing in, with their groups and teams. Needs users:read'),
  team: Ref.optional()
    .meta(refersTo('teams'))
    .describe('As a person of this team and the teams above it, and of no other. Needs teams:read'),
  user: z.string().max(256).optional().describe('Subject of the token of the caller'),
  groups: Texts.optional().describe('Values of the groups claim; absent: the token has none'),
  roles: Texts.optional().describe('Values of the roles claim; absent: the token has none'),
  claims: z.record(z.string().max(256), z.json()).optional().describe('Further claims of the token'),
}

type CallerInput = z.output<z.ZodObject<typeof PREVIEW_CALLER>>

/** A caller, and what opens the virtual MCP to it. */
export interface PreviewCaller {
  readonly caller: Caller
  /** Null where no client was named. */
  readonly client: Resource | null
  /** Null where no person was named. */
  readonly person: PreviewPerson | null
}

interface PreviewPerson {
  /** As people know the user or the team. */
  readonly name: string
  readonly isActive: boolean
  readonly own: Memberships
}

const NOBODY = { id: '', slug: '' }

export async function previewCaller(input: CallerInput, context: OperationContext): Promise<PreviewCaller> {
  const { client, profile, person, team, user, groups, roles, claims } = input
  refuseBoth(input)
  const asProfile = profile === undefined ? null : await context.find('profiles', profile, 'profiles:read')
  const ref = asProfile?.parent ?? client
  const asClient = ref === undefined ? null : await context.find('clients', ref, 'clients:read')
  const given: Fields = {
    ...claims,
    ...(user === undefined ? {} : { sub: user }),
    ...(groups === undefined ? {} : { groups }),
    ...(roles === undefined ? {} : { roles }),
  }
  const signedIn =
    person !== undefined
      ? await asPerson(person, context)
      : team !== undefined
        ? await asMember(team, context)
        : null
  return {
    client: asClient,
    person: signedIn,
    caller: {
      client: asClient === null ? NOBODY : { id: asClient.id, slug: asClient.slug },
      profile: asProfile === null ? NOBODY : { id: asProfile.id, slug: asProfile.slug },
      user: signedIn?.id ?? user ?? null,
      ...(signedIn === null ? {} : { person: signedIn.facts }),
      claims: given,
    },
  }
}

/** A caller is a person who has signed in, or somebody with a token of another issuer. */
function refuseBoth({ person, team, user }: CallerInput): void {
  const named = Object.entries({ person, team, user }).filter(([, value]) => value !== undefined)
  if (named.length < 2) return
  throw refuse('input_invalid', {
    detail: `Name one of person, team and user; the request names ${named.map(([name]) => name).join(' and ')}.`,
    errors: [{ pointer: `/${named[1]![0]}`, reason: `not together with ${named[0]![0]}` }],
  })
}

type SignedIn = PreviewPerson & { readonly id: string; readonly facts: SignedInPerson }

async function asPerson(ref: string, context: OperationContext): Promise<SignedIn> {
  const user = await context.find('users', ref, 'users:read')
  // Stored by the schema of this type
  const { groups, active } = user.spec
  const own = await membershipsOf(context.whole, user)
  const facts = { slug: user.slug, groups, teams: [...own.keys()] }
  return { id: user.id, name: `The user "${user.slug}"`, isActive: active, own, facts }
}

async function asMember(ref: string, context: OperationContext): Promise<SignedIn> {
  const team = await context.find('teams', ref, 'teams:read')
  const all = await teamsAbove(context.whole, team.id)
  const own: Memberships = new Map(
    all.map((one, at) => [one.id, { team: one, path: all.slice(0, at + 1).map(({ slug }) => slug) }]),
  )
  const facts = { slug: '', groups: [], teams: [...own.keys()] }
  return { id: '', name: `A member of the team "${team.slug}"`, isActive: true, own, facts }
}

interface Warning {
  readonly pointer: string
  readonly reason: string
}

/** What keeps the caller from the endpoint, and what to do about it. */
export function previewWarnings(
  { id, slug, status, spec }: Resource,
  { client, person }: Pick<PreviewCaller, 'client' | 'person'>,
): readonly Warning[] {
  const reasons: string[] = []
  if (status !== 'published') reasons.push(`The virtual MCP is a draft. Publish "${slug}" to serve it.`)
  if (client !== null && !isAssigned(client, id))
    reasons.push(
      `The client "${client.slug}" may not call it. Assign the virtual MCP "${slug}" to the client.`,
    )
  if (person !== null && !person.isActive) reasons.push(`${person.name} is inactive. Activate the user.`)
  else if (person !== null && reasonsFor(spec, person.own).length === 0)
    reasons.push(
      `${person.name} may not sign in to it. Share the virtual MCP "${slug}" with a team, or with all users.`,
    )
  return reasons.map((reason) => ({ pointer: '', reason }))
}

export function isAssigned({ spec }: Resource, id: string): boolean {
  return ((spec['virtual_mcps'] ?? []) as readonly string[]).includes(id)
}
