import { z } from 'zod'
import { DURATION_PATTERN, toMs } from '../base/duration.ts'
import { HTTP_METHODS } from './methods.ts'

/** The name that people type. Wherever an id is accepted, the slug is too. */
export const Slug = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9-]{0,62}$/,
    'lower-case letters, digits and hyphens, at most 63, not starting with a hyphen',
  )
  .describe('Short name in URLs and commands')

/** An id or a slug. */
export const Ref = z
  .string()
  .min(1)
  .max(130)
  .describe('Id or slug; `parent:slug` where slugs are unique only below a parent')

export const Name = z.string().trim().min(1).max(120).describe('Display name')
export const Description = z.string().max(20_000).describe('Markdown')
export const Tags = z.array(Slug).max(20).describe('Labels for filters and grants')

/** A duration such as `30s`, `1m`, `24h`, `30d`. */
export const Duration = z.string().regex(DURATION_PATTERN, 'a duration such as 30s, 1m, 24h or 30d')

/** RFC 3339 in UTC. */
export const Time = z.iso
  .datetime({ offset: true, error: 'an RFC 3339 time with its zone, such as 2026-05-01T00:00:00Z' })
  .describe('RFC 3339 time')

/** A time that lists are filtered by, as people say it; {@link momentOf} gives the moment it means. */
export const When = z
  .string()
  .max(40)
  .refine(isWhen, 'a time with its zone such as 2026-05-01T00:00:00Z, a date, now, or -30d for 30 days ago')
  .describe('Time such as 2026-05-01T00:00:00Z, date (in UTC), now, or -30d for 30 days ago')

/** `-30d`: a duration before now. */
const isAgo = (text: string): boolean => text.startsWith('-') && DURATION_PATTERN.test(text.slice(1))

function isWhen(text: string): boolean {
  return text === 'now' || isAgo(text) || isDate(text) || Time.safeParse(text).success
}

function isDate(text: string): boolean {
  return z.iso.date().safeParse(text).success
}

/** The moment that a {@link When} means at `now`; both in milliseconds since the epoch. A date is its first moment. */
export function momentOf(when: string, now: number): number {
  if (when === 'now') return now
  return isAgo(when) ? Math.max(0, now - toMs(when.slice(1))) : Date.parse(when)
}

/** RFC 9110 section 5.1 field name that an operator may set; framing, hop-by-hop and identity names are not theirs. */
export const HeaderName = z
  .string()
  .max(128)
  .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, 'a header name')
  .refine((name) => !RESERVED_HEADERS.has(name.toLowerCase()), 'this header belongs to the gateway')

const RESERVED_HEADERS = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'content-length',
  'host',
  'expect',
  'x-request-id',
  'traceparent',
  'tracestate',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-postern-client',
  'x-postern-profile',
  'x-postern-subject',
])

/** What every stored resource carries besides its own fields (product: common fields). */
export const Envelope = z.object({
  id: z.string().describe('Stable id'),
  slug: Slug,
  revision: z.int().min(1).describe('Revision number; each write increases it'),
  created_at: Time,
  created_by: z.string(),
  updated_at: Time,
  updated_by: z.string(),
  managed_by: z
    .string()
    .nullable()
    .describe('Set of documents that manages the resource through apply, or null'),
})
export type Envelope = z.infer<typeof Envelope>

export const Status = z.enum(['draft', 'published']).describe('Drafts are invisible to callers')
export type Status = z.infer<typeof Status>

/** The resource types that say what is served, in the words of the API. */
export const RESOURCE_TYPES = [
  'collections',
  'proxies',
  'workflows',
  'clients',
  'profiles',
  'policies',
  'credentials',
] as const
/** The resource types that say who may administer. */
export const ACCESS_TYPES = [
  'roles',
  'users',
  'teams',
  'service_identities',
  'grants',
  'trust_rules',
] as const
export type ResourceType = (typeof RESOURCE_TYPES)[number] | (typeof ACCESS_TYPES)[number]

/** One of each type, as messages and the audit call it. */
export const NOUNS: Readonly<Record<ResourceType, string>> = {
  collections: 'collection',
  proxies: 'proxy',
  workflows: 'workflow',
  clients: 'client',
  profiles: 'profile',
  policies: 'policy',
  credentials: 'credential',
  roles: 'role',
  users: 'user',
  teams: 'team',
  service_identities: 'service_identity',
  grants: 'grant',
  trust_rules: 'trust_rule',
}

/** True for the name of a type of resource. */
export function isResourceType(type: string): type is ResourceType {
  return Object.hasOwn(NOUNS, type)
}

/** A name of the API as people read it: `service_identity` is a service identity. */
export function inWords(name: string): string {
  return name.replaceAll('_', ' ')
}

export const HttpMethod = z.enum(HTTP_METHODS)
export type HttpMethod = z.infer<typeof HttpMethod>

/** A slug made from a name: `Get order (v2)` gives `get-order-v2`; empty when nothing usable is left. */
export function slugOf(name: string): string {
  return name
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 63)
    .replace(/-+$/, '')
}
