import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { CannotStart } from './base/cannot-start.ts'
import { Secret } from './base/secret.ts'
import { RoleMap, type RoleRule } from './settings/role-map.ts'
import {
  CERTIFICATE_FIELDS,
  Environment,
  EnvPatterns,
  EXPOSABLE,
  Expose,
  type Exposed,
  FilePath,
  FilePaths,
  HTTP_ENGINES,
  type HttpEngine,
  IssuerUrl,
  Listen,
  type ListenAddress,
  Networks,
  Origin,
  Period,
  Scopes,
  Size,
  VaultUrl,
  WORKERS_MAX,
  Workers,
} from './settings/values.ts'

interface SettingText {
  /** Shown in the reference in place of the default where that depends on the machine. */
  readonly shown: string
  readonly text: string
}

const DAY_MS = 86_400_000

/** The settings of the process: what a person may set before there is anything else to ask. */
const SCHEMA = z.strictObject({
  DATA: FilePath.default('./.postern'),
  LISTEN: Listen.prefault('127.0.0.1:8080'),
  CONTROL_LISTEN: Listen.prefault('127.0.0.1:8081'),
  ORIGIN: Origin.prefault('http://localhost:8080'),
  ENV: Environment.optional(),
  WORKERS: Workers.prefault(() => String(Math.min(WORKERS_MAX, Math.max(1, availableParallelism())))),
  EXPOSE: Expose.prefault(EXPOSABLE.join(',')),
  KEY_FILE: FilePath.optional(),
  TLS_CERT: FilePaths.optional(),
  TLS_KEY: FilePaths.optional(),
  TLS_CLIENT_CA: FilePath.optional(),
  TRUSTED_PROXIES: Networks.optional(),
  CLIENT_CERT_FIELD: z
    .enum(['off', ...CERTIFICATE_FIELDS], '`off`, `client-cert` or `x-forwarded-client-cert`')
    .default('off'),
  PROXY_PROTOCOL: z.enum(['off', 'v2'], '`off` or `v2`').default('off'),
  SECRETS_ENV: EnvPatterns.prefault('SECRET_*'),
  SECRETS_DIR: FilePath.optional(),
  VAULT_URL: VaultUrl.optional(),
  VAULT_TOKEN_FILE: FilePath.optional(),
  RECORDS_KEEP: Period.prefault('30d'),
  RECORDS_MAX_SIZE: Size.prefault('10GB'),
  AUDIT_KEEP: Period.refine((ms) => ms >= DAY_MS, 'at least 1d').prefault('400d'),
  AUDIT_HOLD: z.enum(['off', 'on'], '`off` or `on`').default('off'),
  LOCAL_SIGN_IN: z.enum(['on', 'off'], '`on` or `off`').default('on'),
  CIMD: z.enum(['auto', 'on', 'off', 'pinned-only'], '`auto`, `on`, `off` or `pinned-only`').default('auto'),
  CIMD_PINS: FilePath.optional(),
  OIDC_ISSUER: IssuerUrl.optional(),
  OIDC_CLIENT_ID: z.string().min(1, 'the id of a client').optional(),
  OIDC_CLIENT_SECRET: z.string().min(1, 'a secret').optional(),
  OIDC_CLIENT_SECRET_FILE: FilePath.optional(),
  OIDC_SCOPES: Scopes.prefault('openid profile email'),
  OIDC_GROUPS_CLAIM: z.string().min(1, 'the name of a claim').default('groups'),
  OIDC_ROLE_MAP: RoleMap.optional(),
  OIDC_DIRECT: z.enum(['off', 'on', 'only'], '`off`, `on` or `only`').default('off'),
  OIDC_AUDIENCE: z.string().min(1, 'what stands in aud of access tokens').optional(),
  ROLE: z.literal('all', '`all`, the only one in this version').default('all'),
  HTTP_ENGINE: z.enum(HTTP_ENGINES, '`native` or `node`').default('native'),
})

export type SettingName = keyof typeof SCHEMA.shape

const TEXTS: Record<SettingName, SettingText> = {
  DATA: {
    shown: '`./.postern`',
    text: 'Directory of everything that is kept: configuration, audit, records, the key. One instance at a time.',
  },
  LISTEN: {
    shown: '`127.0.0.1:8080`',
    text: 'Address of the gateway: `host:port`, `[IPv6]:port`, `:port` for every address, `port` for the loopback. Port 0 takes a free one.',
  },
  CONTROL_LISTEN: {
    shown: '`127.0.0.1:8081`',
    text: 'Address of the control plane and of the health checks. Keep it inside.',
  },
  ORIGIN: {
    shown: '`http://localhost:8080`',
    text: 'How callers reach the gateway, for URLs in answers and metadata. Names of the loopback are equivalent.',
  },
  ENV: {
    shown: 'none',
    text: 'Name of the environment that this instance is, such as `production`. It stands in each audit entry and record.',
  },
  WORKERS: { shown: 'number of cores', text: `Gateway threads, 1 to ${WORKERS_MAX}.` },
  EXPOSE: {
    shown: `\`${EXPOSABLE.join(',')}\``,
    text: 'What the gateway listener hands to the control plane, comma-separated; empty hands over nothing.',
  },
  KEY_FILE: {
    shown: '`vault.key` in the data directory',
    text: 'File with the key that seals secrets. Made on first start, readable by its owner alone.',
  },
  TLS_CERT: {
    shown: 'none: plain HTTP',
    text: 'Certificate files (PEM, the chain after the certificate), comma-separated. The gateway listener then speaks TLS alone; the first certificate also answers names that none is for.',
  },
  TLS_KEY: {
    shown: 'none',
    text: 'Private key files (PEM), one for each certificate, in the same order.',
  },
  TLS_CLIENT_CA: {
    shown: 'none: no client certificate is asked for',
    text: 'File with the authorities (PEM) whose client certificates are asked for, for profiles of type mtls. Callers without a certificate are let in.',
  },
  TRUSTED_PROXIES: {
    shown: 'none',
    text: 'Addresses and networks of proxies in front, comma-separated. Only what they say of the caller is believed: `X-Forwarded-For` or `Forwarded`, `X-Forwarded-Proto`, `X-Request-ID`.',
  },
  CLIENT_CERT_FIELD: {
    shown: '`off`',
    text: '`client-cert` (RFC 9440) or `x-forwarded-client-cert` (Envoy): the field in which trusted proxies tell of the client certificates that they have verified, for profiles of type mtls. They must remove it from what callers send.',
  },
  PROXY_PROTOCOL: {
    shown: '`off`',
    text: '`v2`: connections from trusted proxies begin with a header of the PROXY protocol, version 2; one that begins otherwise is closed.',
  },
  SECRETS_ENV: {
    shown: '`SECRET_*`',
    text: 'Environment variables that credentials may refer to, comma-separated; `*` at the end stands for any rest.',
  },
  SECRETS_DIR: {
    shown: 'none',
    text: 'Directory of files that credentials may refer to. A changed file is in force a second later.',
  },
  VAULT_URL: {
    shown: 'none',
    text: 'HashiCorp Vault or OpenBao that credentials may refer to (KV version 2).',
  },
  VAULT_TOKEN_FILE: {
    shown: 'none',
    text: 'File with the token for it, read anew for each question; needed with `POSTERN_VAULT_URL`.',
  },
  RECORDS_KEEP: {
    shown: '`30d`',
    text: 'How long request records are kept: a number and `m`, `h` or `d`.',
  },
  RECORDS_MAX_SIZE: {
    shown: '`10GB`',
    text: 'What request records may take on disk: a number and `MB` or `GB`. The oldest make room.',
  },
  AUDIT_KEEP: {
    shown: '`400d`',
    text: 'How long audit entries are kept, at least a day. What is removed can be told from what somebody removed: [the audit trail](audit.md).',
  },
  AUDIT_HOLD: {
    shown: '`off`',
    text: '`on` is a legal hold: no audit entry is removed, however old.',
  },
  LOCAL_SIGN_IN: {
    shown: '`on`',
    text: 'Whether users sign in by passwords that are kept here. `off` leaves the identity provider; what local users hold already stays until it ends.',
  },
  CIMD: {
    shown: '`auto`',
    text: 'How OAuth clients are known that name themselves by the URL of a metadata document: `auto` takes the bundled documents of widespread clients and fetches others, `on` fetches all, `pinned-only` fetches none, `off` announces nothing, so that clients register.',
  },
  CIMD_PINS: {
    shown: 'none',
    text: 'Path of a JSON file with metadata documents of OAuth clients by their URL, read at start. They stand beside the bundled ones, and before them. See [OAuth](oauth.md).',
  },
  OIDC_ISSUER: {
    shown: 'none',
    text: 'The identity provider at which people sign in (OpenID Connect), exactly as it names itself; `https`, or the loopback. Its callback is `/oauth/callback` below the origin. See [identity](identity.md).',
  },
  OIDC_CLIENT_ID: { shown: 'none', text: 'As what the gateway is registered there.' },
  OIDC_CLIENT_SECRET: {
    shown: 'none',
    text: 'The secret that goes with it; without one the gateway is a public client.',
  },
  OIDC_CLIENT_SECRET_FILE: {
    shown: 'none',
    text: 'File with that secret, in the place of the setting before. A changed file is in force at most ten minutes later.',
  },
  OIDC_SCOPES: { shown: '`openid profile email`', text: 'What is asked for there, separated by spaces.' },
  OIDC_GROUPS_CLAIM: {
    shown: '`groups`',
    text: 'The claim with the groups of a person, by its name or its path with dots.',
  },
  OIDC_ROLE_MAP: {
    shown: 'none: people who sign in may do nothing until they are granted something',
    text: 'What people may do by their claims: rules separated by `;`, such as `group:platform=admin; group:devs=modifier:proxies@payments; *=viewer`. See [identity](identity.md#roles-from-claims).',
  },
  OIDC_DIRECT: {
    shown: '`off`',
    text: '`on`: management takes access tokens of the identity provider too, beside its own. `only`: it also names that provider alone to clients as the one that issues tokens. ID tokens are never taken.',
  },
  OIDC_AUDIENCE: {
    shown: 'the URL of the resource, such as `<origin>/management/mcp`',
    text: 'What must stand in `aud` of these access tokens; never the client id.',
  },
  ROLE: { shown: '`all`', text: 'What this process is. Only `all` is available in this version.' },
  HTTP_ENGINE: {
    shown: '`native`',
    text: 'The HTTP engine: `native`, or `node`, which reads with the parser of Node.js. `node` costs about three times the CPU, refuses to start with `POSTERN_TLS_CERT` and with `POSTERN_PROXY_PROTOCOL`, and ignores offers of WebSockets.',
  },
}

/** Names that are reserved for what is not built: set, they refuse start, so that nobody believes them in force. */
const NOT_AVAILABLE = {
  DATABASE_URL: 'PostgreSQL as the store',
  VALKEY_URL: 'counters shared by several machines',
  CONTROL_URL: 'gateway nodes without a control plane',
  NODE_TOKEN: 'gateway nodes without a control plane',
} as const

/** Environment names that belong to the command line client. */
const OF_THE_CLI = ['TOKEN', 'URL', 'CONTEXT', 'CONFIG'] as const

const PREFIX = 'POSTERN_'

export interface Settings {
  readonly data: string
  readonly listen: ListenAddress
  readonly controlListen: ListenAddress
  readonly origin: string
  /** False where the origin is the default: a start on another port may then correct it. */
  readonly originIsSet: boolean
  /** Name of the environment that this instance is. */
  readonly environment: string | null
  readonly workers: number
  readonly expose: readonly Exposed[]
  readonly httpEngine: HttpEngine
  /** How OAuth clients are known by the URL of a metadata document. */
  readonly cimd: 'auto' | 'on' | 'off' | 'pinned-only'
  /** Path of documents that stand beside the bundled ones; null for none. */
  readonly cimdPins: string | null
  /** Null keeps the key in the data directory. */
  readonly keyFile: string | null
  /** Files of the gateway listener, the default certificate first; empty for plain HTTP. */
  readonly tls: readonly TlsFiles[]
  /** Path of the authorities whose client certificates are asked for. */
  readonly clientAuthorities: string | null
  /** Networks whose forwarding headers are believed. */
  readonly trustedProxies: readonly string[]
  /** In which they tell of client certificates. */
  readonly certificateField: (typeof CERTIFICATE_FIELDS)[number] | null
  /** They begin connections with a header of the PROXY protocol. */
  readonly proxyProtocol: boolean
  readonly recordsKeepMs: number
  readonly recordsBytesMax: number
  readonly auditKeepMs: number
  /** Nothing of the audit trail is removed. */
  readonly auditHold: boolean
  /** Local users sign in by passwords. */
  readonly localSignIn: boolean
  /** The identity provider at which people sign in; null without one. */
  readonly oidc: OidcSettings | null
  /** Where credentials may have their secrets read. */
  readonly secrets: {
    readonly envAllow: readonly string[]
    readonly directory: string | null
    readonly vault: { readonly url: string; readonly tokenFile: string } | null
  }
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

export interface OidcSettings {
  readonly issuer: string
  readonly clientId: string
  readonly clientSecret: Secret | null
  /** In its place; read anew from time to time. */
  readonly clientSecretFile: string | null
  /** Separated by spaces. */
  readonly scopes: string
  readonly groupsClaim: string
  readonly roleMap: readonly RoleRule[]
  /** Whether management takes its access tokens, or null; `only` names it alone as the one that issues tokens. */
  readonly direct: 'on' | 'only' | null
  /** What must be in `aud` of these; null for the URL of the resource. */
  readonly audience: string | null
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
  const values: Record<string, string> = {}
  for (const [name, { text, source }] of given) {
    if (Object.hasOwn(NOT_AVAILABLE, name)) {
      const what = NOT_AVAILABLE[name as keyof typeof NOT_AVAILABLE]
      throw new CannotStart(`${source} is not available in this version (${what}). Remove it to start.`)
    }
    values[name] = text
  }
  const parsed = SCHEMA.safeParse(values)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!
    const name = String(issue.path[0])
    const source = given.get(name)?.source ?? PREFIX + name
    throw new CannotStart(`${source} is "${values[name]}", and must be ${issue.message}.`)
  }
  const { DATA, LISTEN, CONTROL_LISTEN, ORIGIN, WORKERS, EXPOSE, KEY_FILE, HTTP_ENGINE } = parsed.data
  const { TLS_CERT, TLS_KEY, TRUSTED_PROXIES, SECRETS_ENV, SECRETS_DIR, VAULT_URL, VAULT_TOKEN_FILE } =
    parsed.data
  const { RECORDS_KEEP, RECORDS_MAX_SIZE, AUDIT_KEEP, AUDIT_HOLD } = parsed.data
  const { TLS_CLIENT_CA, CLIENT_CERT_FIELD, PROXY_PROTOCOL } = parsed.data
  // As the person wrote it, or both ways of writing what is still to be set
  const named = (name: SettingName): string => given.get(name)?.source ?? settingName(name)
  if (TLS_CLIENT_CA !== undefined && TLS_CERT === undefined)
    throw new CannotStart(
      `${named('TLS_CLIENT_CA')} asks for client certificates in TLS, which needs ${named('TLS_CERT')} and ${named('TLS_KEY')}.`,
    )
  for (const name of ['CLIENT_CERT_FIELD', 'PROXY_PROTOCOL'] as const)
    if (parsed.data[name] !== 'off' && TRUSTED_PROXIES === undefined)
      throw new CannotStart(
        `${named(name)} is read from trusted proxies alone: set ${named('TRUSTED_PROXIES')} too.`,
      )
  if ((VAULT_URL === undefined) !== (VAULT_TOKEN_FILE === undefined))
    throw new CannotStart(
      `${named('VAULT_URL')} and ${named('VAULT_TOKEN_FILE')} are needed together: where the vault is, and a file with its token.`,
    )
  if (HTTP_ENGINE === 'node' && TLS_CERT !== undefined)
    throw new CannotStart(
      `${named('HTTP_ENGINE')} is "node", which speaks no TLS to callers, and ${named('TLS_CERT')} is set: remove one of the two.`,
    )
  if (HTTP_ENGINE === 'node' && PROXY_PROTOCOL === 'v2')
    throw new CannotStart(
      `${named('HTTP_ENGINE')} is "node", which reads no PROXY protocol, and ${named('PROXY_PROTOCOL')} is set: remove one of the two.`,
    )
  if ((TLS_CERT ?? []).length !== (TLS_KEY ?? []).length)
    throw new CannotStart(
      `${named('TLS_CERT')} names ${TLS_CERT?.length ?? 0} and ${named('TLS_KEY')} ${TLS_KEY?.length ?? 0} files; give one key for each certificate, in the same order.`,
    )
  if (parsed.data.CIMD === 'off' && parsed.data.CIMD_PINS !== undefined)
    throw new CannotStart(
      `${named('CIMD')} is "off", so that no client is known by a document, and ${named('CIMD_PINS')} is set: remove one of the two.`,
    )
  return {
    data: DATA,
    listen: LISTEN,
    controlListen: CONTROL_LISTEN,
    origin: ORIGIN,
    originIsSet: given.has('ORIGIN'),
    environment: parsed.data.ENV ?? null,
    workers: WORKERS,
    expose: EXPOSE,
    httpEngine: HTTP_ENGINE,
    cimd: parsed.data.CIMD,
    cimdPins: parsed.data.CIMD_PINS ?? null,
    keyFile: KEY_FILE ?? null,
    tls: (TLS_CERT ?? []).map((certificate, index) => ({ certificate, key: TLS_KEY![index]! })),
    clientAuthorities: TLS_CLIENT_CA ?? null,
    trustedProxies: TRUSTED_PROXIES ?? [],
    certificateField: CLIENT_CERT_FIELD === 'off' ? null : CLIENT_CERT_FIELD,
    proxyProtocol: PROXY_PROTOCOL === 'v2',
    recordsKeepMs: RECORDS_KEEP,
    recordsBytesMax: RECORDS_MAX_SIZE,
    auditKeepMs: AUDIT_KEEP,
    auditHold: AUDIT_HOLD === 'on',
    localSignIn: parsed.data.LOCAL_SIGN_IN === 'on',
    oidc: toOidc(parsed.data, named),
    secrets: {
      envAllow: SECRETS_ENV,
      directory: SECRETS_DIR ?? null,
      vault:
        VAULT_URL === undefined || VAULT_TOKEN_FILE === undefined
          ? null
          : { url: VAULT_URL, tokenFile: VAULT_TOKEN_FILE },
    },
    shown: shownOf(given),
  }
}

/** Names of settings that are secrets themselves, and not the files that hold them. */
const IS_SECRET = /(^|_)(SECRET|TOKEN|PASSWORD)$/

function shownOf(given: ReadonlyMap<string, Given>): Shown[] {
  return (Object.keys(TEXTS) as SettingName[]).map((name) => {
    const one = given.get(name)
    return {
      name: PREFIX + name,
      value: one === undefined || IS_SECRET.test(name) ? null : one.text,
      source: one === undefined ? 'default' : one.source.startsWith('-') ? 'flag' : 'environment',
      default: TEXTS[name].shown.replaceAll('`', ''),
    }
  })
}

const NEED_AN_ISSUER = [
  'OIDC_CLIENT_ID',
  'OIDC_CLIENT_SECRET',
  'OIDC_CLIENT_SECRET_FILE',
  'OIDC_ROLE_MAP',
  'OIDC_AUDIENCE',
] as const

function toOidc(given: z.output<typeof SCHEMA>, named: (name: SettingName) => string): OidcSettings | null {
  const { OIDC_ISSUER, OIDC_CLIENT_ID, OIDC_CLIENT_SECRET, OIDC_CLIENT_SECRET_FILE } = given
  if (OIDC_ISSUER === undefined) {
    for (const name of NEED_AN_ISSUER)
      if (given[name] !== undefined)
        throw new CannotStart(`${named(name)} is for an identity provider: set ${named('OIDC_ISSUER')} too.`)
    if (given.OIDC_DIRECT !== 'off')
      throw new CannotStart(`${named('OIDC_DIRECT')} needs ${named('OIDC_ISSUER')}: whose tokens are taken.`)
    return null
  }
  if (OIDC_CLIENT_ID === undefined)
    throw new CannotStart(
      `${named('OIDC_ISSUER')} needs ${named('OIDC_CLIENT_ID')}: as what the gateway is registered there.`,
    )
  if (given.OIDC_AUDIENCE === OIDC_CLIENT_ID)
    throw new CannotStart(
      `${named('OIDC_AUDIENCE')} and ${named('OIDC_CLIENT_ID')} are the same, so that ID tokens could not be told from access tokens: register the API there under a name of its own.`,
    )
  if (OIDC_CLIENT_SECRET !== undefined && OIDC_CLIENT_SECRET_FILE !== undefined)
    throw new CannotStart(
      `${named('OIDC_CLIENT_SECRET')} and ${named('OIDC_CLIENT_SECRET_FILE')} are both set: remove one of the two.`,
    )
  return {
    issuer: OIDC_ISSUER,
    clientId: OIDC_CLIENT_ID,
    clientSecret: OIDC_CLIENT_SECRET === undefined ? null : new Secret(OIDC_CLIENT_SECRET),
    clientSecretFile: OIDC_CLIENT_SECRET_FILE ?? null,
    scopes: given.OIDC_SCOPES,
    groupsClaim: given.OIDC_GROUPS_CLAIM,
    roleMap: given.OIDC_ROLE_MAP ?? [],
    direct: given.OIDC_DIRECT === 'off' ? null : given.OIDC_DIRECT,
    audience: given.OIDC_AUDIENCE ?? null,
  }
}

interface Given {
  readonly text: string
  /** As the person wrote it: `POSTERN_LISTEN` or `--listen`. */
  readonly source: string
}

function fromEnvironment(env: Readonly<Record<string, string | undefined>>): Map<string, Given> {
  const given = new Map<string, Given>()
  for (const [key, text] of Object.entries(env)) {
    if (!key.startsWith(PREFIX) || text === undefined) continue
    const name = key.slice(PREFIX.length)
    if (OF_THE_CLI.some((own) => own === name)) continue
    if (!isSetting(name)) {
      const known = [...settingNames(), ...OF_THE_CLI].map((other) => PREFIX + other)
      throw new CannotStart(`${key} is not a setting. ${suggest(key, known)}`)
    }
    // An empty variable is how compose files and shells leave something unset; only EXPOSE can mean it.
    if (text !== '' || name === 'EXPOSE') given.set(name, { text, source: key })
  }
  return given
}

function fromFlags(argv: readonly string[]): Map<string, Given> {
  const options = Object.fromEntries(
    settingNames().map((name) => [flagOf(name), { type: 'string' as const }]),
  )
  const { tokens } = parseArgs({ args: [...argv], options, strict: false, tokens: true })
  const given = new Map<string, Given>()
  for (const token of tokens) {
    if (token.kind === 'option-terminator') continue
    if (token.kind === 'positional')
      throw new CannotStart(`"${token.value}" is not understood: settings are flags such as --listen :8080.`)
    const name = settingNames().find((other) => flagOf(other) === token.name)
    const flag = token.rawName
    if (name === undefined) {
      const known = ['--help', ...settingNames().map((other) => `--${flagOf(other)}`)]
      throw new CannotStart(`${flag} is not a setting. ${suggest(flag, known)}`)
    }
    if (token.value === undefined) throw new CannotStart(`${flag} needs a value.`)
    if (given.has(name)) throw new CannotStart(`${flag} is given twice.`)
    given.set(name, { text: token.value, source: flag })
  }
  return given
}

function settingNames(): readonly string[] {
  return [...Object.keys(SCHEMA.shape), ...Object.keys(NOT_AVAILABLE)]
}

function isSetting(name: string): boolean {
  return Object.hasOwn(SCHEMA.shape, name) || Object.hasOwn(NOT_AVAILABLE, name)
}

/** The two ways to write a setting: `POSTERN_LISTEN (--listen)`. */
export function settingName(name: SettingName): string {
  return `${PREFIX}${name} (--${flagOf(name)})`
}

/** `CONTROL_LISTEN` is `control-listen` as a flag. */
function flagOf(name: string): string {
  return name.toLowerCase().replaceAll('_', '-')
}

function suggest(wrong: string, known: readonly string[]): string {
  const [nearest] = known
    .map((name) => ({ name, steps: distance(wrong, name) }))
    .sort((a, b) => a.steps - b.steps)
  if (nearest === undefined || nearest.steps > 4) return 'See docs/settings.md for those there are.'
  return `Did you mean ${nearest.name}?`
}

/** Levenshtein distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(change, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[b.length]!
}

/** One line per setting, for the help of `postern up`. */
export function settingsHelp(): string {
  const names = Object.keys(TEXTS) as SettingName[]
  const lines = names.map((name) => {
    const { shown, text } = TEXTS[name]
    return `  --${flagOf(name)} <value>\n      ${inTerminal(`${text} (default: ${shown})`)}`
  })
  return `Settings (flag, or ${PREFIX}<NAME> in the environment):\n${lines.join('\n')}\n`
}

/** Markdown of the reference page as text: a link leads to its page below docs. */
function inTerminal(text: string): string {
  return text.replaceAll('`', '').replace(/\[[^\]]*\]\(([^)#]*)[^)]*\)/g, 'docs/$1')
}

/** docs/settings.md. */
export function settingsReference(): string {
  const names = Object.keys(TEXTS) as SettingName[]
  const rows = names.map((name) => {
    const { shown, text } = TEXTS[name]
    return `| \`${PREFIX}${name}\` | \`--${flagOf(name)}\` | ${shown} | ${text} |`
  })
  const missing = Object.entries(NOT_AVAILABLE).map(([name, what]) => `| \`${PREFIX}${name}\` | ${what} |`)
  return `# Settings

What the process needs to know before it starts. Each is an environment variable or a flag of \`postern up\`; a flag
wins over the environment, the environment over the default. A name that is not in this list refuses start. An empty
variable counts as unset, except \`${PREFIX}EXPOSE\`. \`postern settings list\` shows what a running process was given, without
secrets, to who has the permission \`settings:read\`.

| variable | flag | default | meaning |
|---|---|---|---|
${rows.join('\n')}

The command line client reads four more: \`${PREFIX}URL\` (where it calls), \`${PREFIX}TOKEN\` (what it shows there),
\`${PREFIX}CONTEXT\` (the context that is meant) and \`${PREFIX}CONFIG\` (the file with the contexts): see [the command line](cli.md).

## Not available yet

These names are reserved. Setting one refuses start, so that nobody believes it to be in force.

| variable | for |
|---|---|
${missing.join('\n')}
`
}
