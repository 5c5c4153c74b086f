/** The processes that share one database. An instance with files is a single node. */
import { z } from 'zod'
import { toTime } from '../../base/clock.ts'
import { refuse } from '../../base/refusal.ts'
import { unit } from '../../model/annotations.ts'
import { Time } from '../../model/members.ts'
import { LIVE_MS, type NodeRow } from '../../store/ports/nodes.ts'
import type { OperationContext } from '../engine/context.ts'
import { define, subjectById } from '../engine/define.ts'

const NodeView = z.object({
  id: z.string(),
  name: z.string().describe('Host and port of the gateway listener'),
  role: z.literal('all').describe('all: gateway and control plane'),
  state: z
    .enum(['ready', 'draining', 'silent'])
    .describe(
      'draining: not ready for requests; silent: not heard of for 10 seconds, and not counted for limits',
    ),
  answers: z.boolean().describe('The node that answers this request'),
  version: z.string(),
  revision: z.int().describe('Configuration revision that the node has in force'),
  pending_revision: z
    .int()
    .nullable()
    .describe('Later configuration revision that the node has not acknowledged; null for none'),
  records_waiting: z.int().describe('Request records that wait for the database'),
  clock_difference_ms: z
    .int()
    .meta(unit('ms'))
    .nullable()
    .describe('Clock of the node minus clock of the database; null: not measured'),
  seen_at: Time.describe('Last heartbeat'),
  joined_at: Time,
})
type NodeView = z.output<typeof NodeView>

const COLUMNS = [
  'id',
  'name',
  'state',
  'version',
  'revision',
  'pending_revision',
  'records_waiting',
  'seen_at',
]

async function viewsOf({ nodes, reader }: OperationContext): Promise<NodeView[]> {
  const latest = await reader.revision()
  const { rows, self, now } = await nodes.read()
  return rows.map((row) => viewOf(row, { self, now, latest }))
}

function viewOf(
  row: NodeRow,
  { self, now, latest }: { readonly self: string; readonly now: number; readonly latest: number },
): NodeView {
  const isSilent = row.silentMs >= LIVE_MS
  return {
    id: row.id,
    name: row.name,
    role: 'all',
    state: isSilent ? 'silent' : row.isDraining ? 'draining' : 'ready',
    answers: row.id === self,
    version: row.facts.version,
    revision: row.held.revision,
    pending_revision: row.held.revision < latest ? latest : null,
    records_waiting: row.facts.recordsWaiting,
    clock_difference_ms: row.facts.skewMs,
    seen_at: toTime(now - row.silentMs),
    joined_at: toTime(row.joinedAt),
  }
}

async function findNode(id: string, context: OperationContext): Promise<NodeView> {
  const found = (await viewsOf(context)).find((one) => one.id === id)
  if (found === undefined) throw absent(id)
  return found
}

function absent(id: string) {
  return refuse('not_found', { detail: `There is no node "${id}".` })
}

const NodeId = z.string().min(1).max(64)

const subject = subjectById('node')

export const listProcesses = define({
  resource: 'nodes',
  action: 'list',
  effect: 'read',
  tool: 'list_processes',
  group: 'manage_config',
  summary: 'List the nodes of this installation',
  input: z.strictObject({}),
  output: z.object({ items: z.array(NodeView), next_cursor: z.null() }),
  permission: 'nodes:read',
  refuses: [],
  columns: COLUMNS,
  unscoped: true,
  subject: () => ({ type: 'node', id: null, slug: null }),
  handle: async (_input, context) => ({ items: await viewsOf(context), next_cursor: null }),
})

export const getProcess = define({
  resource: 'nodes',
  action: 'get',
  effect: 'read',
  // The list has all of it
  tool: null,
  group: 'manage_config',
  summary: 'Get a node',
  input: z.strictObject({ id: NodeId }),
  output: NodeView,
  permission: 'nodes:read',
  refuses: ['not_found'],
  columns: COLUMNS,
  unscoped: true,
  subject,
  handle: ({ id }, context) => findNode(id, context),
})

export const drainProcess = define({
  resource: 'nodes',
  action: 'drain',
  effect: 'act',
  idempotent: true,
  tool: 'drain_process',
  group: 'manage_config',
  summary: 'Make a node not ready, so that load balancers send it no requests; it serves until it is stopped',
  input: z.strictObject({
    id: NodeId,
    draining: z.boolean().default(true).describe('false: ready again'),
  }),
  output: NodeView,
  permission: 'nodes:update',
  refuses: ['not_found', 'idempotency_conflict'],
  columns: COLUMNS,
  unscoped: true,
  subject,
  handle: async ({ id, draining }, context) => {
    const found = await findNode(id, context)
    const state = draining ? ('draining' as const) : ('ready' as const)
    context.change.tell({ op: 'replace', path: '/state', from: found.state, value: state })
    if (context.options.dryRun === true) return { ...found, state }
    if (!(await context.nodes.drain(id, draining))) throw absent(id)
    return findNode(id, context)
  },
})

export const removeProcess = define({
  resource: 'nodes',
  action: 'remove',
  effect: 'act',
  idempotent: true,
  tool: 'remove_process',
  group: 'manage_config',
  summary: 'Forget a silent node that is known to have ended, so that changes no longer wait for it',
  input: z.strictObject({ id: NodeId }),
  output: NodeView,
  permission: 'nodes:update',
  refuses: ['not_found', 'in_use', 'idempotency_conflict'],
  columns: COLUMNS,
  unscoped: true,
  subject,
  handle: async ({ id }, context) => {
    const found = await findNode(id, context)
    if (found.state !== 'silent')
      throw refuse('in_use', {
        detail: `Node "${found.name}" is alive: its last heartbeat was at ${found.seen_at}. Stop it; then it leaves by itself.`,
      })
    context.change.tell({ op: 'remove', path: '', from: found.name })
    if (context.options.dryRun !== true && !(await context.nodes.remove(id))) throw absent(id)
    return found
  },
})
