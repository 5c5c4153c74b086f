import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Grant, Principal, Role } from '../src/access/principal.ts'
import { type ClockCell, createClock, createClockCell, moveClock } from '../src/base/clock.ts'
import { Refusal, type RefusalCode } from '../src/base/refusal.ts'
import { type CatalogueState, EMPTY_CATALOGUE } from '../src/model/mcp/capability-drift.ts'
import type { WholeRecord } from '../src/model/record.ts'
import { createCaptureMemory } from '../src/operations/captures/memory.ts'
import type { Invoked, Via } from '../src/operations/engine/call.ts'
import type { Invoke, Operation } from '../src/operations/engine/define.ts'
import { createFragmentPublisher, outdatedFragments } from '../src/operations/engine/fragments.ts'
import { createInvoke, type InvokeDeps } from '../src/operations/engine/invoke.ts'
import type { RecordQueries } from '../src/operations/engine/ports.ts'
import type { WriteOptions } from '../src/operations/engine/write-options.ts'
import { createExportJobs } from '../src/operations/exports/jobs.ts'
import { OPERATIONS, REGISTRY } from '../src/operations/registry.ts'
import { type AuditTrail, createAuditTrail } from '../src/record/audit-chain.ts'
import { secureTrail } from '../src/record/audit-continuity.ts'
import { type AuditMarkFile, openMarkOf } from '../src/record/audit-mark.ts'
import { openExportFiles } from '../src/record/export-files.ts'
import type { SnapshotDelta } from '../src/snapshot/packed-fragments.ts'
import type { ConfigStore } from '../src/store/ports/config.ts'
import { keyedProofOf, openVault } from '../src/vault/open.ts'
import type { Vault } from '../src/vault/vault.ts'
import { EGRESS } from './support/egress.ts'
import { openTestStore } from './support/test-database.ts'

/** What a probe finds at a server that lists nothing. */
export const EMPTY_FOUND: CatalogueState = {
  verdict: {
    era: 'modern',
    version: '2026-07-28',
    transport: 'streamable_http',
    server: { name: 'empty', version: '1' },
    capabilities: {},
    instructions: '',
    at: '2026-08-01T00:00:00Z',
  },
  catalogue: EMPTY_CATALOGUE,
  warnings: [],
  ttl_ms: null,
}

const NO_FAULTS = { groups: [], total: 0, requests: 0, wouldRefuse: 0, read: 0, completeFrom: null }

export const VIA: Via = {
  surface: 'management_api',
  requestId: 'req_test',
  ip: '127.0.0.1',
  userAgent: 'test/1',
  http: { method: 'POST', url: '/management/v1/test' },
  agent: null,
}

export function principalOf(role: Role, grants: readonly Grant[] = [{ role }]): Principal {
  return {
    id: `tok_${role}`,
    type: 'user',
    name: role,
    authMethod: 'access_token',
    grants,
    expiresAt: null,
  }
}

/** The registry, and what invoke asks of other threads, where there are none. */
export const UNSERVED: Pick<
  InvokeDeps,
  | 'registry'
  | 'records'
  | 'exports'
  | 'explainer'
  | 'replayer'
  | 'trials'
  | 'captures'
  | 'nodes'
  | 'sinks'
  | 'guardrails'
  | 'credentials'
  | 'origins'
  | 'authorizations'
  | 'upstreams'
  | 'egress'
  | 'limits'
  | 'localSignIn'
  | 'mappedGrants'
  | 'settings'
  | 'instance'
  | 'gatewayOrigin'
  | 'trail'
> = {
  registry: REGISTRY,
  records: {
    list: async () => ({ items: [], next_cursor: null }),
    get: async () => undefined,
    follow: async () => ({ items: [], next_cursor: 'next', missed: false }),
    remove: async () => ({ removed: 0, more: false }),
    metrics: async () => ({
      groups: [],
      total: 0,
      ungrouped: 0,
      omitted: 0,
      read: 0,
      rolled: null,
      completeFrom: null,
    }),
    contract: async () => NO_FAULTS,
  },
  exports: {
    faultOf: async () => 'Nobody makes files here.',
    begin: () => assert.fail('nobody makes files here'),
    add: async (one) => one,
    find: async () => undefined,
    all: async () => [],
    read: async () => undefined,
    cancel: async () => undefined,
    sweep: () => Promise.resolve(),
    stop: () => Promise.resolve(),
  },
  replayer: { replay: () => Promise.reject(new Error('nobody listens')) },
  captures: createCaptureMemory(createClock(), () => Promise.resolve()),
  nodes: {
    read: async () => ({ rows: [], self: '', now: Date.now() }),
    drain: async () => false,
    remove: async () => false,
  },
  sinks: {
    writesFiles: false,
    test: async () => ({ ok: true, summary: 'answered 204', latency_ms: 1 }),
  },
  trials: { run: () => Promise.reject(new Error('nobody listens')) },
  guardrails: { run: () => Promise.reject(new Error('nobody listens')) },
  explainer: { explain: () => Promise.reject(new Error('nobody listens')) },
  credentials: {
    test: () => Promise.reject(new Error('nobody listens')),
    faultOf: () => null,
    uses: async () => new Map(),
  },
  origins: { probe: async () => ({ steps: [], found: EMPTY_FOUND }) },
  authorizations: { find: () => Promise.reject(new Error('nobody listens')) },
  upstreams: { health: async () => null },
  egress: EGRESS,
  limits: { read: () => null, nodes: 1, leaseState: 'off' },
  settings: [{ name: 'POSTERN_LISTEN', value: ':9000', source: 'flag', default: '127.0.0.1:8080' }],
  instance: {
    version: '1.2.3',
    environment: null,
    gatewayUrl: 'http://gateway.test',
    managementUrl: 'http://control.test',
  },
  mappedGrants: [],
  gatewayOrigin: 'http://localhost:8080',
  localSignIn: { setUpUrl: (token) => `http://localhost:8080/oauth/setup?token=${token}` },
  trail: { verify: () => Promise.reject(new Error('there is no trail')) },
}

/** A control plane without surfaces: a real store in a directory of its own, and every delta it published. */
export interface Control {
  readonly directory: string
  readonly store: ConfigStore
  readonly vault: Vault
  /** The mark of the audit trail. */
  readonly mark: AuditMarkFile
  readonly cell: ClockCell
  readonly published: SnapshotDelta[]
  readonly asked: Record<string, unknown>[]
  readonly invoke: Invoke
  /** Runs `resource.action` as an admin, as `role`, or with `grants`. */
  run(
    name: string,
    input: unknown,
    options?: WriteOptions & { role?: Role; grants?: readonly Grant[]; via?: Partial<Via> },
  ): Promise<Invoked>
  move(ms: number): void
  /** Also proves that the stored fragments are what the configuration compiles to. @param isTampered another program has written to the store */
  close(isTampered?: boolean): Promise<void>
}

export function operationOf(name: string): Operation {
  const found = OPERATIONS.find((one) => `${one.resource}.${one.action}` === name)
  if (found === undefined) throw new Error(`no operation ${name}`)
  return found
}

export async function startControl(
  options: { directory?: string; deps?: Partial<InvokeDeps> } = {},
): Promise<Control> {
  const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'postern-'))
  const store = await openTestStore(join(directory, 'config.db'))
  const vault = await openVault(store, join(directory, 'vault.key'))
  const cell = createClockCell()
  const clock = createClock(cell)
  const mark = await secured(directory, store, vault)
  const published: SnapshotDelta[] = []
  const asked: Record<string, unknown>[] = []
  const records: RecordQueries = {
    contract: async ({ selection }) => {
      asked.push({ ...selection })
      return NO_FAULTS
    },
    list: async (filter) => {
      asked.push(filter)
      return { items: [], next_cursor: null }
    },
    get: async (id): Promise<WholeRecord | undefined> => {
      asked.push({ id })
      return undefined
    },
    follow: async (filter) => {
      asked.push(filter)
      return { items: [], next_cursor: 'next', missed: false }
    },
    remove: async (selection) => {
      asked.push(selection)
      return { removed: 0, more: false }
    },
    metrics: async (question) => {
      asked.push({ ...question.selection })
      return UNSERVED.records.metrics(question)
    },
  }
  const fault = (error: unknown): void => {
    throw error
  }
  const exports = createExportJobs({
    store: openExportFiles(join(directory, 'exports'), fault),
    clock,
    records: options.deps?.records ?? records,
    reader: store.read,
    fault,
  })
  const invoke = createInvoke({
    store,
    vault,
    clock,
    ...UNSERVED,
    exports,
    records,
    trail: createAuditTrail(store, clock, vault.trailKey(), mark),
    publisher: createFragmentPublisher({
      reader: store.read,
      revision: await store.read.revision(),
      send: async (delta) => {
        published.push(delta)
        return { pending: false }
      },
    }),
    ...options.deps,
  })
  return {
    directory,
    store,
    vault,
    mark,
    cell,
    published,
    asked,
    invoke,
    run: (name, input, { role = 'admin', grants, via = {}, ...write } = {}) =>
      invoke(operationOf(name), input, write, principalOf(role, grants), { ...VIA, ...via }),
    move: (ms) => moveClock(cell, ms),
    close: async (isTampered = false) => {
      await exports.stop()
      if (!isTampered) assert.deepEqual(await outdatedFragments(store), [])
      await store.close()
      if (options.directory === undefined) rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** Gives a store the key and the mark of its audit trail. */
export async function secured(directory: string, store: ConfigStore, vault: Vault): Promise<AuditMarkFile> {
  const mark = openMarkOf(directory, vault, (error) => {
    throw error
  })
  const { fault } = await secureTrail({
    store,
    clock: createClock(),
    seed: vault.trailKey(),
    mark,
    proof: keyedProofOf(vault),
  })
  assert.equal(fault, null)
  return mark
}

/** The audit trail of a control plane. */
export function trailIn({ store, vault, cell, mark }: Control): AuditTrail {
  return createAuditTrail(store, createClock(cell), vault.trailKey(), mark)
}

/** Passes when the work is refused with the code; returns the refusal. */
export async function refused(work: Promise<unknown>, code: RefusalCode): Promise<Refusal> {
  try {
    await work
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    if (error.code === code) return error
    throw new Error(`refused with ${error.code} (${error.message}), not with ${code}`, { cause: error })
  }
  throw new Error(`was not refused with ${code}`)
}

export const ORDERS = {
  name: 'Orders',
  slug: 'orders',
  base_path: '/orders',
  upstream: { targets: [{ url: 'http://127.0.0.1:9000' }] },
}

/** The worked example: a published collection with one proxy, a policy, a client and its profiles. */
export async function example(control: Control): Promise<{ token: string }> {
  await control.run('collections.create', ORDERS)
  await control.run('proxies.create', {
    collection: 'orders',
    name: 'Get order',
    methods: ['GET'],
    path: '/v1/orders/{id}',
    status: 'published',
  })
  await control.run('collections.publish', { id: 'orders' })
  await control.run('policies.create', {
    name: 'Gold',
    slug: 'gold',
    limits: [{ name: 'minute', kind: 'rate', max: 1000, window: '1m' }],
  })
  await control.run('clients.create', { name: 'Acme', slug: 'acme', collections: ['orders'], policy: 'gold' })
  const { output } = await control.run('profiles.create', {
    client: 'acme',
    name: 'Sandbox',
    slug: 'sandbox',
    auth: { type: 'token' },
  })
  await control.run('profiles.create', { client: 'acme', name: 'Open', slug: 'open', auth: { type: 'none' } })
  return { token: String(output['token']) }
}
