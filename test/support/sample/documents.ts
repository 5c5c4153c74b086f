/** The configuration of the sample instance, as documents of `config.apply`. */
import { AGENTS, APPS, PARTNERS, PARTS, PEOPLE, PRODUCTS, slugOf, TEAMS, VERBS } from './words.ts'

export interface ConfigDocument {
  readonly kind: string
  readonly slug: string
  readonly spec: Readonly<Record<string, unknown>>
}

export interface SamplePlaces {
  /** URL of the service that answers for the first collections. */
  readonly upstream: string
  /** URLs of MCP servers; origins without one cannot be reached. */
  readonly mcp: readonly string[]
  /** Proxies of each collection. */
  readonly proxiesEach: number
}

const DAY_MS = 86_400_000
const dayFrom = (now: number, days: number): string => new Date(now + days * DAY_MS).toISOString()
const document = (kind: string, slug: string, spec: object): ConfigDocument => ({
  kind,
  slug,
  spec: { ...spec },
})

/** Collections whose servers are on this machine, so that calls of them are answered. */
const ANSWERED = 4
const POLICY_SLUGS = ['gold', 'silver', 'bronze', 'internal', 'agents', 'writes', 'exports', 'trial'] as const

/** Everything but proxies. @param now milliseconds since 1970: expiries are told from it */
export function sampleDocuments({ upstream, mcp }: SamplePlaces, now: number): readonly ConfigDocument[] {
  return [
    ...policies(),
    ...credentials(now),
    ...collections(upstream),
    ...callers(now),
    ...people(),
    ...programs(now),
    ...guardrails(),
    ...workflows(),
    ...mcpServers(mcp),
  ]
}

/** Proxies of all collections, those of a collection in a row. */
export function sampleProxies({ proxiesEach }: SamplePlaces): readonly ConfigDocument[] {
  return PRODUCTS.flatMap(([collection, name], product) =>
    Array.from({ length: proxiesEach }, (_, index) => {
      const verb = VERBS[index % VERBS.length]!
      const place = Math.floor(index / VERBS.length)
      const part = PARTS[place % PARTS.length]!
      const version = 1 + Math.floor(place / PARTS.length)
      const path = [`/v${version}`, part, verb.byId ? '{id}' : ''].filter((step) => step !== '').join('/')
      const what = part === '' ? name.toLowerCase() : `${part} of ${name.toLowerCase()}`
      const isMain = part === '' && version === 1
      return document('proxy', slugOf(`${verb.name}-${part}-v${version}`), {
        collection,
        name: `${verb.name} ${what}`.slice(0, 100),
        description: isMain ? `${verb.name}s ${what}. Errors are problem details.` : '',
        methods: [verb.method],
        path,
        tags: [`v${version}`, ...(verb.method === 'GET' ? ['read'] : ['write'])],
        status: index % 17 === 16 ? 'draft' : 'published',
        ...(index % 23 === 22 && { deprecated: true }),
        ...(verb.method !== 'GET' && product % 3 === 0 && isMain && { policy: 'writes' }),
        ...(verb.method === 'GET' &&
          isMain &&
          product % 4 === 1 && { cache: { ttl: '30s', scope: 'shared' } }),
        ...(collection === 'orders' && index === 1 && { workflow: 'checked-order' }),
        ...(verb.method === 'POST' && isMain && { idempotency: true }),
      })
    }),
  )
}

function policies(): ConfigDocument[] {
  const limits: Record<(typeof POLICY_SLUGS)[number], readonly object[]> = {
    gold: [
      { name: 'minute', kind: 'rate', max: 6000, window: '1m' },
      { name: 'month', kind: 'quota', max: 5_000_000, window: '30d' },
    ],
    silver: [
      { name: 'minute', kind: 'rate', max: 1200, window: '1m' },
      { name: 'day', kind: 'quota', max: 100_000, window: '1d', timezone: 'Europe/Berlin' },
    ],
    bronze: [{ name: 'minute', kind: 'rate', max: 120, window: '1m', burst: 30 }],
    internal: [{ name: 'parallel', kind: 'concurrency', max: 200 }],
    agents: [
      { name: 'minute', kind: 'rate', max: 60, window: '1m', key: 'user' },
      { name: 'parallel', kind: 'concurrency', max: 4 },
    ],
    writes: [{ name: 'second', kind: 'rate', max: 20, window: '1s' }],
    exports: [{ name: 'hour', kind: 'quota', max: 50, window: '1h', rolling: true }],
    trial: [{ name: 'day', kind: 'quota', max: 1000, window: '1d', mode: 'observe' }],
  }
  const about: Partial<Record<string, string>> = {
    gold: 'Partners with a contract. The quota counts calendar months.',
    trial: 'Counts and does not refuse yet.',
  }
  return POLICY_SLUGS.map((slug) =>
    document('policy', slug, {
      name: slug.charAt(0).toUpperCase() + slug.slice(1),
      description: about[slug] ?? '',
      limits: limits[slug],
      tags: slug === 'gold' || slug === 'silver' || slug === 'bronze' ? ['plan'] : [],
    }),
  )
}

function credentials(now: number): ConfigDocument[] {
  const made: readonly (readonly [name: string, auth: object, more?: object])[] = [
    ['Orders backend', { type: 'basic', username: 'postern', password: 'not-a-secret' }],
    ['Payment provider', { type: 'bearer', token: 'not-a-secret-either' }, { expires_at: dayFrom(now, 6) }],
    ['Carrier rates', { type: 'api_key', key: 'sample-key', in: 'header', name: 'x-api-key' }],
    [
      'Weather service',
      { type: 'api_key', key: 'sample-key', in: 'query', name: 'appid' },
      { rotate_every: '30d' },
    ],
    [
      'Tax authority',
      {
        type: 'oauth2_client_credentials',
        token_url: 'https://login.tax.example/oauth/token',
        client_id: 'retailer-4711',
        client_secret: 'sample-secret',
        scopes: ['declarations:write', 'rates:read'],
      },
      { expires_at: dayFrom(now, -2) },
    ],
    [
      'Data lake',
      {
        type: 'aws_sigv4',
        region: 'eu-central-1',
        service: 's3',
        access_key_id: 'SAMPLEACCESSKEY',
        secret_access_key: 'sample-secret',
      },
    ],
    ['Legacy merchandise system', { type: 'basic', username: 'BATCH01', password: 'sample' }],
  ]
  return made.map(([name, auth, more = {}]) =>
    document('credential', slugOf(name), { name, auth, tags: ['production'], ...more }),
  )
}

function collections(upstream: string): ConfigDocument[] {
  const ofCollection: Partial<Record<string, string>> = {
    orders: 'orders-backend',
    payments: 'payment-provider',
    carriers: 'carrier-rates',
    weather: 'weather-service',
    taxes: 'tax-authority',
    reports: 'data-lake',
    'legacy-soap-bridge': 'legacy-merchandise-system',
  }
  return PRODUCTS.map(([slug, name, description], index) =>
    document('collection', slug, {
      name,
      description,
      base_path: `/${slug.slice(0, 40)}`,
      upstream: {
        targets:
          index < ANSWERED
            ? [{ url: upstream }]
            : [
                { url: `http://${slug.slice(0, 40)}-1.internal:8080` },
                { url: `http://${slug.slice(0, 40)}-2.internal:8080` },
              ],
      },
      tags: [
        ['core', 'customer', 'logistics', 'finance', 'data'][index % 5],
        ...(index < 8 ? ['tier-1'] : []),
      ],
      status: index % 13 === 12 ? 'draft' : 'published',
      ...(ofCollection[slug] !== undefined && { credential: ofCollection[slug] }),
      ...(index % 6 === 0 && { policy: 'gold' }),
      ...(index % 7 === 3 && { teams: ['commerce'], requestable: true }),
    }),
  )
}

function callers(now: number): ConfigDocument[] {
  const all = [
    ...PARTNERS.map((name) => ({ name, kind: 'partner' })),
    ...APPS.map((name) => ({ name, kind: name.includes('test') || name === 'Canary' ? 'test' : 'internal' })),
    ...AGENTS.map((name) => ({ name, kind: 'ai' })),
  ]
  const policyOf = {
    partner: ['gold', 'silver', 'bronze'],
    internal: ['internal'],
    test: ['trial'],
    ai: ['agents'],
  }
  return all.flatMap(({ name, kind }, index) => {
    const slug = slugOf(name)
    const policy = policyOf[kind as keyof typeof policyOf]
    const client = document('client', slug, {
      name,
      kind,
      profiles: [],
      contact_email: kind === 'partner' ? `api@${slug}.example` : null,
      collections: PRODUCTS.filter(
        (_, product) => (product + index) % (kind === 'internal' ? 2 : 5) === 0 || product < 3,
      ).map(([product]) => product),
      policy: policy[index % policy.length],
      tags: [kind],
      ...(index % 9 === 8 && { active: false }),
      ...(index === 4 && { valid_until: dayFrom(now, 12) }),
    })
    const sandbox = document('profile', 'sandbox', {
      client: slug,
      name: 'Sandbox',
      auth: { type: 'none' },
      policy: 'trial',
    })
    const production = document('profile', 'production', {
      client: slug,
      name: 'Production',
      auth: authOf(index),
      ...(index % 3 === 0 && { ip_allowlist: ['203.0.113.0/24', '2001:db8:40::/44'] }),
      ...(kind === 'ai' && { mcp_view: 'compact', forward_identity: true }),
    })
    return [client, production, ...(index % 4 === 0 ? [sandbox] : [])]
  })
}

function authOf(index: number): object {
  if (index % 5 === 1)
    return {
      type: 'oidc',
      issuer: 'https://login.partner.example/realms/b2b',
      audience: 'https://api.retailer.example',
    }
  if (index % 5 === 3)
    return {
      type: 'jwt',
      mode: 'jwks_url',
      jwks_url: 'https://keys.partner.example/jwks.json',
      audience: 'https://api.retailer.example',
      algs: ['ES256'],
    }
  return { type: 'token' }
}

function people(): ConfigDocument[] {
  const users = PEOPLE.map((name, index) =>
    document('user', slugOf(name), {
      name,
      email: `${slugOf(name)}@retailer.example`,
      ...(index === 16 && { active: false }),
    }),
  )
  const teams = TEAMS.map(([slug, name, parent], index) =>
    document('team', slug, {
      name,
      parent,
      members: PEOPLE.filter((_, person) => person % TEAMS.length === index || person % 11 === index).map(
        (person, place) => ({
          user: slugOf(person),
          role: place === 0 ? 'admin' : 'member',
        }),
      ),
    }),
  )
  const roles = [
    document('role', 'release-manager', {
      name: 'Release manager',
      description: 'Publishes collections and proxies and approves changes.',
      permissions: [
        'collections:read',
        'collections:publish',
        'proxies:read',
        'proxies:publish',
        'config:approve',
      ],
    }),
    document('role', 'support', {
      name: 'Support',
      permissions: ['records:read', 'clients:read', 'collections:read', 'audit:read'],
    }),
  ]
  const grants = [
    ['platform', { team: 'platform', role: 'admin' }],
    [
      'commerce',
      {
        team: 'commerce',
        role: 'modifier',
        scope: { collections: ['orders', 'payments', 'refunds', 'carts'] },
      },
    ],
    ['logistics', { team: 'logistics', role: 'modifier', scope: { tags: ['logistics'] } }],
    ['data', { team: 'data', role: 'viewer' }],
    ['support', { team: 'support', role: 'support' }],
    ['releases', { user: slugOf(PEOPLE[2]), role: 'release-manager' }],
  ] as const
  return [
    ...users,
    ...teams,
    ...roles,
    ...grants.map(([slug, spec]) => document('grant', slug, { name: slug, ...spec })),
  ]
}

function programs(now: number): ConfigDocument[] {
  const names = ['Deployment pipeline', 'Nightly export', 'Terraform']
  const hosts = ['Claude', 'ChatGPT', 'Cursor']
  return [
    ...names.map((name) => document('service_identity', slugOf(name), { name })),
    document('grant', 'pipeline', {
      name: 'pipeline',
      service_identity: 'deployment-pipeline',
      role: 'modifier',
      expires_at: dayFrom(now, 9),
    }),
    document('trust_rule', 'main-branch', {
      name: 'Main branch of the configuration repository',
      service_identity: 'deployment-pipeline',
      issuer: 'https://token.actions.githubusercontent.com',
      audience: 'https://api.retailer.example',
      conditions: [
        { claim: 'repository', equals: 'retailer/gateway-configuration' },
        { claim: 'ref', equals: 'refs/heads/main' },
      ],
    }),
    ...hosts.map((name) => document('host', slugOf(name), { name })),
    document('binding', 'claude-support', {
      name: 'Support in Claude',
      host: 'claude',
      virtual_mcp: 'support-desk',
    }),
  ]
}

function guardrails(): ConfigDocument[] {
  return [
    document('guardrail', 'card-numbers', {
      name: 'No card numbers in responses',
      scope: { everywhere: true },
      legs: ['response'],
      detector: { type: 'pii', kinds: ['card', 'iban'] },
      action: 'mask',
    }),
    document('guardrail', 'secrets', {
      name: 'No secrets to models',
      scope: { virtual_mcps: ['support-desk'] },
      detector: { type: 'secrets' },
      action: 'block',
    }),
    document('guardrail', 'injection', {
      name: 'Instructions in tool results',
      scope: { virtual_mcps: ['support-desk', 'shopping'] },
      legs: ['response', 'list'],
      detector: { type: 'injection' },
      action: 'log',
    }),
  ]
}

function workflows(): ConfigDocument[] {
  const checked = {
    nodes: [
      { id: 'http', type: 'http_trigger' },
      {
        id: 'check',
        type: 'validate_node',
        config: { schema: { required: ['sku', 'order'] } },
        inputs: { value: '{{ $.http.request.body }}' },
      },
      {
        id: 'call',
        type: 'proxy_node',
        config: { method: 'GET' },
        inputs: { path: '/v1/{{ $.http.request.body.order }}', body: null },
      },
      {
        id: 'ok',
        type: 'response_node',
        inputs: { body: { order: '{{ $.call.body.url }}', sku: '{{ $.http.request.body.sku }}' } },
      },
      { id: 'bad', type: 'response_node', config: { status: 422 }, inputs: { body: '{{ $.check.errors }}' } },
    ],
    edges: [
      { from: 'http', to: 'check' },
      { from: 'check', handle: 'valid', to: 'call' },
      { from: 'check', handle: 'invalid', to: 'bad' },
      { from: 'call', handle: 'success', to: 'ok' },
    ],
  }
  const maintenance = {
    nodes: [
      { id: 'http', type: 'http_trigger' },
      {
        id: 'closed',
        type: 'response_node',
        config: { status: 503 },
        inputs: { body: { message: 'Back at 06:00.' } },
      },
    ],
    edges: [{ from: 'http', to: 'closed' }],
  }
  return [
    document('workflow', 'checked-order', {
      name: 'Checked order',
      description: 'Refuses orders without sku, and answers others with two members.',
      definition: checked,
      tags: ['orders'],
    }),
    document('workflow', 'maintenance', { name: 'Maintenance page', definition: maintenance }),
  ]
}

function mcpServers(urls: readonly string[]): ConfigDocument[] {
  const origins = [
    document('origin', 'tickets', {
      name: 'Ticket system',
      url: urls[0] ?? 'http://tickets.internal:8080/mcp',
      description: 'Tools of the support desk.',
    }),
    document('origin', 'analytics', {
      name: 'Analytics',
      url: urls[1] ?? 'http://analytics.internal:8080/mcp',
    }),
    document('origin', 'wiki', { name: 'Wiki', url: 'http://wiki.internal:8080/mcp' }),
    document('origin', 'catalogue', {
      name: 'Catalogue as tools',
      kind: 'collection',
      collection: 'catalogue',
    }),
  ]
  const virtual = [
    document('virtual_mcp', 'support-desk', {
      name: 'Support desk',
      description: 'Tickets and orders for the support team.',
      status: 'published',
      members: [{ origin: 'tickets' }, { origin: 'wiki', required: false }],
      teams: ['support'],
    }),
    document('virtual_mcp', 'shopping', {
      name: 'Shopping assistant',
      status: 'published',
      members: [{ origin: 'catalogue' }],
      mcp_view: 'compact',
      registry: 'public',
    }),
    document('virtual_mcp', 'reporting', {
      name: 'Reporting',
      status: 'draft',
      members: [{ origin: 'analytics' }],
    }),
  ]
  return [...origins, ...virtual]
}
