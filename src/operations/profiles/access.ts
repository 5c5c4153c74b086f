import { isIP } from 'node:net'
import { z } from 'zod'
import { refuse } from '../../base/refusal.ts'
import { refersTo } from '../../model/annotations.ts'
import type { Parameter } from '../../model/api/proxy.ts'
import type { Explanation } from '../../model/explanation.ts'
import { HttpMethod, Ref } from '../../model/members.ts'
import type { Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import { about, define } from '../engine/define.ts'
import { getRef } from '../engine/refs.ts'
import { profileKind } from './kind.ts'

export const checkProfileAccess = define({
  resource: 'profiles',
  action: 'access',
  effect: 'read',
  tool: 'check_profile_access',
  group: profileKind.group,
  summary: 'Check whether a profile may call an endpoint now, and which check refuses it; calls nothing',
  input: z.strictObject({
    id: Ref,
    endpoint: Ref.meta(refersTo('proxies')).describe('A proxy, such as orders:get-order'),
    method: HttpMethod.optional().describe('Default: the first method of the endpoint'),
    target: z
      .string()
      .max(8192)
      .regex(/^\//, 'a path with or without a query')
      .optional()
      .describe('Path and query of the call. Default: built from the contract'),
    ip: z
      .string()
      .refine((text) => isIP(text) !== 0, 'an IP address')
      .optional()
      .describe('Address of the caller. Without it, address checks are not evaluated'),
  }),
  output: z.object({
    allowed: z.boolean().describe('True if no evaluated check refuses the call'),
    profile: z.string().meta(refersTo('profiles')),
    endpoint: z.string().meta(refersTo('proxies')),
    method: z.string(),
    target: z.string(),
    code: z.string().nullable().describe('Problem code of the refusal'),
    status: z.int().nullable(),
    check: z.string().nullable().describe('The check that refuses it'),
    reason: z.string().nullable(),
    setting: z.string().nullable().describe('Setting that decides, such as profiles/acme:live ip_allowlist'),
    not_judged: z.array(z.string()).describe('Checks that depend on facts outside this input'),
  }),
  permission: 'profiles:read',
  refuses: ['not_found', 'not_ready'],
  columns: ['allowed', 'method', 'target', 'code', 'reason', 'setting'],
  ...about(profileKind),
  handle: async (input, context) => {
    const profile = await context.find('profiles', input.id)
    const proxy = await getRef(context.reader, 'proxies', input.endpoint)
    const collection = (await context.whole.byId('collections', proxy.parent!))!
    const method = input.method ?? proxy.spec.methods[0]!
    const target = input.target ?? exampleTarget(collection, proxy)
    const hosts = (collection.spec['hosts'] ?? []) as readonly string[]
    const explained = await explain(context, {
      method,
      url: target,
      host: hosts[0] ?? null,
      client: profile.parent,
      profile: profile.id,
      ip: input.ip ?? null,
      headers: null,
      bodyBytes: null,
    })
    const { whole } = context
    const client = (await whole.byId('clients', profile.parent!))!
    return {
      profile: `${client.slug}:${profile.slug}`,
      endpoint: `${collection.slug}:${proxy.slug}`,
      method,
      target,
      ...judged(explained, collection, proxy),
    }
  },
})

async function explain(
  { explainer }: OperationContext,
  asked: Parameters<OperationContext['explainer']['explain']>[0],
): Promise<Explanation> {
  try {
    return await explainer.explain(asked)
  } catch (error) {
    throw refuse('not_ready', {
      detail: `The access cannot be determined now: ${error instanceof Error ? error.message : 'unknown reason'}.`,
    })
  }
}

/** What of an explanation is about the endpoint. Other routes are not named: they may lie beyond the scope. */
function judged(
  { checks, code, status, route }: Explanation,
  collection: Resource,
  proxy: Resource<'proxies'>,
) {
  const not_judged = checks.filter(({ result }) => result === 'not_judged').map(({ name }) => name)
  if (route?.collection !== collection.slug || route.proxy !== proxy.slug) {
    const isServed = collection.status === 'published' && proxy.status === 'published'
    const lost =
      route === null ? 'no route matches this path and method' : 'another route takes precedence for them'
    return {
      allowed: false,
      code: route === null ? code : 'route_not_found',
      status: route === null ? status : 404,
      check: 'route',
      reason: isServed ? lost : 'the endpoint is not published',
      setting: null,
      not_judged,
    }
  }
  const refusing = checks.find(({ result }) => result === 'refuse')
  return {
    allowed: refusing === undefined,
    code,
    status,
    check: refusing?.name ?? null,
    reason: refusing?.reason ?? null,
    setting: refusing?.setting ?? null,
    not_judged,
  }
}

/** A path of the endpoint whose parameters have values that their contract allows, as far as one is known. */
function exampleTarget(collection: Resource, proxy: Resource<'proxies'>): string {
  const { path, parameters } = proxy.spec
  const base = String(collection.spec['base_path'])
  const filled = path
    .replace(/\{([^}]+)\}/g, (_, name: string) =>
      encodeURIComponent(String(exampleOf(parameters.find((one) => one.in === 'path' && one.name === name)))),
    )
    .replace(/\/\*$/, '/x')
  const query = parameters
    .filter((one) => one.in === 'query' && one.required)
    .map((one) => `${encodeURIComponent(one.name)}=${encodeURIComponent(String(exampleOf(one)))}`)
  const whole = filled === '/' ? base : base + filled
  return query.length === 0 ? whole : `${whole}?${query.join('&')}`
}

function exampleOf(parameter: Parameter | undefined): unknown {
  const known = parameter?.default ?? parameter?.enum?.[0]
  if (known !== undefined) return known
  switch (parameter?.type) {
    case 'integer':
    case 'number':
      return parameter.min ?? parameter.max ?? 1
    case 'boolean':
      return true
    default:
      return 'x'
  }
}
