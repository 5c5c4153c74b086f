import { z } from 'zod'
import { DOORS } from '../../base/doors.ts'
import { refuse } from '../../base/refusal.ts'
import { Ref } from '../../model/members.ts'
import type { Resource } from '../../store/ports/resource.ts'
import { membershipsOf, sharedProfiles, sharedVirtualMcps } from '../access/shared-with.ts'
import type { OperationContext } from '../engine/context.ts'
import { define } from '../engine/define.ts'
import { fromCursor, page, pageOf, toCursor } from '../engine/lists.ts'
import { getRef } from '../engine/refs.ts'
import { hostKind } from '../hosts/kind.ts'
import { isUser } from '../personal-tokens/personal-tokens.ts'
import { APPLICATION_NAMES, APPLICATIONS, type Application, FORMS, snippetsFor } from './snippets.ts'

export const Connect = z
  .array(
    z.object({
      application: z.enum(APPLICATION_NAMES),
      form: z
        .enum(FORMS)
        .describe(
          'url: entered into the application; command: run in a shell; file: added to the file; link: opened in a browser',
        ),
      place: z.string().nullable().describe('File or form for the text; null: none, or any'),
      text: z.string(),
    }),
  )
  .describe('Settings and commands for AI applications')

const McpEndpoint = z.object({
  kind: z.enum(['virtual_mcp', 'profile']).describe('profile: APIs at /mcp, with the access of the profile'),
  slug: z.string().describe('Slug of the virtual MCP, or client:profile'),
  name: z.string(),
  description: z.string(),
  url: z.string(),
  origins: z.array(z.string()).describe('Names of the MCP servers behind a virtual MCP'),
  connect: Connect,
})
export type McpEndpoint = z.output<typeof McpEndpoint>

export const listMcpEndpoints = define({
  resource: 'mcp_endpoints',
  action: 'list',
  effect: 'read',
  tool: 'list_mcp_endpoints',
  group: hostKind.group,
  summary: 'List the MCP endpoints that you, or a user, may sign in to, and how to connect AI applications',
  input: z.strictObject({
    ...page,
    user: Ref.optional().describe('User who signs in. Default: you'),
    application: z.enum(APPLICATION_NAMES).optional().describe('Only the snippets of this application'),
    authentication: z
      .enum(['sign_in', 'token'])
      .default('sign_in')
      .describe(
        'sign_in: snippets for people; token: for agents with the token of a binding, which they read from an environment variable',
      ),
  }),
  output: pageOf(McpEndpoint),
  permission: 'users:read',
  own: isUser,
  refuses: ['not_found'],
  columns: ['slug', 'name', 'url', 'origins'],
  // Every answer is one of these
  sentences: (output) =>
    endpointsText(output as z.output<ReturnType<typeof pageOf>> & { items: McpEndpoint[] }),
  subject: () => ({ type: 'mcp_endpoint', id: null, slug: null }),
  handle: async ({ limit, cursor, user: ref, application, authentication }, context) => {
    const user = await personOf(ref, context)
    const endpoints = await endpointsOf(user, context)
    const from = cursor === undefined ? 0 : Number(fromCursor(cursor, /^[0-9]{1,6}$/))
    const applications: readonly Application[] = application === undefined ? APPLICATION_NAMES : [application]
    const items = endpoints.slice(from, from + limit).map((endpoint) => ({
      ...endpoint,
      connect: [...connect(endpoint, applications, authentication === 'token')],
    }))
    return { items, next_cursor: from + limit < endpoints.length ? toCursor(String(from + limit)) : null }
  },
})

/** The user who is asked about: oneself, or one whom the caller may read. */
async function personOf(ref: string | undefined, context: OperationContext): Promise<Resource<'users'>> {
  const { principal, whole, reader } = context
  if (isUser(principal) && (ref === undefined || ref === principal.id || ref === principal.name)) {
    const self = await whole.byId('users', principal.id)
    if (self !== undefined) return self
  }
  if (ref === undefined)
    throw refuse('input_invalid', {
      detail: 'You are not signed in as a user. Name the user.',
      errors: [{ pointer: '/user', reason: 'is required, such as ada' }],
    })
  context.require('users:read')
  const user = await getRef(reader, 'users', ref)
  await context.demand('users:read', user)
  return user
}

type Endpoint = Omit<McpEndpoint, 'connect'>

/** Virtual MCPs, then profiles. About others, callers are told only of those that they may read. */
async function endpointsOf(user: Resource<'users'>, context: OperationContext): Promise<readonly Endpoint[]> {
  const { whole, principal } = context
  if (user.spec.active !== true) return []
  const own = await membershipsOf(whole, user)
  const found: Endpoint[] = []
  const isSeen = async (resource: Resource): Promise<boolean> =>
    user.id === principal.id || (await context.allows(`${resource.type}:read`, resource))
  for (const { resource } of await sharedVirtualMcps(whole, own))
    if (await isSeen(resource)) found.push(await virtualMcpEndpoint(resource, context))
  for (const { resource } of await sharedProfiles(whole, user, own))
    if (await isSeen(resource)) found.push(...(await profileEndpoint(resource, context)))
  return found
}

async function virtualMcpEndpoint(
  { slug, spec }: Resource<'virtual_mcps'>,
  { whole, gatewayOrigin }: OperationContext,
): Promise<Endpoint> {
  const { name, description = '', members } = spec
  const origins = await Promise.all(
    members.filter(({ active }) => active).map(({ origin }) => whole.byId('origins', origin)),
  )
  return {
    kind: 'virtual_mcp',
    slug,
    name,
    description,
    url: `${gatewayOrigin}${DOORS.belowConsumerMcp.path}/${slug}`,
    origins: origins.flatMap((origin) => origin?.name ?? []),
  }
}

/** None for a profile that cannot be used now. */
async function profileEndpoint(
  { slug, parent, spec }: Resource<'profiles'>,
  { whole, gatewayOrigin }: OperationContext,
): Promise<readonly Endpoint[]> {
  const client = await whole.byId('clients', parent ?? '')
  const { name, description = '', active } = spec
  if (client === undefined || !active || !client.spec.active) return []
  return [
    {
      kind: 'profile',
      slug: `${client.slug}:${slug}`,
      name: `${client.name}: ${name}`,
      description,
      url: `${gatewayOrigin}${DOORS.consumerMcp.path}/-/${client.slug}/${slug}`,
      origins: [],
    },
  ]
}

/** The snippets of an endpoint. Bindings have tokens for virtual MCPs alone. */
function connect({ kind, slug, url }: Endpoint, applications: readonly Application[], isToken: boolean) {
  if (isToken && kind === 'profile') return []
  return snippetsFor({ name: slug.replace(':', '-'), url }, applications, isToken)
}

/**
 * MCP endpoints as lines for people. Snippets are shown where they are those of one application.
 * @param items with the members that were asked for
 */
function endpointsText({
  items,
  next_cursor: next,
}: {
  readonly items: readonly Partial<McpEndpoint>[]
  readonly next_cursor: string | null
}): string[] {
  if (items.length === 0) return ['No MCP endpoint is shared with this user.']
  const snippets = items.flatMap(({ connect = [] }) => connect)
  const applications = new Set(snippets.map(({ application }) => application))
  return [
    ...items.flatMap((endpoint) => [
      ...aboutEndpoint(endpoint),
      ...(applications.size === 1 ? (endpoint.connect ?? []).flatMap(snippetText) : []),
    ]),
    ...(applications.size > 1
      ? [`How to connect: add --application with one of ${APPLICATION_NAMES.join(', ')}.`]
      : []),
    ...(next === null ? [] : [`There are more items: add --cursor ${next}`]),
  ]
}

function aboutEndpoint({ name, slug, url, description = '', origins = [] }: Partial<McpEndpoint>): string[] {
  const called = [name, slug === undefined ? undefined : name === undefined ? slug : `(${slug})`]
  return [
    called.filter((one) => one !== undefined).join(' '),
    ...[url ?? '', description, origins.length === 0 ? '' : `Origins: ${origins.join(', ')}`]
      .filter((line) => line !== '')
      .map((line) => `  ${line}`),
  ]
}

function snippetText({ application, form, place, text }: McpEndpoint['connect'][number]): string[] {
  const where = place === null ? '' : `, ${place}`
  const verb = { url: 'enter', command: 'run', file: 'add', link: 'open' }[form]
  return [`  ${APPLICATIONS[application]}${where}: ${verb}`, ...text.split('\n').map((line) => `    ${line}`)]
}
