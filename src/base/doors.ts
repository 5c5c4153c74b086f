/**
 * The table of doors: each path that Postern answers itself, the listener that serves the path, and the handler. The router of
 * the gateway threads, the listener of the control plane, the reserved paths, the protected resources, CORS for management and
 * MCP, the protection of pages and the table in `docs/listeners.md` derive from these rows.
 *
 * 1. Every path of a row, and every path below it, is reserved: no base path of a collection may be there.
 * 2. The most specific row decides: a row for the path alone, else the row with the longest path above it.
 * 3. Handlers are names here. `fleet/gateway/router` and `control/listener` bind them; a name without a handler does not compile.
 */

/** Parts of the control plane that `POSTERN_EXPOSE` adds to the gateway listener. */
export const PARTS = ['management', 'oauth', 'registry', 'portal', 'console'] as const
export type Part = (typeof PARTS)[number]

/** Handlers of gateway threads. They answer without the control plane. */
export type ThreadHandler = 'consumer_mcp' | 'virtual_mcp' | 'console_mcp' | 'health' | 'metrics'
/** Handlers of the control plane, behind its private socket. `unknown_path` answers 404: the path is reserved for its part. */
export type ControlHandler =
  | 'console'
  | 'management_mcp'
  | 'mcp_registry'
  | 'oauth'
  | 'rest'
  | 'secret_page'
  | 'sign_in_page'
  | 'unknown_path'

/**
 * The resources for which access tokens are issued (RFC 8707): Management MCP, Management REST, and the MCP endpoints of gateway
 * threads, each by its path, such as `/mcp/desk`.
 */
export type Protected = 'mcp' | 'rest' | `/mcp${string}`

interface Door {
  readonly path: string
  /**
   * `exact`: the path alone. `below`: the paths below it. `subtree`: both. `resources`: the path alone, and the path with the
   * path of a protected resource behind it.
   */
  readonly extent: 'exact' | 'below' | 'subtree' | 'resources'
  /** Null: the path is reserved, and this version does not serve it. */
  readonly handler: ThreadHandler | ControlHandler | null
  readonly listener: 'gateway' | 'control' | 'both'
  /** The gateway listener serves the path only if `POSTERN_EXPOSE` names this part; null: always. */
  readonly part: Part | null
  /** The web pages that may call the path: those allowed at `/mcp`, or at management; null: the path has no CORS. */
  readonly cors: 'gateway' | 'management' | null
  /** People open the path in a browser: upstream responses on the same origin must not reach these pages. */
  readonly hasPages: boolean
  /** The path names a protected resource, which has metadata (RFC 9728). `consumer`: the path itself names the resource. */
  readonly resource: 'mcp' | 'rest' | 'consumer' | null
  /** What the path is for, in the docs. */
  readonly summary: string
}

type Row<P extends string> = { readonly path: P; readonly summary: string } & Partial<Door>
type Named<P extends string> = Door & { readonly path: P }

/** A row with all members, in one order: objects of one shape are read faster. */
const own = <P extends string>(row: Row<P>): Named<P> => ({
  path: row.path,
  extent: row.extent ?? 'subtree',
  handler: row.handler ?? null,
  listener: row.listener ?? 'both',
  part: row.part ?? null,
  cors: row.cors ?? null,
  hasPages: row.hasPages ?? false,
  resource: row.resource ?? null,
  summary: row.summary,
})
const management = <P extends string>(row: Row<P>): Named<P> =>
  own({ handler: 'rest', part: 'management', cors: 'management', ...row })
const oauth = <P extends string>(row: Row<P>): Named<P> => own({ part: 'oauth', ...row })

/** The rows by name, in the order of the docs and of lists of reserved paths. */
export const DOORS = {
  consumerMcp: own({
    path: '/mcp',
    extent: 'exact',
    handler: 'consumer_mcp',
    listener: 'gateway',
    cors: 'gateway',
    resource: 'consumer',
    summary: 'MCP endpoint of published APIs',
  }),
  consumerMcpProfile: own({
    path: '/mcp/-',
    extent: 'below',
    handler: 'consumer_mcp',
    listener: 'gateway',
    cors: 'gateway',
    resource: 'consumer',
    summary: 'The same endpoint for sign-in with one profile: `/mcp/-/{client}/{profile}`',
  }),
  belowConsumerMcp: own({
    path: '/mcp',
    extent: 'below',
    handler: 'virtual_mcp',
    listener: 'gateway',
    cors: 'gateway',
    resource: 'consumer',
    summary: 'Virtual MCPs',
  }),
  management: management({
    path: '/management',
    handler: 'unknown_path',
    resource: 'rest',
    summary: 'Reserved for management',
  }),
  managementMcp: management({
    path: '/management/mcp',
    extent: 'exact',
    handler: 'management_mcp',
    resource: 'mcp',
    summary: 'Management MCP',
  }),
  managementRest: management({ path: '/management/v1', resource: 'rest', summary: 'Management REST' }),
  openApi: management({
    path: '/management/openapi.json',
    extent: 'exact',
    summary: 'OpenAPI document of Management REST',
  }),
  configSchema: management({
    path: '/management/config.schema.json',
    extent: 'exact',
    summary: 'JSON Schema of configuration files',
  }),
  secretPages: management({
    path: '/management/secrets',
    extent: 'below',
    handler: 'secret_page',
    summary: 'One-time links to secrets',
  }),
  managementMcpAlias: management({
    path: '/api/v1/mcp',
    extent: 'exact',
    handler: 'management_mcp',
    resource: 'mcp',
    summary: 'Alias of `/management/mcp`',
  }),
  belowManagementMcpAlias: management({
    path: '/api/v1/mcp',
    extent: 'below',
    handler: 'unknown_path',
    cors: null,
    summary: 'Reserved',
  }),
  oauth: oauth({
    path: '/oauth',
    extent: 'below',
    handler: 'oauth',
    hasPages: true,
    summary: 'Authorization server and sign-in',
  }),
  setUpPage: oauth({
    path: '/oauth/setup',
    extent: 'exact',
    handler: 'sign_in_page',
    hasPages: true,
    summary: 'Page on which a user accepts an invitation',
  }),
  passwordPage: oauth({
    path: '/oauth/password',
    extent: 'exact',
    handler: 'sign_in_page',
    hasPages: true,
    summary: 'Page on which a user changes the password',
  }),
  oauthRoot: oauth({
    path: '/oauth',
    extent: 'exact',
    handler: 'unknown_path',
    hasPages: true,
    summary: 'Reserved',
  }),
  connect: oauth({
    path: '/connect',
    handler: 'oauth',
    hasPages: true,
    summary: 'Pages on which people connect their accounts at origins',
  }),
  console: own({
    path: '/console',
    handler: 'console',
    part: 'console',
    hasPages: true,
    summary: 'Console',
  }),
  consoleMcp: own({
    path: '/console/mcp',
    extent: 'below',
    handler: 'console_mcp',
    part: 'console',
    summary: 'Virtual MCPs, for the tester of the console: `/console/mcp/{slug}`',
  }),
  portal: own({ path: '/portal', part: 'portal', hasPages: true, summary: 'Reserved for the portal' }),
  wellKnown: oauth({ path: '/.well-known', handler: 'unknown_path', summary: 'Reserved for metadata' }),
  resourceMetadata: oauth({
    path: '/.well-known/oauth-protected-resource',
    handler: 'rest',
    summary: 'Metadata of protected resources (RFC 9728)',
  }),
  serverMetadata: oauth({
    path: '/.well-known/oauth-authorization-server',
    extent: 'resources',
    handler: 'oauth',
    summary: 'Metadata of the authorization server (RFC 8414)',
  }),
  openIdMetadata: oauth({
    path: '/.well-known/openid-configuration',
    extent: 'resources',
    handler: 'oauth',
    summary: 'Metadata of the authorization server (OpenID Connect Discovery)',
  }),
  registry: own({
    path: '/mcp-registry',
    handler: 'mcp_registry',
    part: 'registry',
    summary: 'MCP registry',
  }),
  healthz: own({ path: '/healthz', extent: 'exact', handler: 'health', summary: 'Liveness' }),
  readyz: own({ path: '/readyz', extent: 'exact', handler: 'health', summary: 'Readiness' }),
  metrics: own({
    path: '/metrics',
    extent: 'exact',
    handler: 'metrics',
    listener: 'control',
    summary: 'Metrics for Prometheus',
  }),
} as const

export const ALL_DOORS: readonly Door[] = Object.values(DOORS)

/** Of the paths of the rows those that lie below no other one. */
export function outermost(doors: readonly Door[]): readonly string[] {
  const paths = [...new Set(doors.map(({ path }) => path))]
  return paths.filter((path) => !paths.some((other) => other !== path && isAtOrBelow(path, other)))
}

interface Decision {
  readonly path: string
  readonly decidesPath: boolean
  readonly decidesBelow: boolean
  readonly door: Door
}

function decisionsOf(door: Door): Decision[] {
  const { path, extent } = door
  const own = {
    path,
    decidesPath: extent !== 'below',
    decidesBelow: extent === 'below' || extent === 'subtree',
    door,
  }
  if (extent !== 'resources') return [own]
  const names = ALL_DOORS.filter(({ resource }) => resource !== null)
  return [
    own,
    ...names.map((named) => ({
      ...own,
      path: path + named.path,
      decidesBelow: named.extent === 'below',
    })),
  ]
}

/** By their first letter; the longest path first. A request compares its path with the few rows that it may meet. */
const DECISIONS: readonly (readonly Decision[])[] = Array.from({ length: 128 }, (_, code) =>
  ALL_DOORS.flatMap(decisionsOf)
    .filter(({ path }) => path.charCodeAt(1) === code)
    .sort((a, b) => b.path.length - a.path.length),
)

let lastPath = ''
let lastDoor: Door | null = null

/** The row that decides a path, or null for a path that no row has. The steps of one request ask for the same path in turn. */
export function doorAt(path: string): Door | null {
  if (path !== lastPath) {
    lastDoor = decide(path)
    lastPath = path
  }
  return lastDoor
}

function decide(path: string): Door | null {
  const code = path.length < 2 ? 0 : path.charCodeAt(1)
  const decisions = DECISIONS[code < 128 ? code : 0]!
  for (let i = 0; i < decisions.length; i++) {
    const decision = decisions[i]!
    const end = decision.path.length
    if (path.length < end) continue
    const mayFit =
      path.length === end ? decision.decidesPath : decision.decidesBelow && path.charCodeAt(end) === 0x2f
    if (mayFit && path.startsWith(decision.path)) return decision.door
  }
  return null
}

/** Paths at and below which a slash at the end says nothing: clients write it behind URLs that people enter. */
const SLASH_ROOTS = [DOORS.consumerMcp.path, DOORS.management.path, DOORS.managementMcpAlias.path] as const

/** The path without a slash at its end, if that says nothing there; else the path itself. */
export function withoutSlash(path: string): string {
  if (path.charCodeAt(path.length - 1) !== 0x2f) return path
  const bare = path.slice(0, -1)
  return SLASH_ROOTS.some((root) => isAtOrBelow(bare, root)) ? bare : path
}

/** True for a path and everything below it. */
export function isAtOrBelow(path: string, root: string): boolean {
  return path.startsWith(root) && (path.length === root.length || path.charCodeAt(root.length) === 0x2f)
}
