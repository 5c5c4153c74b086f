/**
 * Entities and plugins of Kong, and what each becomes: the conversion goes by these tables, and `npm run golden` prints them into the
 * documentation. A plugin that is not here closes what it protects.
 */

/** An entity of a declarative configuration, by its member. */
interface Entity {
  /** `read`: the conversion reads its parts. `left out`: it says nothing about who may call. */
  readonly is: 'read' | 'left out'
  /** What it becomes; or why it is left out, as the end of a sentence. */
  readonly here: string
}

const LEFT_TLS = 'TLS of the listener is a setting of Postern (POSTERN_TLS_CERT)'
const LEFT_CREDENTIAL = 'Postern cannot check it: issue a token for its consumer'
const LEFT_ADMIN = 'it concerns the administrators of Kong: use roles and grants of Postern'
const LEFT_PORTAL = 'it concerns the portal of Kong'

export const ENTITIES: Readonly<Record<string, Entity>> = {
  services: { is: 'read', here: 'collections, one for each path; without an http or https URL left out' },
  routes: { is: 'read', here: 'proxies; base path and hosts are of the collection' },
  upstreams: { is: 'read', here: 'targets of the collection' },
  targets: { is: 'read', here: 'targets with weights' },
  consumers: { is: 'read', here: 'clients with a profile of type token' },
  consumer_groups: {
    is: 'read',
    here: 'nothing; members of a group with plugins become inactive clients',
  },
  consumer_group_consumers: { is: 'read', here: 'as consumers of a consumer group' },
  consumer_group_plugins: { is: 'read', here: 'as plugins of a consumer group' },
  plugins: { is: 'read', here: 'see the table of plugins' },
  acls: { is: 'read', here: 'collections that the client may call, by the plugin acl' },
  keyauth_credentials: { is: 'read', here: 'tokens of the profile, by import-keys' },
  keyauth_enc_credentials: { is: 'read', here: `left out: ${LEFT_CREDENTIAL}` },
  basicauth_credentials: { is: 'read', here: `left out: ${LEFT_CREDENTIAL}` },
  hmacauth_credentials: { is: 'read', here: `left out: ${LEFT_CREDENTIAL}` },
  jwt_secrets: { is: 'read', here: `left out: ${LEFT_CREDENTIAL}, or make a profile of type jwt` },
  oauth2_credentials: { is: 'read', here: `left out: ${LEFT_CREDENTIAL}` },
  mtls_auth_credentials: { is: 'read', here: `left out: ${LEFT_CREDENTIAL}, or make a profile of type mtls` },
  oauth2_tokens: { is: 'left out', here: LEFT_CREDENTIAL },
  certificates: { is: 'left out', here: LEFT_TLS },
  ca_certificates: {
    is: 'left out',
    here: 'set authorities for callers in a profile of type mtls, and authorities for servers in the upstream (tls.ca)',
  },
  snis: { is: 'left out', here: LEFT_TLS },
  keys: { is: 'left out', here: 'no part that is carried over uses it' },
  key_sets: { is: 'left out', here: 'no part that is carried over uses it' },
  vaults: { is: 'left out', here: 'references such as {vault://…} are not read: see secrets of credentials' },
  partials: { is: 'left out', here: 'what a plugin with partials protects becomes a draft' },
  filter_chains: { is: 'left out', here: 'its service or route becomes a draft' },
  custom_entities: { is: 'left out', here: 'it belongs to a plugin that is not carried over' },
  degraphql_routes: { is: 'left out', here: 'it belongs to the plugin degraphql' },
  graphql_ratelimiting_cost_decorations: {
    is: 'left out',
    here: 'it belongs to the plugin graphql-rate-limiting-advanced',
  },
  licenses: { is: 'left out', here: 'Postern has no licence key' },
  event_hooks: { is: 'left out', here: LEFT_ADMIN },
  workspaces: { is: 'left out', here: LEFT_ADMIN },
  admins: { is: 'left out', here: LEFT_ADMIN },
  rbac_users: { is: 'left out', here: LEFT_ADMIN },
  rbac_roles: { is: 'left out', here: LEFT_ADMIN },
  rbac_role_entities: { is: 'left out', here: LEFT_ADMIN },
  rbac_role_endpoints: { is: 'left out', here: LEFT_ADMIN },
  developers: { is: 'left out', here: LEFT_PORTAL },
  document_objects: { is: 'left out', here: LEFT_PORTAL },
  files: { is: 'left out', here: LEFT_PORTAL },
}

/** Credentials of consumers, by the member that holds them. */
export const CREDENTIALS = [
  'keyauth_credentials',
  'keyauth_enc_credentials',
  'basicauth_credentials',
  'hmacauth_credentials',
  'jwt_secrets',
  'oauth2_credentials',
  'mtls_auth_credentials',
] as const

export type CredentialMember = (typeof CREDENTIALS)[number]

interface Plugin {
  /**
   * `read`: some options have a counterpart. `auth`: callers prove themselves by their profile instead. `observes`: it decides about no
   * request. `closes`: what it protects is a draft.
   */
  readonly is: 'read' | 'auth' | 'observes' | 'closes'
  /** Of `auth`: the member of consumers that holds what they prove themselves by. */
  readonly credentials?: CredentialMember
  readonly here?: string
}

const AUTH: Plugin = { is: 'auth' }
const OBSERVES: Plugin = { is: 'observes' }
const CLOSES: Plugin = { is: 'closes' }

function all<T extends string>(names: readonly T[], plugin: Plugin): Record<T, Plugin> {
  return Object.fromEntries(names.map((name) => [name, plugin])) as Record<T, Plugin>
}

export const PLUGINS: Readonly<Record<string, Plugin>> = {
  'key-auth': {
    is: 'auth',
    credentials: 'keyauth_credentials',
    here: 'key_places of the collection, for the names in key_names in headers and the query; keys go on working',
  },
  acl: { is: 'read', here: 'collections that each client may call' },
  'rate-limiting': { is: 'read', here: 'policy, if one counter counts the same calls' },
  'rate-limiting-advanced': {
    is: 'read',
    here: 'as rate-limiting, with sliding windows of at most 30 days',
  },
  cors: { is: 'read', here: 'cors of the collection; none if it cannot be expressed exactly' },
  'request-size-limiting': { is: 'read', here: 'max_body of the collection' },
  'ip-restriction': {
    is: 'read',
    here: 'with allow at a consumer: ip_allowlist of its profile; elsewhere a draft',
  },
  'key-auth-enc': { is: 'auth', credentials: 'keyauth_enc_credentials' },
  'basic-auth': { is: 'auth', credentials: 'basicauth_credentials' },
  'hmac-auth': { is: 'auth', credentials: 'hmacauth_credentials' },
  jwt: { is: 'auth', credentials: 'jwt_secrets' },
  oauth2: { is: 'auth', credentials: 'oauth2_credentials' },
  'mtls-auth': { is: 'auth', credentials: 'mtls_auth_credentials' },
  ...all(
    [
      'openid-connect',
      'oauth2-introspection',
      'ldap-auth',
      'ldap-auth-advanced',
      'header-cert-auth',
      'vault-auth',
      'saml',
    ],
    AUTH,
  ),
  ...all(
    [
      'acme',
      'correlation-id',
      'datadog',
      'file-log',
      'http-log',
      'kafka-log',
      'loggly',
      'opentelemetry',
      'prometheus',
      'proxy-cache',
      'proxy-cache-advanced',
      'statsd',
      'statsd-advanced',
      'syslog',
      'tcp-log',
      'udp-log',
      'zipkin',
    ],
    OBSERVES,
  ),
  ...all(
    [
      'ai-aws-guardrails',
      'ai-azure-content-safety',
      'ai-prompt-decorator',
      'ai-prompt-guard',
      'ai-prompt-template',
      'ai-proxy',
      'ai-proxy-advanced',
      'ai-rate-limiting-advanced',
      'ai-request-transformer',
      'ai-response-transformer',
      'ai-semantic-cache',
      'ai-semantic-prompt-guard',
      'aws-lambda',
      'azure-functions',
      'bot-detection',
      'canary',
      'datakit',
      'degraphql',
      'exit-transformer',
      'forward-proxy',
      'graphql-rate-limiting-advanced',
      'grpc-gateway',
      'grpc-web',
      'jq',
      'json-threat-protection',
      'jwt-signer',
      'mocking',
      'oas-validation',
      'opa',
      'post-function',
      'pre-function',
      'redirect',
      'request-callout',
      'request-termination',
      'request-transformer',
      'request-transformer-advanced',
      'request-validator',
      'response-ratelimiting',
      'response-transformer',
      'response-transformer-advanced',
      'route-by-header',
      'route-transformer-advanced',
      'service-protection',
      'session',
      'standard-webhooks',
      'upstream-oauth',
      'upstream-timeout',
      'websocket-size-limit',
      'websocket-validator',
      'xml-threat-protection',
    ],
    CLOSES,
  ),
}

/** A plugin of the table; undefined for one that is not known, which closes as well. */
export function pluginCalled(name: string): Plugin | undefined {
  return Object.hasOwn(PLUGINS, name) ? PLUGINS[name] : undefined
}

const BY_KIND: Readonly<Record<Plugin['is'], string>> = {
  read: '',
  auth: 'callers need the token of a profile',
  observes: 'left out: it does not decide about requests',
  closes: 'its route, its service or everything becomes a draft; at a consumer, the client is inactive',
}

/** The tables as Markdown, by name. */
export function counterpartTables(): Readonly<Record<'entities' | 'plugins', string>> {
  const entities = Object.entries(ENTITIES).map(
    ([name, { is, here }]) => `| \`${name}\` | ${is === 'left out' ? `left out: ${here}` : here} |`,
  )
  const groups = Map.groupBy(Object.entries(PLUGINS), ([, { is, here }]) => here ?? BY_KIND[is])
  const plugins = [...groups].map(
    ([here, members]) => `| ${members.map(([name]) => `\`${name}\``).join(', ')} | ${here} |`,
  )
  const head = (first: string): string => `| ${first} of Kong | in Postern |\n|---|---|\n`
  return {
    entities: head('entity') + entities.join('\n'),
    plugins: `${head('plugin')}${plugins.join('\n')}\n| any other | ${BY_KIND.closes} |`,
  }
}
