/** The forms of setting values, each with a message for a wrong value. */

import { isIP } from 'node:net'
import { z } from 'zod'
import { toMs } from '../base/clock.ts'
import { PARTS, type Part } from '../base/doors.ts'
import { isRefusedHost, isSecureUrl, type RunnerAddress, toRunnerAddress } from '../base/net/address.ts'
import { type DatabaseAddress, readDatabaseUrl } from '../base/net/database-url.ts'
import { egressEntryFault } from '../base/net/egress.ts'
import { readValkeyUrl, type ValkeyAddress } from '../base/net/valkey-url.ts'
import { urlTextFault } from '../base/text/url.ts'
import { visibleJson } from '../base/text/visible.ts'

/** Where a listener binds. Port 0 lets the system choose. An IPv6 address is without brackets. */
export interface ListenAddress {
  readonly host: string
  readonly port: number
}

/** Parts of the control plane that the gateway listener may hand requests to. */

export const HTTP_ENGINES = ['native', 'node'] as const
export type HttpEngine = (typeof HTTP_ENGINES)[number]

/** How the gateway authenticates at the token endpoint of the identity provider. */
export const CLIENT_AUTH_METHODS = [
  'auto',
  'client_secret_basic',
  'client_secret_basic_raw',
  'client_secret_post',
  'private_key_jwt',
  'none',
] as const

export const ClientAuth = z.enum(
  CLIENT_AUTH_METHODS,
  CLIENT_AUTH_METHODS.map((method) => `\`${method}\``).join(', '),
)

export const ClientId = z.string().min(1, 'the id of a client')

export const ClaimName = z.string().min(1, 'the name of a claim')

export const Direct = z.enum(['off', 'on', 'only'], '`off`, `on` or `only`')

export const Audience = z.string().min(1, 'the value of aud in access tokens')

export const DEFAULT_SCOPES = 'openid profile email'
export const DEFAULT_GROUPS_CLAIM = 'groups'

export const CERTIFICATE_FIELDS = ['client-cert', 'x-forwarded-client-cert'] as const

export const Listen = z.string().transform((text, context): ListenAddress => {
  const address = parseListen(text)
  if (address !== null) return address
  context.addIssue({
    code: 'custom',
    message: 'host:port, :port, port or [IPv6]:port, with a port up to 65535',
  })
  return z.NEVER
})

/** As written: nothing that URL parsers drop or turn into something else, and nothing behind the authority. */
const ORIGIN_WRITTEN = /^https?:\/\/[^\s/\\?#@]+\/?$/i
/**
 * As parsed: a name of letters, digits, `-`, `_`, or an address. URL allows quotes, commas and more in a host
 * (WHATWG URL section 3.2); the origin goes into quoted parameters of header fields and into URLs that people copy.
 */
const ORIGIN_PARSED = /^https?:\/\/([a-z0-9_-]+(\.[a-z0-9_-]+)*\.?|\[[0-9a-f:]+\])(:[0-9]{1,5})?$/

function isWrittenOrigin(text: string): boolean {
  return ORIGIN_WRITTEN.test(text) && !text.includes('%') && visibleJson(text) === text
}

/** An http(s) origin without a path; kept without its trailing slash. */
export const Origin = z.string().transform((text, context): string => {
  const origin = isWrittenOrigin(text) && URL.canParse(text) ? new URL(text).origin : ''
  if (ORIGIN_PARSED.test(origin)) return origin
  context.addIssue({
    code: 'custom',
    message: 'scheme://host[:port], such as https://api.example.com, without a path',
  })
  return z.NEVER
})

/** Origins of pages; `null` and `*` are none. */
export const OriginList = z.string().transform((text, context): readonly string[] => {
  const origins = text.split(',').map((part) => Origin.safeParse(part.trim()))
  if (origins.every(({ success }) => success)) return origins.map(({ data }) => data!)
  context.addIssue({
    code: 'custom',
    message: 'a comma-separated list of origins such as https://app.example.com,http://localhost:6274',
  })
  return z.NEVER
})

export const Expose = z.string().transform((text, context): readonly Part[] => {
  const names = text.split(',').flatMap((part) => (part.trim() === '' ? [] : [part.trim()]))
  const known = PARTS.filter((name) => names.includes(name))
  if (known.length === new Set(names).size) return known
  context.addIssue({ code: 'custom', message: `a comma-separated list of ${PARTS.join(', ')}` })
  return z.NEVER
})

/** Each gateway thread has a slot among those who use the shared counters; the counters know 127, and two
 * are those of the main thread and the recorder. */
export const WORKERS_MAX = 120

export const Workers = z
  .string()
  .regex(/^[1-9][0-9]{0,2}$/, `a whole number from 1 to ${WORKERS_MAX}`)
  .transform(Number)
  .refine((workers) => workers <= WORKERS_MAX, `a whole number from 1 to ${WORKERS_MAX}`)

const DAY_MS = 86_400_000
/** Thirty years: a time before which there is nothing to keep. */
const PERIOD_MS_MAX = 11_000 * DAY_MS

/** How long something is kept, in milliseconds. */
export const Period = z.string().transform((text, context): number => {
  const ms = /^[1-9][0-9]{0,5}[mhd]$/.test(text) ? toMs(text) : 0
  if (ms > 0 && ms <= PERIOD_MS_MAX) return ms
  context.addIssue({ code: 'custom', message: 'a number and m, h or d, such as 30d, up to 11000d' })
  return z.NEVER
})

/** How long a node may be without contact, in milliseconds: longer than a few heartbeats take. */
export const Staleness = z.string().transform((text, context): number => {
  const ms = /^[1-9][0-9]{0,5}[smhd]$/.test(text) ? toMs(text) : 0
  if (ms >= 10_000 && ms <= 30 * DAY_MS) return ms
  context.addIssue({ code: 'custom', message: 'a number and s, m, h or d, such as 60s, from 10s to 30d' })
  return z.NEVER
})

/** How much something may take, in bytes. */
export const Size = z.string().transform((text, context): number => {
  const [, count, unit] = /^([1-9][0-9]{0,5})(MB|GB)$/.exec(text) ?? []
  if (count !== undefined) return Number(count) * (unit === 'GB' ? 1e9 : 1e6)
  context.addIssue({ code: 'custom', message: 'a number and MB or GB, such as 10GB' })
  return z.NEVER
})

/** How many of something there may be. */
export const Count = z.string().transform((text, context): number => {
  const count = /^[1-9][0-9]{0,6}$/.test(text) ? Number(text) : 0
  if (count >= 1 && count <= 1_000_000) return count
  context.addIssue({ code: 'custom', message: 'a number from 1 to 1000000' })
  return z.NEVER
})

export const FilePath = z.string().min(1, 'a path')

/** A comma-separated list; null when one of the parts does not fit. */
function listOf(text: string, fits: (part: string) => boolean): readonly string[] | null {
  const parts = text.split(',').map((part) => part.trim())
  return parts.every((part) => part !== '' && fits(part)) ? parts : null
}

export const Networks = z.string().transform((text, context): readonly string[] => {
  const networks = listOf(text, isNetwork)
  if (networks !== null) return networks
  context.addIssue({
    code: 'custom',
    message: 'a comma-separated list of addresses and networks such as 10.0.0.0/8,192.0.2.7,2001:db8::/32',
  })
  return z.NEVER
})

/** Bounds the work of one connection. */
const EGRESS_ENTRIES_MAX = 1000

export const EgressList = z.string().transform((text, context): readonly string[] => {
  const entries = text.split(',').map((entry) => entry.trim())
  const wrong = entries.find((entry) => egressEntryFault(entry) !== null)
  if (wrong === undefined && entries.length <= EGRESS_ENTRIES_MAX) return entries
  const message =
    wrong === undefined
      ? `at most ${EGRESS_ENTRIES_MAX} entries`
      : `a comma-separated list of entries, and "${wrong}" must be ${egressEntryFault(wrong)}`
  context.addIssue({ code: 'custom', message })
  return z.NEVER
})

export const FilePaths = z.string().transform((text, context): readonly string[] => {
  const paths = listOf(text, () => true)
  if (paths !== null) return paths
  context.addIssue({ code: 'custom', message: 'a comma-separated list of paths' })
  return z.NEVER
})

/** Name of an environment. */
export const Environment = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'lower-case letters, digits and hyphens, at most 63')

export const EnvPatterns = z.string().transform((text, context): readonly string[] => {
  const patterns = listOf(text, (part) => /^[A-Za-z_][A-Za-z0-9_]*\*?$/.test(part))
  if (patterns !== null) return patterns
  context.addIssue({
    code: 'custom',
    message: 'a comma-separated list of names of environment variables, each with `*` at its end or without',
  })
  return z.NEVER
})

export const VaultUrl = z.string().transform((text, context): string => {
  if (isServerUrl(text)) return text
  context.addIssue({
    code: 'custom',
    message:
      'an https URL such as https://vault.example.com:8200, without a link-local address; http is allowed only for the loopback',
  })
  return z.NEVER
})

export const Runner = z.string().transform((text, context): RunnerAddress => {
  const address = toRunnerAddress(text)
  if (address !== null) return address
  context.addIssue({
    code: 'custom',
    message:
      'unix: and the absolute path of a socket, such as unix:/run/postern/runner.sock, or an http or https URL without a path, such as http://127.0.0.1:7800',
  })
  return z.NEVER
})

export const DatabaseUrl = z.string().transform((text, context): DatabaseAddress => {
  const address = readDatabaseUrl(text)
  if (typeof address !== 'string') return address
  context.addIssue({ code: 'custom', message: address })
  return z.NEVER
})

export const ValkeyUrl = z.string().transform((text, context): ValkeyAddress => {
  const address = readValkeyUrl(text)
  if (typeof address !== 'string') return address
  context.addIssue({ code: 'custom', message: address })
  return z.NEVER
})

/** A role as it stands in a login. */
export const VaultName = z.string().regex(/^[!-~]{1,256}$/, 'visible ASCII without spaces')

export const VaultMount = z
  .string()
  .regex(/^[A-Za-z0-9_-][A-Za-z0-9._-]*(\/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$/, 'a path such as approle')

/** OpenID Connect Discovery 1.0 section 3: compared byte for byte, so it is kept as written. */
export const IssuerUrl = z.string().transform((text, context): string => {
  if (isServerUrl(text)) return text
  context.addIssue({
    code: 'custom',
    message:
      'an https URL without query, such as https://id.example.com/realms/staff, without a link-local address; http is allowed only for the loopback',
  })
  return z.NEVER
})

/** RFC 6749 section 3.3. */
export const Scopes = z.string().transform((text, context): string => {
  const scopes = text.split(' ').filter((scope) => scope !== '')
  if (scopes.includes('openid') && scopes.every((scope) => /^[!#-[\]-~]+$/.test(scope)))
    return scopes.join(' ')
  context.addIssue({ code: 'custom', message: 'scopes separated by spaces, with openid among them' })
  return z.NEVER
})

/** True for the URL of a server that may be asked: https, or this machine, and nothing behind the path. */
function isServerUrl(text: string): boolean {
  const url = URL.parse(text)
  if (url === null || urlTextFault(text) !== null) return false
  if (url.search !== '' || url.hash !== '' || url.username !== '' || url.password !== '') return false
  return isSecureUrl(url) && !isRefusedHost(url.hostname)
}

function isNetwork(text: string): boolean {
  const match = /^([0-9A-Fa-f.:]+)(?:\/(0|[1-9][0-9]{0,2}))?$/.exec(text)
  const version = isIP(match?.[1] ?? '')
  // Peers of that form are compared as IPv4
  if (version === 6 && match?.[2] !== undefined && /ffff:/i.test(text)) return false
  return version !== 0 && Number(match?.[2] ?? 0) <= (version === 4 ? 32 : 128)
}

/** `host:port`, `:port`, `port`, `[::1]:port`; null for anything else. */
function parseListen(text: string): ListenAddress | null {
  const match = /^(?:(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]*)):)?([0-9]{1,5})$/.exec(text)
  if (match === null) return null
  const port = Number(match[3])
  if (port > 65_535) return null
  if (match[1] !== undefined && !URL.canParse(`http://[${match[1]}]`)) return null
  // A port alone keeps to the loopback; `:port` means every address, as people know it from other servers.
  const host = match[1] ?? match[2] ?? '127.0.0.1'
  return { host: host === '' ? '0.0.0.0' : host, port }
}
