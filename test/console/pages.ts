/** The pages of the console that tests open and that `npm run console:shots` takes pictures of. A new screen is one line here. */
import assert from 'node:assert/strict'
import type { Page } from 'playwright-core'

export interface ConsolePage {
  /** Below `/console`. */
  readonly path: string
  /** The page shows a resource that only the sample instance has; others are shown by every instance with a collection `orders`. */
  readonly isOfSample?: true
  /** Of its picture. Default: made of the path. */
  readonly name?: string
}

const list = (...paths: readonly string[]): ConsolePage[] => paths.map((path) => ({ path: `/${path}` }))
const ofSample = (...paths: readonly string[]): ConsolePage[] =>
  paths.map((path) => ({ path: `/${path}`, isOfSample: true }))

export const PAGES: readonly ConsolePage[] = [
  { path: '/' },
  ...list('collections', 'proxies', 'workflows', 'policies', 'credentials', 'clients', 'profiles'),
  ...list(
    'access_requests',
    'change_requests',
    'origins',
    'virtual_mcps',
    'drift',
    'guardrails',
    'hosts',
    'bindings',
  ),
  ...list(
    'connections',
    'records',
    'analytics',
    'audit',
    'exports',
    'sinks',
    'revisions',
    'users',
    'teams',
    'roles',
    'grants',
  ),
  ...list('service_identities', 'trust_rules', 'personal_tokens', 'keys', 'settings'),
  ...list('collections/new', 'proxies/new', 'credentials/new', 'access_requests/new'),
  ...list('collections/orders', 'collections/orders?tab=edit', 'collections/orders?tab=history'),
  ...list(
    'run/config.export',
    'run/config.plan',
    'kit',
    'run/requests.explain',
    'revisions/5',
    'revisions?from=2&to=5',
  ),
  ...ofSample('proxies/payments:create-v1'),
  ...ofSample('proxies/orders:create-v1', 'proxies/orders:create-v1?tab=edit', 'proxies?collection=orders'),
  ...ofSample(
    'proxies/orders:create-v1?tab=path',
    'proxies/orders:create-v1?tab=path&method=POST&target=/orders/v1',
  ),
  ...ofSample(
    'collections/customs-declarations-and-tariff-classification',
    'policies/gold',
    'policies/gold?tab=edit',
  ),
  ...ofSample('credentials/tax-authority', 'clients/acme-retail', 'profiles/acme-retail:production'),
  ...ofSample('workflows/checked-order', 'workflows/checked-order?tab=graph&view=canvas'),
  ...ofSample('workflows/checked-order?tab=graph&view=list', 'workflows/checked-order?tab=graph&node=check'),
  ...list('problems', 'problems/rate_limit_exceeded'),
  ...list('origins/add', 'personal_tokens/new'),
  ...ofSample('origins/tickets', 'origins/add?origin=tickets', 'virtual_mcps/support-desk'),
  ...ofSample('virtual_mcps/support-desk?tab=preview', 'virtual_mcps/support-desk?tab=drift'),
  ...ofSample('virtual_mcps/support-desk?tab=test'),
  ...ofSample('virtual_mcps/support-desk?tab=connect', 'virtual_mcps/support-desk?tab=capabilities'),
  ...ofSample(
    'guardrails/card-numbers',
    'guardrails/card-numbers?tab=test',
    'users/maria-theresia-von-hohenberg-waldenfels',
    'teams/payments',
  ),
  ...ofSample('grants/commerce', 'bindings/claude:claude-support', 'records?status=5xx'),
  ...ofSample('analytics?from=-7d&compare=true&by=client', 'analytics?from=-7d&p99=true&by=status'),
  ...ofSample('users/ann', 'users/ann?tab=overview', 'roles/release-manager', 'hosts/claude'),
  ...ofSample(
    'service_identities/deployment-pipeline',
    'trust_rules/main-branch',
    'records?guardrail=injection',
  ),
  ...ofSample('policies/gold?tab=history', 'collections?text=nothing-has-this-name'),
]

/** Pages whose address has an id that each instance draws anew: that of the first item of a list. */
const DRAWN: readonly {
  readonly name: string
  readonly list: string
  readonly path: (id: string) => string
}[] = [
  { name: 'record', list: '/records?limit=1', path: (id) => `/records/${id}` },
  {
    name: 'why-denied',
    list: '/records?limit=1&status=4xx',
    path: (id) => `/run/requests.explain?request_id=${id}`,
  },
  { name: 'audit-entry', list: '/audit?limit=1&operation=policies.update', path: (id) => `/audit/${id}` },
  { name: 'change-request', list: '/change_requests?limit=1', path: (id) => `/change_requests/${id}` },
  { name: 'access-request', list: '/access_requests?limit=1', path: (id) => `/access_requests/${id}` },
  { name: 'export', list: '/exports?limit=1', path: (id) => `/exports/${id}` },
  { name: 'personal-token', list: '/personal_tokens?limit=1', path: (id) => `/personal_tokens/${id}` },
]

/** Pages of the sample instance whose addresses have drawn ids. @param page signed in at the console */
export async function drawnPages(page: Page): Promise<readonly ConsolePage[]> {
  const pages: ConsolePage[] = []
  for (const { name, list, path } of DRAWN) {
    const id = await page.evaluate(async (from) => {
      const answer = await fetch(`/management/v1${from}`, { headers: { 'x-postern-console': '1' } })
      return ((await answer.json()) as { items?: { id: string }[] }).items?.[0]?.id ?? null
    }, list)
    assert.ok(id !== null, `the sample instance has no ${name}`)
    pages.push({ path: path(id), name, isOfSample: true })
  }
  return pages
}

/** The path as the name of a file: `collections-orders-tab-edit`, `home`. */
export function fileNameOf({ path, name }: ConsolePage): string {
  return name ?? (path.replaceAll(/[^a-zA-Z0-9_]+/g, '-').replaceAll(/^-|-$/g, '') || 'home')
}

/** The pictures of docs/console.md: names of their files in docs/console, and pages of the sample instance. */
export const PICTURES: readonly { readonly name: string; readonly path: string }[] = [
  { name: 'home', path: '/' },
  { name: 'collection', path: '/collections/orders' },
  { name: 'proxy-edit', path: '/proxies/orders:create-v1?tab=edit' },
  { name: 'client', path: '/clients/acme-retail' },
  { name: 'records', path: '/records?status=5xx' },
  { name: 'analytics', path: '/analytics?from=-7d&compare=true&by=client' },
  { name: 'workflow', path: '/workflows/checked-order?tab=graph&view=canvas' },
  { name: 'virtual-mcp', path: '/virtual_mcps/support-desk?tab=connect' },
  { name: 'policy', path: '/policies/gold' },
  { name: 'revisions', path: '/revisions?from=2&to=5' },
]
