import type { z } from 'zod'
import type { Part } from './base/doors.ts'
import { isLoopbackHost } from './base/net/address.ts'
import { type DatabaseAddress, withoutPassword } from './base/net/database-url.ts'
import type { ValkeyAddress } from './base/net/valkey-url.ts'
import { CannotStart } from './base/refusal.ts'
import { fromEnvironment, fromFlags, type Given } from './settings/given.ts'
import { type OidcSettings, toOidc } from './settings/oidc.ts'
import type { RunnerSettings } from './settings/runner-place.ts'
import {
  NOT_AVAILABLE,
  PREFIX,
  SCHEMA,
  SETTING_NAMES,
  type SettingName,
  settingName,
  TEXTS,
} from './settings/schema.ts'
import type { CERTIFICATE_FIELDS, HttpEngine, ListenAddress } from './settings/values.ts'
import { toVault, type VaultSettings } from './settings/vault.ts'

export interface Settings {
  readonly data: string
  readonly listen: ListenAddress
  readonly controlListen: ListenAddress
  readonly origin: string
  /** Null where it follows from the address of the control listener. */
  readonly controlOrigin: string | null
  /** False where the origin is the default: a start on another port may then correct it. */
  readonly originIsSet: boolean
  /** Name of the environment that this instance is. */
  readonly environment: string | null
  readonly workers: number
  readonly expose: readonly Part[]
  readonly httpEngine: HttpEngine
  /** How OAuth clients are known by the URL of a metadata document. */
  readonly cimd: 'auto' | 'on' | 'off' | 'pinned-only'
  /** Path of documents that stand beside the bundled ones; null for none. */
  readonly cimdPins: string | null
  /** Null keeps the key in the data directory. */
  readonly keyFile: string | null
  /** Files of the gateway listener, the default certificate first; empty for plain HTTP. */
  readonly tls: readonly TlsFiles[]
  /** Likewise of the control listener. */
  readonly controlTls: readonly TlsFiles[]
  /** Path of the authorities whose client certificates are asked for. */
  readonly clientAuthorities: string | null
  /** Networks whose forwarding headers are believed. */
  readonly trustedProxies: readonly string[]
  /** In which they tell of client certificates. */
  readonly certificateField: (typeof CERTIFICATE_FIELDS)[number] | null
  /** They begin connections with a header of the PROXY protocol. */
  readonly proxyProtocol: boolean
  /** Origins of pages that may call MCP and management; null where none is set. */
  readonly corsOrigins: readonly string[] | null
  /** What discovered URLs may lead to beside public addresses. */
  readonly egressAllow: readonly string[]
  /** Connections of one source on each listener. */
  readonly connectionsPerSourceMax: number
  /** Its pending requests to the control plane without a valid access token, on each listener. */
  readonly pendingPerSourceMax: number
  /** The runner of stdio servers; null without one. */
  readonly runner: RunnerSettings | null
  readonly recordsKeepMs: number
  readonly recordsBytesMax: number
  /** The directory of files that sinks write; null: sinks write no files. */
  readonly sinkDirectory: string | null
  readonly auditKeepMs: number
  /** Nothing of the audit trail is removed. */
  readonly auditHold: boolean
  /** Local users sign in by passwords. */
  readonly localSignIn: boolean
  /** The first identity provider at which people sign in; null without one. */
  readonly oidc: OidcSettings | null
  /** Path of the file with further identity providers; null for none. */
  readonly oidcProvidersFile: string | null
  /** Where credentials may have their secrets read. */
  readonly secrets: {
    readonly envAllow: readonly string[]
    readonly directory: string | null
    readonly vault: VaultSettings | null
  }
  /** Where configuration, audit and records are; null for files in the data directory. */
  readonly database: DatabaseAddress | null
  /** The same database past a pooler; null where it is reached without one. */
  readonly databaseDirect: DatabaseAddress | null
  /** Where counters of limits are that nodes share; null where each node counts alone. */
  readonly valkey: ValkeyAddress | null
  /** After how long without contact to the database nothing is served, milliseconds; null for no bound. */
  readonly staleMaxMs: number | null
  /** All of them as they were given, for people. */
  readonly shown: readonly Shown[]
}

interface Shown {
  readonly name: string
  /** Null for the default, and for secrets. */
  readonly value: string | null
  readonly source: 'flag' | 'environment' | 'default'
  readonly default: string
}

/** Paths of a certificate with its chain, and of its key. */
export interface TlsFiles {
  readonly certificate: string
  readonly key: string
}

/**
 * Reads the settings: a flag wins over the environment, the environment over the default.
 * @param argv Flags of `postern up`, such as `['--listen', ':9000']` or `['--listen=:9000']`.
 * @throws CannotStart with one sentence that names the setting and the fix.
 */
export function readSettings(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Settings {
  const given = new Map([...fromEnvironment(env), ...fromFlags(argv)])
  for (const name of SERVER_URLS) {
    const url = given.get(name)
    if (url?.source.startsWith('-') === true && withoutPassword(url.text) !== url.text)
      throw new CannotStart(
        `${url.source} contains a password, which every user of this machine can see in the list of processes. Set ${PREFIX}${name} in the environment, or use the parameter password_file.`,
      )
  }
  const values = parse(given)
  // As the person wrote it, or both ways of writing what is still to be set
  const named: Named = (name) => given.get(name)?.source ?? settingName(name)
  const fault = faultTogether(values, named)
  if (fault !== null) throw new CannotStart(fault)
  return toSettings(values, given, named)
}

type Values = z.output<typeof SCHEMA>
/** How a setting is named to the person who starts it. */
type Named = (name: SettingName) => string

function parse(given: ReadonlyMap<string, Given>): Values {
  const texts: Record<string, string> = {}
  for (const [name, { text, source }] of given) {
    if (Object.hasOwn(NOT_AVAILABLE, name)) {
      const what = NOT_AVAILABLE[name as keyof typeof NOT_AVAILABLE]
      throw new CannotStart(`${source} is not available in this version (${what}). Remove it to start.`)
    }
    texts[name] = text
  }
  const parsed = SCHEMA.safeParse(texts)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]!
  const name = String(issue.path[0])
  const source = given.get(name)?.source ?? PREFIX + name
  throw new CannotStart(`${source} is "${shownText(texts[name] ?? '', name)}", and must be ${issue.message}.`)
}

/** What is wrong with settings that are each right, as a sentence; null for nothing. */
function faultTogether(values: Values, named: Named): string | null {
  const { TLS_CERT, TLS_CLIENT_CA, TRUSTED_PROXIES, HTTP_ENGINE, PROXY_PROTOCOL } = values
  if (TLS_CLIENT_CA !== undefined && TLS_CERT === undefined)
    return `${named('TLS_CLIENT_CA')} asks for client certificates in TLS, which needs ${named('TLS_CERT')} and ${named('TLS_KEY')}.`
  if (values.DATABASE_DIRECT_URL !== undefined && values.DATABASE_URL === undefined)
    return `${named('DATABASE_DIRECT_URL')} is the same database as ${named('DATABASE_URL')}, past a pooler: set both.`
  if (values.STALE_MAX !== undefined && values.DATABASE_URL === undefined)
    return `${named('STALE_MAX')} is about the contact to a database: set ${named('DATABASE_URL')} too.`
  for (const name of ['CLIENT_CERT_FIELD', 'PROXY_PROTOCOL'] as const)
    if (values[name] !== 'off' && TRUSTED_PROXIES === undefined)
      return `${named(name)} applies only to trusted proxies: set ${named('TRUSTED_PROXIES')} too.`
  if (HTTP_ENGINE === 'node' && TLS_CERT !== undefined)
    return `${named('HTTP_ENGINE')} is "node", which does not support TLS for callers, but ${named('TLS_CERT')} is set: remove one of the two.`
  if (HTTP_ENGINE === 'node' && PROXY_PROTOCOL === 'v2')
    return `${named('HTTP_ENGINE')} is "node", which does not support the PROXY protocol, but ${named('PROXY_PROTOCOL')} is set: remove one of the two.`
  if (HTTP_ENGINE === 'node' && values.CONTROL_TLS_CERT !== undefined)
    return `${named('HTTP_ENGINE')} is "node", which does not support TLS for callers, but ${named('CONTROL_TLS_CERT')} is set: remove one of the two.`
  for (const [certificate, key] of [
    ['TLS_CERT', 'TLS_KEY'],
    ['CONTROL_TLS_CERT', 'CONTROL_TLS_KEY'],
  ] as const) {
    const [certificates, keys] = [values[certificate]?.length ?? 0, values[key]?.length ?? 0]
    if (certificates !== keys)
      return `${named(certificate)} names ${certificates} and ${named(key)} ${keys} files; give one key for each certificate, in the same order.`
  }
  if (values.RUNNER === undefined && values.RUNNER_TOKEN_FILE !== undefined)
    return `${named('RUNNER_TOKEN_FILE')} is for a runner: set ${named('RUNNER')} too.`
  if (
    values.RUNNER !== undefined &&
    'host' in values.RUNNER.address &&
    values.RUNNER_TOKEN_FILE === undefined
  )
    return `${named('RUNNER')} is an address, at which the runner requires a token: set ${named('RUNNER_TOKEN_FILE')} too.`
  if (values.CIMD === 'off' && values.CIMD_PINS !== undefined)
    return `${named('CIMD')} is "off", so metadata documents are not used, but ${named('CIMD_PINS')} is set: remove one of the two.`
  return null
}

function toSettings(values: Values, given: ReadonlyMap<string, Given>, named: Named): Settings {
  const { CLIENT_CERT_FIELD } = values
  return {
    data: values.DATA,
    listen: values.LISTEN,
    controlListen: values.CONTROL_LISTEN,
    origin: values.ORIGIN,
    controlOrigin: values.CONTROL_ORIGIN ?? null,
    originIsSet: given.has('ORIGIN'),
    environment: values.ENV ?? null,
    workers: values.WORKERS,
    expose: values.EXPOSE ?? exposedBy(values.LISTEN),
    httpEngine: values.HTTP_ENGINE,
    cimd: values.CIMD,
    cimdPins: values.CIMD_PINS ?? null,
    keyFile: values.KEY_FILE ?? null,
    tls: filesOf(values.TLS_CERT, values.TLS_KEY),
    controlTls: filesOf(values.CONTROL_TLS_CERT, values.CONTROL_TLS_KEY),
    clientAuthorities: values.TLS_CLIENT_CA ?? null,
    trustedProxies: values.TRUSTED_PROXIES ?? [],
    certificateField: CLIENT_CERT_FIELD === 'off' ? null : CLIENT_CERT_FIELD,
    proxyProtocol: values.PROXY_PROTOCOL === 'v2',
    corsOrigins: values.CORS_ORIGINS ?? null,
    egressAllow: values.EGRESS_ALLOW ?? [],
    connectionsPerSourceMax: values.CONNECTIONS_PER_SOURCE_MAX,
    pendingPerSourceMax: values.PENDING_PER_SOURCE_MAX,
    runner:
      values.RUNNER === undefined
        ? null
        : { address: values.RUNNER, tokenFile: values.RUNNER_TOKEN_FILE ?? null },
    recordsKeepMs: values.RECORDS_KEEP,
    recordsBytesMax: values.RECORDS_MAX_SIZE,
    sinkDirectory: values.SINK_DIR ?? null,
    auditKeepMs: values.AUDIT_KEEP,
    auditHold: values.AUDIT_HOLD === 'on',
    localSignIn: values.LOCAL_SIGN_IN === 'on',
    oidc: toOidc(values, named),
    oidcProvidersFile: values.OIDC_PROVIDERS_FILE ?? null,
    secrets: {
      envAllow: values.SECRETS_ENV,
      directory: values.SECRETS_DIR ?? null,
      vault: toVault(values, named),
    },
    database: values.DATABASE_URL ?? null,
    databaseDirect: values.DATABASE_DIRECT_URL ?? null,
    valkey: values.VALKEY_URL ?? null,
    staleMaxMs: values.STALE_MAX ?? null,
    shown: shownOf(given),
  }
}

/** Certificates with the keys that stand at their places. */
function filesOf(certificates: readonly string[] = [], keys: readonly string[] = []): TlsFiles[] {
  return certificates.map((certificate, index) => ({ certificate, key: keys[index]! }))
}

/** Callers from elsewhere do not get management unless it is asked for. */
function exposedBy({ host }: ListenAddress): readonly Part[] {
  const open: readonly Part[] = ['oauth', 'registry', 'portal']
  return isLoopbackHost(host) ? ['management', ...open] : open
}

/** Settings whose value may hold a password beside what may be shown. */
const SERVER_URLS = ['DATABASE_URL', 'DATABASE_DIRECT_URL', 'VALKEY_URL'] as const

/** Names of settings that are secrets themselves, and not the files that hold them. */
const IS_SECRET = /(^|_)(SECRET|TOKEN|PASSWORD)$/

/** A setting as it may be shown. */
function shownText(text: string, name: string): string {
  return (SERVER_URLS as readonly string[]).includes(name)
    ? withoutPassword(text)
    : text.replace(/^([a-z]+:\/\/[^:@/?#]*):.*@/i, '$1:…@')
}

function shownOf(given: ReadonlyMap<string, Given>): Shown[] {
  return SETTING_NAMES.map((name) => {
    const one = given.get(name)
    return {
      name: PREFIX + name,
      value: one === undefined || IS_SECRET.test(name) ? null : shownText(one.text, name),
      source: one === undefined ? 'default' : one.source.startsWith('-') ? 'flag' : 'environment',
      default: TEXTS[name].shown.replaceAll('`', ''),
    }
  })
}
