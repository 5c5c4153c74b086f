import { availableParallelism } from 'node:os'
import { z } from 'zod'
import { PARTS } from '../base/doors.ts'
import {
  Audience,
  CERTIFICATE_FIELDS,
  ClaimName,
  ClientAuth,
  ClientId,
  Count,
  DatabaseUrl,
  DEFAULT_GROUPS_CLAIM,
  DEFAULT_SCOPES,
  Direct,
  EgressList,
  Environment,
  EnvPatterns,
  Expose,
  FilePath,
  FilePaths,
  HTTP_ENGINES,
  IssuerUrl,
  Listen,
  Networks,
  Origin,
  OriginList,
  Period,
  Runner,
  Scopes,
  Size,
  Staleness,
  ValkeyUrl,
  VaultMount,
  VaultName,
  VaultUrl,
  WORKERS_MAX,
  Workers,
} from './values.ts'

interface SettingText {
  /** Shown in the reference in place of the default where that depends on the machine. */
  readonly shown: string
  readonly text: string
}

const DAY_MS = 86_400_000

/** Where Kubernetes puts the token of the service account of a pod. */
export const POD_TOKEN_FILE = '/var/run/secrets/kubernetes.io/serviceaccount/token'

const RULES_MAX = 200

/**
 * `rule; rule; …`, each `claim:value=grant` or `*=grant`. The value goes from the first colon to the last `=`, so that it
 * may hold both, as the names of a directory do: `group:cn=devs,dc=example=modifier:proxies@payments`.
 */
export const RoleMap = z.string().transform((text, context): readonly RoleRule[] => {
  const rules: RoleRule[] = []
  for (const part of text.split(';').map((one) => one.trim())) {
    // After the last semicolon, or between two lines
    if (part === '') continue
    const rule = readRule(part)
    if (rule === null || rules.length === RULES_MAX) {
      context.addIssue({
        code: 'custom',
        message: `at most ${RULES_MAX} rules separated by semicolons, each claim:value=grant or *=grant, such as group:platform=admin; "${part}" is not one`,
      })
      return z.NEVER
    }
    rules.push(rule)
  }
  return rules
})

/** The settings of the process: what a person may set before there is anything else to ask. */
export const SCHEMA = z.strictObject({
  DATA: FilePath.default('./.postern'),
  LISTEN: Listen.prefault('127.0.0.1:8080'),
  CONTROL_LISTEN: Listen.prefault('127.0.0.1:8081'),
  ORIGIN: Origin.prefault('http://localhost:8080'),
  ENV: Environment.optional(),
  WORKERS: Workers.prefault(() => String(Math.min(WORKERS_MAX, Math.max(1, availableParallelism())))),
  EXPOSE: Expose.optional(),
  KEY_FILE: FilePath.optional(),
  CONTROL_ORIGIN: Origin.optional(),
  TLS_CERT: FilePaths.optional(),
  TLS_KEY: FilePaths.optional(),
  TLS_CLIENT_CA: FilePath.optional(),
  CONTROL_TLS_CERT: FilePaths.optional(),
  CONTROL_TLS_KEY: FilePaths.optional(),
  TRUSTED_PROXIES: Networks.optional(),
  CLIENT_CERT_FIELD: z
    .enum(['off', ...CERTIFICATE_FIELDS], '`off`, `client-cert` or `x-forwarded-client-cert`')
    .default('off'),
  PROXY_PROTOCOL: z.enum(['off', 'v2'], '`off` or `v2`').default('off'),
  CORS_ORIGINS: OriginList.optional(),
  EGRESS_ALLOW: EgressList.optional(),
  CONNECTIONS_PER_SOURCE_MAX: Count.prefault('1000'),
  PENDING_PER_SOURCE_MAX: Count.prefault('64'),
  SECRETS_ENV: EnvPatterns.prefault('SECRET_*'),
  SECRETS_DIR: FilePath.optional(),
  VAULT_URL: VaultUrl.optional(),
  VAULT_TOKEN_FILE: FilePath.optional(),
  VAULT_ROLE_ID: VaultName.optional(),
  VAULT_SECRET_ID_FILE: FilePath.optional(),
  VAULT_KUBERNETES_ROLE: VaultName.optional(),
  VAULT_KUBERNETES_TOKEN_FILE: FilePath.optional(),
  VAULT_AUTH_MOUNT: VaultMount.optional(),
  RUNNER: Runner.optional(),
  RUNNER_TOKEN_FILE: FilePath.optional(),
  RECORDS_KEEP: Period.prefault('30d'),
  RECORDS_MAX_SIZE: Size.prefault('10GB'),
  SINK_DIR: FilePath.optional(),
  AUDIT_KEEP: Period.refine((ms) => ms >= DAY_MS, 'at least 1d').prefault('400d'),
  AUDIT_HOLD: z.enum(['off', 'on'], '`off` or `on`').default('off'),
  LOCAL_SIGN_IN: z.enum(['on', 'off'], '`on` or `off`').default('on'),
  CIMD: z.enum(['auto', 'on', 'off', 'pinned-only'], '`auto`, `on`, `off` or `pinned-only`').default('auto'),
  CIMD_PINS: FilePath.optional(),
  OIDC_ISSUER: IssuerUrl.optional(),
  OIDC_CLIENT_ID: ClientId.optional(),
  OIDC_CLIENT_SECRET: z.string().min(1, 'a secret').optional(),
  OIDC_CLIENT_SECRET_FILE: FilePath.optional(),
  OIDC_CLIENT_KEY_FILE: FilePath.optional(),
  OIDC_CLIENT_AUTH: ClientAuth.default('auto'),
  OIDC_SCOPES: Scopes.prefault(DEFAULT_SCOPES),
  OIDC_GROUPS_CLAIM: ClaimName.default(DEFAULT_GROUPS_CLAIM),
  OIDC_ROLE_MAP: RoleMap.optional(),
  OIDC_DIRECT: Direct.default('off'),
  OIDC_AUDIENCE: Audience.optional(),
  OIDC_PROVIDERS_FILE: FilePath.optional(),
  DATABASE_URL: DatabaseUrl.optional(),
  DATABASE_DIRECT_URL: DatabaseUrl.optional(),
  VALKEY_URL: ValkeyUrl.optional(),
  STALE_MAX: Staleness.optional(),
  ROLE: z.literal('all', '`all`, the only one in this version').default('all'),
  HTTP_ENGINE: z.enum(HTTP_ENGINES, '`native` or `node`').default('native'),
})

export type SettingName = keyof typeof SCHEMA.shape

export const TEXTS: Record<SettingName, SettingText> = {
  DATA: {
    shown: '`./.postern`',
    text: 'Data directory: configuration, audit log, records, key. Only one instance at a time can use it.',
  },
  LISTEN: {
    shown: '`127.0.0.1:8080`',
    text: 'Address of the gateway listener: `host:port`, `[IPv6]:port`, `:port` for every address, `port` for the loopback. Port 0 selects a free port.',
  },
  CONTROL_LISTEN: {
    shown: '`127.0.0.1:8081`',
    text: 'Address of the control listener, with management and health checks. Keep it on an internal network.',
  },
  CONTROL_ORIGIN: {
    shown: 'scheme, host and port of `POSTERN_CONTROL_LISTEN`',
    text: 'URL at which callers reach the control listener, for URLs in responses and metadata. Names of the loopback are equivalent.',
  },
  ORIGIN: {
    shown: '`http://localhost:8080`',
    text: 'URL at which callers reach the gateway listener, for URLs in responses and metadata. Names of the loopback are equivalent.',
  },
  ENV: {
    shown: 'none',
    text: 'Name of the environment of this instance, such as `production`. Each audit entry and record has it.',
  },
  WORKERS: { shown: 'number of cores', text: `Gateway threads, 1 to ${WORKERS_MAX}.` },
  EXPOSE: {
    shown:
      '`management,oauth,registry,portal` if `POSTERN_LISTEN` is a loopback address, else `oauth,registry,portal`',
    text: `Parts of the control plane that the gateway listener serves, comma-separated: ${PARTS.map((name) => `\`${name}\``).join(', ')}. An empty value serves none. The control listener serves all of them. \`/connect\` and the metadata at \`/.well-known\` belong to \`oauth\`. See [listeners](listeners.md).`,
  },
  KEY_FILE: {
    shown: '`vault.key` in the data directory',
    text: 'File with the key that encrypts secrets. The first start creates it, readable only by its owner.',
  },
  TLS_CERT: {
    shown: 'none: plain HTTP',
    text: 'Certificate files (PEM, the chain after the certificate), comma-separated. The gateway listener then accepts only TLS. The first certificate is used for unknown names.',
  },
  TLS_KEY: {
    shown: 'none',
    text: 'Private key files (PEM), one for each certificate, in the same order.',
  },
  TLS_CLIENT_CA: {
    shown: 'none: no client certificate is requested',
    text: 'File with the authorities (PEM) whose client certificates are requested, for profiles of type mtls. Callers without a certificate are accepted.',
  },
  CONTROL_TLS_CERT: {
    shown: 'none: plain HTTP',
    text: 'Certificate files of the control listener, in the form of `POSTERN_TLS_CERT`. The control listener then accepts only TLS.',
  },
  CONTROL_TLS_KEY: {
    shown: 'none',
    text: 'Private key files of the control listener (PEM), one for each certificate, in the same order.',
  },
  TRUSTED_PROXIES: {
    shown: 'none',
    text: 'Addresses and networks of proxies in front, comma-separated. Only these may set `X-Forwarded-For` or `Forwarded`, `X-Forwarded-Proto` and `X-Request-ID`.',
  },
  CLIENT_CERT_FIELD: {
    shown: '`off`',
    text: '`client-cert` (RFC 9440) or `x-forwarded-client-cert` (Envoy): header in which trusted proxies forward verified client certificates, for profiles of type mtls. The proxies must remove it from incoming requests.',
  },
  PROXY_PROTOCOL: {
    shown: '`off`',
    text: '`v2`: connections from trusted proxies must begin with a header of the PROXY protocol, version 2. Others are closed.',
  },
  CORS_ORIGINS: {
    shown: 'none: pages of the loopback may call `/mcp`, and no page of another origin may call management',
    text: 'Origins of web pages that may call `/mcp`, `/management` and `/api/v1/mcp`, comma-separated, such as `https://app.example.com`. The `Origin` check and CORS use this one list. Own origins are always allowed. Requests with cookies are not allowed. See [CORS](cors.md#mcp-and-management).',
  },
  EGRESS_ALLOW: {
    shown: 'none: discovered URLs must lead to public addresses',
    text: 'Private addresses that URLs from discovery documents and client metadata may lead to, comma-separated: host names, `*.` and a domain, addresses and networks, each with or without a port, such as `keys.internal:8443`, `*.corp.example.com`, `10.1.0.0/16` or `[fd00::1]:443`. URLs in the configuration and in settings need no entry. Link-local addresses and the control listener are always refused. See [outgoing requests](egress.md).',
  },
  CONNECTIONS_PER_SOURCE_MAX: {
    shown: '`1000`',
    text: 'Open connections of one source on each listener, over all gateway threads, 1 to 1000000. Further connections are closed at once. A source is an IPv4 address or an IPv6 /64; with `POSTERN_PROXY_PROTOCOL` it is the address that the proxy reports. Connections of trusted proxies are not limited.',
  },
  PENDING_PER_SOURCE_MAX: {
    shown: '`64`',
    text: 'Requests of one source to the control plane (`/oauth`, `/.well-known`, `/management`) without a valid access token that may be pending on each listener, over all gateway threads, 1 to 1000000. Further requests get 429 `concurrency_exceeded`. Behind trusted proxies, the source is the address that they report. Each HTTP/2 stream counts.',
  },
  SECRETS_ENV: {
    shown: '`SECRET_*`',
    text: 'Environment variables that credentials may refer to, comma-separated; `*` at the end matches any rest.',
  },
  SECRETS_DIR: {
    shown: 'none',
    text: 'Directory of files that credentials may refer to. A changed file is used after one second.',
  },
  VAULT_URL: {
    shown: 'none',
    text: 'HashiCorp Vault or OpenBao that credentials may refer to (KV version 2).',
  },
  VAULT_TOKEN_FILE: {
    shown: 'none',
    text: 'File with the token for the vault, read for each request. With `POSTERN_VAULT_URL`, set exactly one of `POSTERN_VAULT_TOKEN_FILE`, `POSTERN_VAULT_ROLE_ID` and `POSTERN_VAULT_KUBERNETES_ROLE`.',
  },
  VAULT_ROLE_ID: {
    shown: 'none',
    text: 'Role id for a login by AppRole. Requires `POSTERN_VAULT_SECRET_ID_FILE`.',
  },
  VAULT_SECRET_ID_FILE: {
    shown: 'none',
    text: 'File with the secret id for this login, read for each login.',
  },
  VAULT_KUBERNETES_ROLE: {
    shown: 'none',
    text: 'Role for a login by Kubernetes, as the service account of the pod.',
  },
  VAULT_KUBERNETES_TOKEN_FILE: {
    shown: `\`${POD_TOKEN_FILE}\``,
    text: 'File with the token of the service account, read for each login.',
  },
  VAULT_AUTH_MOUNT: {
    shown: '`approle`, `kubernetes`',
    text: 'Mount of the login method, without `auth/`.',
  },
  RUNNER: {
    shown: 'none: origins of kind stdio are refused',
    text: 'Address of `postern runner`: `unix:` and the path of its socket, such as `unix:/run/postern/runner.sock`, or an address, such as `http://127.0.0.1:7800`. Origins of kind `stdio` name its entries. See [the runner](runner.md#with-postern).',
  },
  RUNNER_TOKEN_FILE: {
    shown: 'none',
    text: 'File with the token for the runner, read at start. Required if `POSTERN_RUNNER` is an address.',
  },
  RECORDS_KEEP: {
    shown: '`30d`',
    text: 'How long request records are kept: a number and `m`, `h` or `d`.',
  },
  RECORDS_MAX_SIZE: {
    shown: '`10GB`',
    text: 'Maximum size of request records on disk: a number and `MB` or `GB`. Beyond that, the oldest records are deleted.',
  },
  SINK_DIR: {
    shown: 'none',
    text: 'Directory in which [sinks](sinks.md) of the type `file` write. Without it, such sinks are refused.',
  },
  AUDIT_KEEP: {
    shown: '`400d`',
    text: 'How long audit entries are kept, at least a day. See [retention](audit.md#retention).',
  },
  AUDIT_HOLD: {
    shown: '`off`',
    text: '`on` is a legal hold: no audit entry is removed, whatever its age.',
  },
  LOCAL_SIGN_IN: {
    shown: '`on`',
    text: 'Whether users can sign in with passwords that Postern stores. `off`: only the identity provider. Existing sessions and tokens of local users stay valid until they expire.',
  },
  CIMD: {
    shown: '`auto`',
    text: 'OAuth clients that identify themselves by the URL of a metadata document: `auto` uses the included documents of widespread clients and fetches others, `on` fetches all, `pinned-only` fetches none, `off` does not announce support, so that clients register.',
  },
  CIMD_PINS: {
    shown: 'none',
    text: 'Path of a JSON file with metadata documents of OAuth clients by their URL, read at start. They are used in addition to the included ones, and take precedence. See [OAuth](oauth.md).',
  },
  OIDC_ISSUER: {
    shown: 'none',
    text: 'Issuer URL of the identity provider at which people sign in (OpenID Connect), exactly as the provider writes it; `https`, or the loopback. Its callback is `/oauth/callback` below the origin. See [identity](identity.md).',
  },
  OIDC_CLIENT_ID: {
    shown: 'none',
    text: 'The OAuth client ID under which the gateway is registered with the identity provider.',
  },
  OIDC_CLIENT_SECRET: {
    shown: 'none',
    text: 'Client secret. Without a secret or key, the gateway is a public client.',
  },
  OIDC_CLIENT_SECRET_FILE: {
    shown: 'none',
    text: 'File with the client secret, instead of `POSTERN_OIDC_CLIENT_SECRET`. A changed file is used after at most ten minutes.',
  },
  OIDC_CLIENT_KEY_FILE: {
    shown: 'none',
    text: 'File with the private key of the gateway as a client, for `private_key_jwt`: PEM, or a JWK whose `kid` is sent. RSA, P-256, P-384 or Ed25519.',
  },
  OIDC_CLIENT_AUTH: {
    shown: '`auto`',
    text: 'How the gateway authenticates at the token endpoint of the identity provider: `client_secret_basic` (form-encoded, RFC 6749 section 2.3.1), `client_secret_basic_raw` (not encoded, for providers that do not decode), `client_secret_post`, `private_key_jwt` or `none`. `auto` selects a method by the secret or key and the metadata of the provider. `postern doctor --network` tests it. See [identity](identity.md#client-authentication).',
  },
  OIDC_SCOPES: { shown: '`openid profile email`', text: 'Requested scopes, separated by spaces.' },
  OIDC_GROUPS_CLAIM: {
    shown: '`groups`',
    text: 'Claim with the groups of a person: its name, or its path with dots.',
  },
  OIDC_ROLE_MAP: {
    shown: 'none: people who sign in may do nothing until they get a grant',
    text: 'Grants by claims: rules separated by `;`, such as `group:platform=admin; group:devs=modifier:proxies@payments; *=viewer`. See [identity](identity.md#roles-from-claims).',
  },
  OIDC_DIRECT: {
    shown: '`off`',
    text: '`on`: management also accepts access tokens of the identity provider. `only`: in addition, the metadata names only the provider as issuer of tokens. ID tokens are never accepted.',
  },
  OIDC_AUDIENCE: {
    shown: 'the URL of the resource, such as `<origin>/management/mcp`',
    text: 'Required value in `aud` of these access tokens; never the client id.',
  },
  OIDC_PROVIDERS_FILE: {
    shown: 'none',
    text: 'YAML or JSON file with further identity providers, read at start. Each has its own callback `/oauth/callback/{slug}` below the origin. See [several providers](identity.md#several-providers).',
  },
  DATABASE_URL: {
    shown: 'none: files in the data directory',
    text: 'PostgreSQL database for configuration, audit log and records: `postgres://user@host:5432/database`. Parameters: `sslmode` (`disable`, `require`, `verify-ca`, `verify-full`; without it `verify-full`, or `disable` on the loopback), `sslrootcert` (PEM file), `password_file`, `host` (directory of a Unix socket). As a flag it must not contain a password. See [PostgreSQL](postgresql.md).',
  },
  DATABASE_DIRECT_URL: {
    shown: 'the value of `POSTERN_DATABASE_URL`',
    text: 'The same database past a connection pooler, such as PgBouncer in transaction mode. Nodes wait there for notices of changes. Without notices, a change reaches the other nodes within about a second, and its response is usually `pending`. See [several nodes](several-nodes.md).',
  },
  VALKEY_URL: {
    shown: 'none: each node enforces its part of each limit',
    text: 'Valkey or Redis for limits that hold over all nodes: `redis://user@host:6379`, or `rediss://` for TLS with a verified certificate. List a primary with its replicas, or servers of a cluster: `redis://user@a:6379,b:6379`. Parameters: `password_file`, `sslrootcert` (PEM file), `insecure=allow` (a server on the network without a password). As a flag it must not contain a password. See [several nodes](several-nodes.md#valkey).',
  },
  STALE_MAX: {
    shown: 'none: the last known configuration is served without limit',
    text: 'With `POSTERN_DATABASE_URL`: a node that has heard nothing of the database for so long refuses every request with 503 `not_ready`, because something may have been revoked that it does not know, 10s to 30d. A node that starts without its database serves nothing. See [several nodes](several-nodes.md).',
  },
  ROLE: { shown: '`all`', text: 'Role of this process. Only `all` is available in this version.' },
  HTTP_ENGINE: {
    shown: '`native`',
    text: 'HTTP engine: `native`, or `node`, which uses the parser of Node.js. `node` needs about three times the CPU, refuses to start with `POSTERN_TLS_CERT` and with `POSTERN_PROXY_PROTOCOL`, and ignores WebSocket upgrades.',
  },
}

/** In the order in which they are shown. */
export const SETTING_NAMES: readonly SettingName[] =
  // The type of the table says that it has these and no others.
  Object.keys(TEXTS) as SettingName[]

/** Names that are reserved for what is not built: set, they refuse start, so that nobody believes them in force. */
export const NOT_AVAILABLE = {
  CONTROL_URL: 'gateway nodes without a control plane',
  NODE_TOKEN: 'gateway nodes without a control plane',
} as const

/** Environment names that belong to the command line client. */
export const OF_THE_CLI = ['TOKEN', 'URL', 'CONTEXT', 'CONFIG'] as const

export const PREFIX = 'POSTERN_'

/** The two ways to write a setting: `POSTERN_LISTEN (--listen)`. */
export function settingName(name: SettingName): string {
  return `${PREFIX}${name} (--${flagOf(name)})`
}

/** `CONTROL_LISTEN` is `control-listen` as a flag. */
export function flagOf(name: string): string {
  return name.toLowerCase().replaceAll('_', '-')
}

/** What people with a claim may do. */
export interface RoleRule {
  /** `*` is everybody who signs in, `group` the claim that holds the groups, any other the name of a claim. */
  readonly claim: string
  /** What the claim must be or hold; null for everybody. */
  readonly value: string | null
  /** A grant in its compact form. */
  readonly grant: string
}

function readRule(text: string): RoleRule | null {
  const end = text.lastIndexOf('=')
  const who = text.slice(0, Math.max(0, end)).trim()
  const grant = text.slice(end + 1).trim()
  if (who === '' || grant === '') return null
  if (who === '*') return { claim: '*', value: null, grant }
  const colon = who.indexOf(':')
  const claim = who.slice(0, Math.max(0, colon)).trim()
  const value = who.slice(colon + 1).trim()
  return claim === '' || claim === '*' || value === '' ? null : { claim, value, grant }
}
