/** Members that the schemas of many resources share, and the few rules about them. */
import { z } from 'zod'
import { DURATION_PATTERN, toMs } from '../base/clock.ts'
import { isRefusedHost, isSecureUrl } from '../base/net/address.ts'
import { urlTextFault } from '../base/text/url.ts'
import { URL_FORMAT, unit } from './annotations.ts'
import { HTTP_METHODS } from './http-names.ts'

/** A duration such as `30s`, `1m`, `24h`, `30d`. A text that is none ends the checks, so that those after it may reckon with one. */
export const Duration = z
  .string()
  .regex(DURATION_PATTERN, {
    error: 'a duration such as 30s, 1m, 24h or 30d',
    abort: true,
  })
  .meta(unit('duration'))

/** RFC 3339 in UTC. */
export const Time = z.iso
  .datetime({ offset: true, error: 'an RFC 3339 time with its zone, such as 2026-05-01T00:00:00Z' })
  .describe('RFC 3339 time')

/** A time that lists are filtered by, as people say it; {@link momentOf} gives the moment it means. */
export const When = z
  .string()
  .meta(unit('time'))
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
  // The member that it is the value of says of what
  .meta({ 'x-postern-ref': true })
  .describe('Id or slug; `parent:slug` where slugs are unique only below a parent')

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

export const Name = z.string().trim().min(1).max(120).describe('Display name')
export const Description = z.string().max(20_000).meta(unit('markdown')).describe('Markdown')
export const Tags = z.array(Slug).max(20).describe('Labels for filters and grants')

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

export const HttpMethod = z.enum(HTTP_METHODS)
export type HttpMethod = z.infer<typeof HttpMethod>

/** True for plain data of JSON without members named `__proto__`. @param root without circles, as parsed texts are */
function isJson(root: unknown): boolean {
  const open: unknown[] = [root]
  while (open.length > 0) {
    const value = open.pop()
    if (value === null || typeof value === 'string' || typeof value === 'boolean') continue
    if (typeof value === 'number') {
      if (!Number.isFinite(value)) return false
    } else if (Array.isArray(value)) for (const item of value) open.push(item)
    else {
      if (typeof value !== 'object') return false
      const prototype: unknown = Object.getPrototypeOf(value)
      if ((prototype !== Object.prototype && prototype !== null) || Object.hasOwn(value, '__proto__'))
        return false
      for (const name of Object.keys(value)) open.push((value as Record<string, unknown>)[name])
    }
  }
  return true
}

/**
 * As `z.json()`, which judges a value by a union of six schemas for each value in it and takes 0.1 seconds for a body of 1 MiB: here it
 * judges and copies only what is not JSON at once.
 */
export function jsonValue(): z.ZodJSONSchema {
  const schema = z.json()
  const { run } = schema._zod
  schema._zod.run = (payload, context) => (isJson(payload.value) ? payload : run(payload, context))
  return schema
}

/** A key that secrets are sealed with, as people see it; the key itself is never shown. */
export const SealingKey = z.object({
  id: z.string().describe('Name of the key in the key file and in encrypted values'),
  fingerprint: z.string().describe('Fingerprint, to compare copies of the key file'),
  seals: z.boolean().describe('True for the first key of the key file, which encrypts new secrets'),
  secrets: z.int().describe('Number of stored secrets encrypted with this key'),
})
export type SealingKey = z.output<typeof SealingKey>

const OVERLAP_MAX_MS = 30 * 86_400_000

/** How long what a rotation replaces still works. */
export const Overlap = z
  .string()
  .refine(
    (text) => /^0(ms|s|m|h|d)?$/.test(text) || DURATION_PATTERN.test(text),
    'a duration such as 24h, or 0s',
  )
  .refine((text) => overlapMsOf(text) <= OVERLAP_MAX_MS, 'at most 30d')

/** Milliseconds of an overlap as it is written; `0` and `0s` are none. */
export function overlapMsOf(text: string): number {
  return DURATION_PATTERN.test(text) ? toMs(text) : 0
}

/** A URL that is asked from here: https, or http on this machine; never a link-local or metadata address. */
export function secureUrl(example: string) {
  return z
    .string()
    .max(1024)
    .meta(URL_FORMAT)
    .refine((text) => faultOf(text, example) === null, {
      error: (issue) => faultOf(String(issue.input), example) ?? 'a URL',
    })
}

function faultOf(text: string, example: string): string | null {
  const url = URL.parse(text)
  if (url === null) return `a URL such as ${example}`
  const written = urlTextFault(text)
  if (written !== null) return written
  if (!isSecureUrl(url)) return 'an https URL; http is allowed only for the loopback'
  if (url.username !== '' || url.password !== '' || url.hash !== '') return 'a URL without user or fragment'
  return isRefusedHost(url.hostname) ? 'Postern never calls link-local or metadata addresses' : null
}

/** RFC 9110 section 5.1 field name that an operator may set; framing, hop-by-hop and identity names are not theirs. */
export const HeaderName = z
  .string()
  .meta(unit('http-header-name'))
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

/** A setting of the process as people see it. */
export const ShownSetting = z.object({
  name: z.string().describe('Such as POSTERN_LISTEN'),
  value: z.string().nullable().describe('Configured value; null for the default and for secrets'),
  source: z.enum(['flag', 'environment', 'default']),
  default: z.string().describe('Default value'),
})
export type ShownSetting = z.infer<typeof ShownSetting>
