/** The layers of the program: the folders of `src`, what each may import, and what it guarantees. `npm run golden` prints them. */

/** What gateway threads know of snapshots: all but how they are compiled. */
const SERVED: readonly string[] = [
  'fragments',
  'plan',
  'sent-delta',
  'packed-fragments',
  'snapshot',
  'linked-types',
  'find',
  'link',
  'schema',
  'offer',
].map((name) => `snapshot/${name}`)

/** How the table names them. */
const SNAPSHOTS = 'snapshot (not compile)'

export interface Layer {
  /** Folders and files that it may import, beside itself. `*` is everything: wiring. */
  readonly may: readonly string[]
  /** What it is and what it guarantees, for the table in ARCHITECTURE.md. */
  readonly is: string
}

/** By folder or file below `src`. A file belongs to the longest name that is a prefix of its path. */
export const LAYERS: Readonly<Record<string, Layer>> = {
  base: {
    may: [],
    is: 'Helpers, in rooms by subject. They know no domain; the table of doors (`base/doors.ts`) is data',
  },
  model: {
    // Names of what detectors find are part of what administrators write
    may: ['base', 'detectors/settings', 'guardrails/rule'],
    is: 'The resources of the product as schemas and types, without I/O. `model/members.ts` has the members that many resources share',
  },
  vault: {
    may: ['base', 'model', 'store/ports'],
    is: 'Secrets are sealed at rest',
  },
  access: {
    may: ['base', 'model', 'store/ports'],
    is: 'Permissions are decided here and nowhere else',
  },
  wire: {
    may: ['base'],
    is: 'HTTP on sockets. It knows no tenants. `wire/node` is the same port over `node:http`, for differential tests and `HTTP_ENGINE=node`, without TLS and upgrades towards callers',
  },
  'shared-state/ports': {
    may: ['base'],
    is: 'Interfaces of the short-lived state that processes share: keys used once, events, throttles, links, held calls, sessions at origins, values of workflows',
  },
  'shared-state/memory': {
    may: ['base', 'shared-state/ports'],
    is: 'The same state in the memory of one process. Only wiring imports it',
  },
  'store/ports': {
    may: ['base', 'model'],
    is: 'Interfaces of the stores. They name no database',
  },
  'store/sql': {
    may: ['base', 'model', 'store/ports'],
    is: 'Queries that every SQL engine answers. They know no file and no connection',
  },
  'store/sqlite': {
    may: ['base', 'model', 'store/ports', 'store/sql', 'store/migrations'],
    is: 'SQLite. `serve/places.ts` alone imports it; SQL is nowhere outside of `store`',
  },
  'store/postgres': {
    may: ['base', 'model', 'store/ports', 'store/sql', 'store/migrations', 'shared-state/ports'],
    is: 'PostgreSQL, which several processes may share. `serve/places.ts` alone imports it',
  },
  'store/valkey': {
    may: ['base', 'store/ports'],
    is: 'Valkey or Redis, for the counters of limits that nodes share. No call waits for a connection. Only wiring imports it',
  },
  'store/migrations': {
    may: ['base', 'model', 'store/ports', 'store/sql'],
    is: 'The steps from one schema of a store to the next',
  },
  record: {
    may: ['base', 'model', 'store/ports', 'vault', 'wire'],
    is: 'Request records, metrics and the audit chain. The gateway hands a record over and never waits',
  },
  snapshot: {
    may: ['base', 'model', 'detectors/settings', 'guardrails/rule', 'snapshot/linked-types', 'snapshot/find'],
    is: 'Fragments are plain data. A snapshot is what a gateway thread serves',
  },
  'snapshot/schema': {
    may: ['base', 'model'],
    is: 'Validates a value against a JSON Schema (2020-12, draft-07) in a bounded number of steps. It prepares only the parts of a schema that values reach',
  },
  'snapshot/offer': {
    may: ['base', 'model', 'snapshot/schema'],
    is: 'Endpoints as capabilities and as OpenAPI. The result is the same in every thread',
  },
  'snapshot/linked-types': {
    may: ['base', 'guardrails/rule', 'snapshot/fragments', 'snapshot/plan', 'snapshot/find'],
    is: 'The types of fragments that a thread has linked',
  },
  'snapshot/find': {
    may: ['base', 'model', 'guardrails', 'snapshot/fragments', 'snapshot/linked-types'],
    is: 'Look-ups of a request, without SQL and without waiting',
  },
  'snapshot/link': {
    may: ['base', 'model', 'vault', 'guardrails/rule', ...SERVED],
    is: 'Makes fragments ready for requests. A fragment that cannot be linked fails closed',
  },
  'snapshot/compile': {
    may: [
      'base',
      'model',
      'vault',
      'store/ports',
      'snapshot',
      'nodes',
      'detectors/settings',
      'guardrails/rule',
    ],
    is: 'The same desired state gives the same fragments. Main thread only',
  },
  gateway: {
    may: [
      'base',
      'model',
      'shared-state/ports',
      ...SERVED,
      'vault',
      'record',
      'wire',
      'nodes/run',
      'nodes/runs',
      'sandbox/port',
      'services/port',
      'guardrails',
    ],
    is: 'The life of a request. It never waits for the database, except to write its idempotency key',
  },
  detectors: {
    may: ['base'],
    is: 'Finds personal data, secrets and instructions for models, in time linear in the text. Gateway threads load it',
  },
  guardrails: {
    may: ['base', 'detectors'],
    is: 'Applies rules to a content, and knows no request. Gateway threads load it, and the main thread for `guardrails.test`',
  },
  sandbox: {
    may: ['base/memory'],
    is: 'Code of workflows reaches nothing but its own memory. `threads/code.ts` alone loads the engine',
  },
  services: {
    may: ['base'],
    is: 'Asks databases for workflows. Connections pass the egress rule; messages of failures contain no secret and no value',
  },
  sinks: {
    may: ['base', 'model', 'store/ports', 'record', 'version'],
    is: 'Sends what happened to other systems, in a thread of its own. A destination that misbehaves holds up no other and no request',
  },
  nodes: {
    may: ['base', 'model', 'snapshot/schema', 'detectors', 'services/port'],
    is: 'Validates a workflow without running it. `nodes/<name>/definition.ts` has a schema, `nodes/<name>/run.ts` has none',
  },
  import: {
    may: ['base', 'model'],
    is: 'Documents of other formats become plain data, without a store',
  },
  'operations/engine': {
    may: [
      'base',
      'model',
      'store/ports',
      'shared-state/ports',
      'access',
      'vault',
      'record',
      'snapshot',
      'guardrails/rule',
    ],
    is: 'How an operation is called, authorized, stored and audited. An operation does not know which interface called it',
  },
  operations: {
    may: [
      'base',
      'model',
      'store/ports',
      'access',
      'vault',
      'record',
      'snapshot',
      'nodes',
      'import',
      'guardrails',
      'sinks/port',
      'operations/engine',
    ],
    is: 'Each folder has one kind of resource, such as `operations/policies/kind.ts`, with its own rules and operations',
  },
  surfaces: {
    may: [
      'base',
      'model',
      'shared-state/ports',
      'access',
      'operations',
      'import/text',
      'mcp/protocol',
      'wire/port',
    ],
    is: 'The interfaces: REST, OpenAPI, Management MCP, CLI, console. They contain no rule',
  },
  'mcp/protocol': {
    may: ['base', 'shared-state/ports'],
    is: 'The codec of MCP. It does not know the product',
  },
  'mcp/consumer': {
    may: [
      'base',
      'model',
      'shared-state/ports',
      ...SERVED,
      'gateway',
      'record',
      'mcp/protocol',
      'mcp/http',
      'mcp/endpoints',
      'vault',
      'wire',
    ],
    is: 'The endpoint `/mcp`. Its calls enter the same stages',
  },
  'mcp/endpoints': {
    may: ['base', 'model', 'snapshot/fragments', 'gateway', 'mcp/protocol', 'mcp/http', 'wire'],
    is: 'Arguments of an agent become the request that REST would have sent; its response becomes a bounded result',
  },
  'mcp/http': {
    may: ['base', 'model', 'shared-state/ports', 'gateway', 'record', 'mcp/protocol', 'wire'],
    is: 'How an MCP endpoint meets HTTP, callers and records; its methods, lists and listens',
  },
  'mcp/origin': {
    may: ['base', 'model', 'mcp/protocol'],
    is: 'The client of origins. It knows no socket',
  },
  'mcp/virtual': {
    may: [
      'base',
      'model',
      'shared-state/ports',
      'snapshot/find',
      'snapshot/linked-types',
      'snapshot/schema',
      'gateway',
      'wire',
      'guardrails',
      'mcp/protocol',
      'mcp/http',
      'mcp/endpoints',
      'mcp/origin',
    ],
    is: 'Virtual MCPs. Lists come from the snapshot; a call enters the same stages',
  },
  oauth: {
    may: ['base', 'model', 'store/ports', 'shared-state/ports', 'vault', 'access', 'record', 'wire'],
    is: 'The authorization server, and the client of identity providers and origins',
  },
  runner: {
    may: ['base', 'model/members', 'import/text', 'mcp/protocol', 'version'],
    is: 'A separate process that starts programs, so that the gateway starts none. Only `command` imports it',
  },
  settings: {
    may: ['base', 'import/text'],
    is: 'One schema of the settings; the docs are printed from it. The file of identity providers is read here',
  },
  version: {
    may: ['base'],
    is: '`package.json` alone has the version',
  },
  'fleet/shared': {
    may: [
      'base',
      'model',
      'store/ports',
      'shared-state/ports',
      'shared-state/memory/shared-cells',
      'snapshot/fragments',
      'snapshot/packed-fragments',
      'gateway',
      'record',
      'wire/port',
      'settings/values',
    ],
    is: 'What all threads say to each other and share in memory, as plain data',
  },
  'fleet/gateway': {
    may: [
      'base',
      'model',
      'shared-state/ports',
      'snapshot/find',
      'snapshot/fragments',
      'snapshot/packed-fragments',
      'gateway',
      'record',
      'wire',
      'fleet/shared',
    ],
    is: 'Runs in gateway threads. It reaches the main thread by messages alone',
  },
  'fleet/main': {
    may: [
      'base',
      'model',
      'store/ports',
      'shared-state/ports',
      'snapshot/fragments',
      'snapshot/packed-fragments',
      'gateway',
      'record',
      'wire/port',
      'settings',
      'fleet/shared',
    ],
    is: 'Runs in the main thread. When a change is answered, it applies in all threads',
  },
  control: {
    may: [
      'base',
      'model',
      'store/ports',
      'shared-state/ports',
      'access',
      'vault',
      'record',
      'wire',
      'settings',
      'snapshot',
      'operations',
      'oauth',
      'surfaces',
      'version',
      'fleet/shared',
      'gateway/forward/try-credential',
      'upkeep/data-files',
      'upkeep/moved',
      'sinks/port',
    ],
    is: 'The control plane: how callers prove their identity, and which interface answers a path',
  },
  upkeep: {
    may: ['base', 'store/ports'],
    is: 'The names of the files of a data directory, and whether its configuration is in a file or in a database',
  },
  'upkeep/kept': {
    may: [
      'base',
      'store/ports',
      'snapshot/fragments',
      'snapshot/packed-fragments',
      'gateway/identify',
      'gateway/idempotency',
      'gateway/kept-answer',
    ],
    is: 'The state that is kept for the next start. It never makes a revoked token valid again',
  },
  'upkeep/start': {
    may: [
      'base',
      'store/ports',
      'vault',
      'record',
      'settings',
      'snapshot/packed-fragments',
      'operations/engine/fragments',
      'upkeep/data-files',
      'upkeep/kept',
    ],
    is: 'A start serves the last state that it can verify, or nothing',
  },
  'upkeep/backup': {
    may: [
      'base',
      'store/ports',
      'vault',
      'record',
      'surfaces/cli/ports',
      'version',
      'upkeep/data-files',
      'upkeep/key-place',
      'upkeep/moved',
    ],
    is: 'An archive is whole or does not exist. A restore leaves all of the old or all of the new',
  },
  'upkeep/migrate': {
    may: [
      'base',
      'store/ports',
      'vault',
      'record',
      'surfaces/cli/ports',
      'upkeep/data-files',
      'upkeep/moved',
    ],
    is: 'A move leaves the database empty, or complete and verified. The data directory says which of the two holds the configuration',
  },
  'upkeep/doctor': {
    may: [
      'base',
      'model',
      'store/ports',
      'vault',
      'record',
      'settings',
      'snapshot/compile',
      'oauth/sign-in',
      'operations/engine/fragments',
      'surfaces/cli',
      'control/identity-provider',
      'access',
      'oauth/federation',
      'operations/access/mcp-access',
      'upkeep/data-files',
      'upkeep/key-place',
      'upkeep/moved',
    ],
    is: 'Looks at everything and changes nothing',
  },
  threads: {
    may: ['*'],
    is: 'Wiring: the entry of each thread',
  },
  serve: {
    may: ['*'],
    is: 'Wiring: opens the parts, connects them and stops them',
  },
  main: {
    may: ['*'],
    is: 'Wiring: the entry of the program',
  },
  command: {
    may: ['*'],
    is: 'Wiring: `up`, `runner`, or a command of the CLI',
  },
}

/** The table in ARCHITECTURE.md. */
export function layersTable(): string {
  const rows = Object.entries(LAYERS).map(
    ([name, { may, is }]) => `| \`${name}\` | ${arrowsOf(may)} | ${is} |\n`,
  )
  return `| folder | may import | what it is, and what it guarantees |\n|---|---|---|\n${rows.join('')}`
}

function arrowsOf(may: readonly string[]): string {
  if (may.length === 0) return '-'
  if (may.includes('*')) return 'everything'
  const isServed = SERVED.every((name) => may.includes(name))
  const named = isServed ? may.map((name) => (name === SERVED[0] ? SNAPSHOTS : name)) : may
  return named.filter((name) => !isServed || !SERVED.includes(name)).join(', ')
}
