import type { Plain } from '../../src/base/json/storable.ts'

/** A call of the consumer with its key in `apikey`, below the path of the case. */
interface KongCall {
  readonly path?: string
  /** `KEY` stands for the key; an empty value leaves the header out. */
  readonly headers?: Readonly<Record<string, string>>
  readonly method?: string
  readonly status: number
  /** What the upstream saw. */
  readonly seen?: RegExp
  /** Headers of the response. */
  readonly answered?: Readonly<Record<string, string>>
}

/**
 * One option of Kong in a file of its own: a service at `/ID` with the plugin key-auth, and a consumer with a key. `ID`, `KEY`,
 * `UPSTREAM` and `"PORT"` are filled in.
 */
export interface KongCase {
  readonly name: string
  readonly service?: Plain
  readonly route?: Plain
  readonly consumer?: Plain
  readonly plugins?: readonly Plain[]
  readonly more?: Plain
  /** Rows of the report, as `RESULT PART NAME: REASON`. */
  readonly named?: RegExp | readonly RegExp[]
  readonly calls: readonly KongCall[]
}

const KEYED = { name: 'key-auth' }
const keyAuth = (config: Plain): readonly Plain[] => [{ name: 'key-auth', config }]
const beside = (...plugins: readonly Plain[]): readonly Plain[] => [KEYED, ...plugins]
const OPEN: readonly KongCall[] = [{ status: 200 }]
const CLOSED: readonly KongCall[] = [{ status: 404 }]
/** Without credentials, or with others, nobody passes. */
const REFUSED: readonly KongCall[] = [
  { status: 401, headers: { apikey: 'another-key-of-nobody' } },
  { status: 401, headers: { apikey: '' } },
]

/** Options with a counterpart. */
const CARRIED: readonly KongCase[] = [
  {
    name: 'key-auth with its defaults: header and query',
    calls: [
      ...OPEN,
      ...REFUSED,
      { path: '/x?a=1&apikey=KEY', headers: { apikey: '' }, status: 200, seen: /\/x\?a=1"/ },
    ],
  },
  {
    name: 'key-auth as a dump writes it, with every default',
    plugins: keyAuth({
      anonymous: null,
      hide_credentials: false,
      key_in_body: false,
      key_in_header: true,
      key_in_query: true,
      key_names: ['apikey'],
      realm: null,
      run_on_preflight: true,
    }),
    calls: [...OPEN, ...REFUSED],
  },
  {
    name: 'key_names',
    plugins: keyAuth({ key_names: ['X-Acme-Key', 'token'] }),
    calls: [
      { status: 200, headers: { apikey: '', 'x-acme-key': 'KEY' } },
      { status: 200, path: '?token=KEY', headers: { apikey: '' } },
      { status: 401 },
    ],
  },
  {
    name: 'key_in_query false',
    plugins: keyAuth({ key_in_query: false }),
    calls: [...OPEN, { status: 401, path: '?apikey=KEY', headers: { apikey: '' } }],
  },
  {
    name: 'key_in_header false',
    plugins: keyAuth({ key_in_header: false }),
    calls: [{ status: 401 }, { status: 200, path: '?apikey=KEY', headers: { apikey: '' } }],
  },
  {
    name: 'hide_credentials',
    plugins: keyAuth({ hide_credentials: true }),
    calls: [{ status: 200, seen: /^(?!.*apikey)/ }],
  },
  {
    name: 'key-auth of all services',
    plugins: [],
    more: { plugins: [KEYED] },
    calls: [...OPEN, ...REFUSED],
  },
  {
    name: 'key-auth of the route',
    plugins: [],
    route: { plugins: [KEYED] },
    calls: [...OPEN, ...REFUSED],
  },
  {
    name: 'key-auth at the top with the name of its service, and the key at the top with the name of its consumer',
    plugins: [],
    consumer: { keyauth_credentials: [] },
    more: {
      plugins: [{ name: 'key-auth', service: 'ID' }],
      keyauth_credentials: [{ consumer: { username: 'ID' }, key: 'KEY' }],
    },
    calls: [...OPEN, ...REFUSED],
  },
  {
    name: 'protocol, host, port and path of the service',
    service: { url: undefined, protocol: 'http', host: '127.0.0.1', port: 'PORT', path: '/base' },
    calls: [{ status: 200, path: '/x', seen: /"\/base\/x"/ }],
  },
  {
    name: 'timeouts and retries of the service',
    service: { connect_timeout: 2000, read_timeout: 9000, retries: 2 },
    calls: OPEN,
  },
  {
    name: 'write_timeout',
    service: { write_timeout: 9000 },
    named: /write_timeout is left out/,
    calls: OPEN,
  },
  { name: 'retries beyond what is possible', service: { retries: 9 }, named: /at most 3/, calls: OPEN },
  { name: 'tags', service: { tags: ['team-a'] }, route: { tags: ['v1'] }, calls: OPEN },
  {
    name: 'methods',
    route: { methods: ['GET'] },
    calls: [...OPEN, { status: 405, method: 'DELETE' }],
  },
  { name: 'hosts', route: { hosts: ['elsewhere.example'] }, calls: CLOSED },
  { name: 'hosts of the caller', route: { hosts: ['127.0.0.1'] }, calls: OPEN },
  {
    name: 'strip_path false',
    route: { strip_path: false },
    calls: [{ status: 200, path: '/x', seen: /\/c\d+\/x"/ }],
  },
  { name: 'strip_path', route: { strip_path: true }, calls: [{ status: 200, path: '/x', seen: /"\/x"/ }] },
  {
    name: 'preserve_host',
    route: { preserve_host: true },
    calls: [{ status: 200, seen: /"host":"127\.0\.0\.1:\d+"/ }],
  },
  {
    name: 'several paths',
    route: { paths: ['/ID/a', '/ID/b'] },
    calls: [{ status: 200, path: '/a' }, { status: 200, path: '/b/x' }, ...CLOSED],
  },
  {
    name: 'upstream with targets',
    service: { url: undefined, protocol: 'http', host: 'pool-ID' },
    more: {
      upstreams: [
        {
          name: 'pool-ID',
          algorithm: 'round-robin',
          targets: [
            { target: 'UPSTREAM', weight: 10 },
            { target: '127.0.0.1:9', weight: 0 },
          ],
        },
      ],
    },
    calls: [...OPEN, ...OPEN, ...OPEN],
  },
  {
    name: 'acl that allows a group of the consumer',
    plugins: beside({ name: 'acl', config: { allow: ['gold'] } }),
    consumer: { acls: [{ group: 'gold' }] },
    calls: OPEN,
  },
  {
    name: 'acl that allows another group',
    plugins: beside({ name: 'acl', config: { allow: ['gold'] } }),
    calls: [{ status: 403 }],
  },
  {
    name: 'acl that denies a group of the consumer, with acls at the top',
    plugins: beside({ name: 'acl', config: { deny: ['blocked'], hide_groups_header: true } }),
    more: { acls: [{ consumer: 'ID', group: 'blocked' }] },
    named: /hide_groups_header/,
    calls: [{ status: 403 }],
  },
  {
    name: 'rate-limiting',
    plugins: beside({ name: 'rate-limiting', config: { minute: 2, policy: 'local' } }),
    calls: [...OPEN, ...OPEN, { status: 429 }],
  },
  {
    name: 'rate-limiting of the consumer',
    consumer: { plugins: [{ name: 'rate-limiting', config: { hour: 1 } }] },
    calls: [...OPEN, { status: 429 }],
  },
  {
    name: 'rate-limiting by a header',
    plugins: beside({
      name: 'rate-limiting',
      config: { minute: 1, limit_by: 'header', header_name: 'X-Tenant' },
    }),
    calls: [
      { status: 200, headers: { 'x-tenant': 'a' } },
      { status: 429, headers: { 'x-tenant': 'a' } },
      { status: 200, headers: { 'x-tenant': 'b' } },
    ],
  },
  {
    name: 'rate-limiting with options that decide about no call',
    plugins: beside({
      name: 'rate-limiting',
      config: {
        minute: 9,
        error_code: 503,
        error_message: 'no',
        fault_tolerant: false,
        hide_client_headers: true,
      },
    }),
    named: /fault_tolerant, hide_client_headers, error_code, error_message is not carried over/,
    calls: OPEN,
  },
  {
    name: 'rate-limiting-advanced',
    plugins: beside({
      name: 'rate-limiting-advanced',
      config: {
        limit: [2, 100],
        window_size: [60, 604800],
        identifier: 'consumer',
        strategy: 'local',
        sync_rate: -1,
        window_type: 'fixed',
      },
    }),
    named: /window_type is not carried over/,
    calls: [...OPEN, ...OPEN, { status: 429 }],
  },
  {
    name: 'cors',
    plugins: beside({
      name: 'cors',
      config: { origins: ['https://app.example.com'], methods: ['GET'], headers: ['apikey'], max_age: 60 },
    }),
    calls: [
      {
        status: 200,
        headers: { origin: 'https://app.example.com' },
        answered: { 'access-control-allow-origin': 'https://app.example.com' },
      },
    ],
  },
  {
    name: 'request-size-limiting',
    plugins: beside({
      name: 'request-size-limiting',
      config: { allowed_payload_size: 1, size_unit: 'kilobytes' },
    }),
    calls: OPEN,
  },
  {
    name: 'ip-restriction with allow at a consumer',
    consumer: { plugins: [{ name: 'ip-restriction', config: { allow: ['10.0.0.0/8'] } }] },
    calls: [{ status: 403 }],
  },
  {
    name: 'a plugin that is switched off',
    plugins: beside({ name: 'request-termination', enabled: false }),
    calls: OPEN,
  },
  {
    name: 'plugins that decide about no request',
    plugins: beside({ name: 'http-log', config: { http_endpoint: 'http://x' } }, { name: 'prometheus' }),
    named: [/left_out plugin http-log of service/, /left_out plugin prometheus of service/],
    calls: OPEN,
  },
  {
    name: 'a configuration in _plugin_configs',
    plugins: [{ name: 'key-auth', _config: 'mine' }],
    more: { _plugin_configs: { mine: { key_names: ['my-key'] } } },
    calls: [{ status: 200, headers: { apikey: '', 'my-key': 'KEY' } }, { status: 401 }],
  },
  {
    name: 'defaults of decK',
    more: { _info: { defaults: { route: { strip_path: false } } } },
    calls: [{ status: 200, path: '/x', seen: /\/c\d+\/x"/ }],
  },
]

const closing = (name: string, config: Plain = {}): KongCase => ({
  name,
  plugins: beside({ name, config }),
  named: new RegExp(`closed collection \\S+: plugin ${name} (has|requires)`),
  calls: CLOSED,
})

/** Options without a counterpart: what they restrict is closed. */
const LEFT: readonly KongCase[] = [
  closing('request-termination', { status_code: 503 }),
  closing('bot-detection', { deny: ['x'] }),
  closing('request-transformer', { add: { headers: ['x-a:b'] } }),
  closing('response-transformer', { remove: { headers: ['x-a'] } }),
  closing('ip-restriction', { allow: ['10.0.0.0/8'] }),
  closing('pre-function', { access: ['return kong.response.exit(403)'] }),
  closing('ai-proxy', { route_type: 'llm/v1/chat' }),
  closing('opa'),
  closing('a-plugin-of-our-own', { who: 'only me' }),
  closing('rate-limiting', { year: 1 }),
  closing('rate-limiting', { minute: 1, a_new_option: 1 }),
  closing('acl', { allow: ['gold'], include_consumer_groups: true }),
  closing('request-size-limiting', { require_content_length: true }),
  {
    name: 'a limit that counts by the header of the key',
    plugins: beside({
      name: 'rate-limiting',
      config: { minute: 1, limit_by: 'header', header_name: 'ApiKey' },
    }),
    named: /counts by the header of the key/,
    calls: CLOSED,
  },
  {
    name: 'a plugin of the route alone',
    route: { plugins: [{ name: 'bot-detection' }] },
    named: /closed collection/,
    calls: CLOSED,
  },
  {
    name: 'a plugin of a consumer at the service',
    more: { plugins: [{ name: 'rate-limiting', service: 'ID', consumer: 'ID', config: { minute: 1 } }] },
    named: /applies to only a part/,
    calls: CLOSED,
  },
  {
    name: 'a plugin of the consumer that cannot be expressed',
    consumer: { plugins: [{ name: 'request-termination' }] },
    named: /closed consumer/,
    calls: [{ status: 403 }],
  },
  {
    name: 'a consumer group with plugins, inside of the group',
    consumer: { groups: [{ name: 'g-ID' }] },
    more: { consumer_groups: [{ name: 'g-ID', plugins: [{ name: 'rate-limiting-advanced' }] }] },
    named: [/closed consumer/, /left_out consumer group/],
    calls: [{ status: 403 }],
  },
  {
    name: 'a consumer group with plugins, in flat form',
    more: {
      consumer_groups: [{ name: 'g-ID' }],
      consumer_group_consumers: [{ consumer: 'ID', consumer_group: 'g-ID' }],
      consumer_group_plugins: [{ name: 'rate-limiting-advanced', consumer_group: 'g-ID', config: {} }],
    },
    named: /closed consumer/,
    calls: [{ status: 403 }],
  },
  {
    name: 'a consumer group that is not in the file',
    consumer: { groups: [{ name: 'absent-ID' }] },
    named: /one of its groups is not in the file/,
    calls: [{ status: 403 }],
  },
  {
    name: 'a filter chain at the top of the file',
    more: { filter_chains: [{ route: { name: 'ID' }, filters: [{ name: 'f' }] }] },
    named: [/left_out filter_chains/, /closed collection \S+: plugin \(filter_chains\) has no counterpart/],
    calls: CLOSED,
  },
  {
    name: 'an entity that is not known, of the service',
    more: { new_restrictions: [{ service: { name: 'ID' }, only: 'me' }] },
    named: /left_out new_restrictions/,
    calls: CLOSED,
  },
  {
    name: 'partials of a plugin',
    plugins: beside({ name: 'rate-limiting', config: { minute: 5 }, partials: [{ id: 'x' }] }),
    named: /partials, which is not carried over/,
    calls: CLOSED,
  },
  {
    name: 'defaults of decK that close',
    more: { _info: { defaults: { route: { protocols: ['https'] } } } },
    named: /only https/,
    calls: CLOSED,
  },
  ...[
    { headers: { 'x-a': ['b'] } },
    { snis: ['a.example'] },
    { paths: ['~/ID/\\d+'] },
    { paths: null },
    { hosts: ['*.example.com'] },
    { protocols: ['grpc'] },
    { expression: 'http.path == "/ID"' },
    { sources: [{ ip: '10.0.0.1' }] },
  ].map(
    (route): KongCase => ({
      name: `route with ${JSON.stringify(route)}`,
      route,
      named: /left_out (route|path)/,
      calls: CLOSED,
    }),
  ),
  ...[{ path_handling: 'v1' }, { a_new_member: 1 }].map(
    (route): KongCase => ({
      name: `route with ${JSON.stringify(route)}`,
      route,
      named: /closed route/,
      calls: CLOSED,
    }),
  ),
  ...[
    { client_certificate: { id: 'x' } },
    { ca_certificates: ['x'] },
    { tls_sans: { dnsnames: ['a'] } },
    { enabled: false },
  ].map(
    (service): KongCase => ({
      name: `service with ${JSON.stringify(service)}`,
      service,
      named: /closed collection|it is disabled: its collections are drafts/,
      calls: CLOSED,
    }),
  ),
  {
    name: 'a service without authentication, with consumers',
    plugins: [],
    named: /different collection \S+: it had no authentication, but callers of Postern need/,
    // The client may call it, and sends its key as a bearer token
    calls: [{ status: 401 }, { status: 200, headers: { apikey: '', authorization: 'Bearer KEY' } }],
  },
  {
    name: 'anonymous',
    plugins: keyAuth({ anonymous: 'ID' }),
    named: /anonymous callers are refused here/,
    calls: [...OPEN, ...REFUSED],
  },
  {
    name: 'key_in_body and names that are no place',
    plugins: keyAuth({ key_in_body: true, key_names: ['apikey', 'authorization', 'cookie'] }),
    named: /key_in_body, key_names authorization \(key_in_header\), key_names cookie/,
    calls: [...OPEN, { status: 401, headers: { apikey: '', authorization: 'KEY' } }],
  },
  ...['basic-auth', 'jwt', 'hmac-auth', 'oauth2', 'openid-connect', 'mtls-auth', 'ldap-auth'].map(
    (name): KongCase => ({
      name,
      plugins: [{ name }],
      named: new RegExp(`different plugin ${name} of service`),
      calls: [{ status: 401 }, { status: 403, headers: { apikey: '', authorization: 'Bearer KEY' } }],
    }),
  ),
  {
    name: 'a key of a consumer that has other credentials too',
    plugins: [{ name: 'basic-auth' }],
    consumer: { basicauth_credentials: [{ username: 'u-ID', password: 'PLANTED' }] },
    named: /different consumer \S+: profile \S+ may call only what accepted keys/,
    calls: [{ status: 403, headers: { apikey: '', authorization: 'Bearer KEY' } }],
  },
  ...[
    ['fewer than 16', { key: 'short-key' }],
    ['a ttl', { key: 'KEY', ttl: 60 }],
    ['a reference', { key: '{vault://env/acme-key}' }],
    ['not in the file', { tags: ['a'] }],
    ['form of a JWT', { key: 'eyJhbGciOi.eyJpc3MiOiJ4.c2ln' }],
    ['a_new_member', { key: 'KEY', a_new_member: 1 }],
  ].map(
    ([reason, credential]): KongCase => ({
      name: `a key that is not carried over: ${reason}`,
      consumer: { keyauth_credentials: [credential] },
      named: new RegExp(`left_out key 1 of consumer \\S+: .*${reason}`),
      calls: [{ status: 401 }],
    }),
  ),
  {
    name: 'a key of two consumers',
    more: { keyauth_credentials: [{ consumer: 'ID', key: 'KEY' }] },
    named: [/left_out key 1 of consumer \S+: another key/, /left_out key 2 of consumer \S+: another key/],
    calls: [{ status: 401 }],
  },
  {
    name: 'credentials of other kinds, and encrypted keys',
    consumer: {
      basicauth_credentials: [{ username: 'u', password: 'PLANTED' }],
      keyauth_enc_credentials: [{ key: 'PLANTED-enc-key-0123' }],
      jwt_secrets: [{ key: 'i', secret: 'PLANTED' }],
    },
    named: [/left_out basicauth_credentials/, /left_out keyauth_enc_credentials/, /left_out jwt_secrets/],
    calls: [...OPEN, { status: 401, headers: { apikey: 'PLANTED-enc-key-0123' } }],
  },
]

export const CASES: readonly KongCase[] = [...CARRIED, ...LEFT]
