/**
 * The arguments of tools that are also sent in headers at origins of 2026-07-28. If the origin has changed them, it refuses
 * the call before it runs (-32020). Then its tools are listed, and the call is sent once more.
 *
 * 1. A thread lists the tools of one origin once in {@link LIST_MS} for all refused calls. At an origin whose lists may
 *    differ by caller, it lists them for each call.
 * 2. The main thread is told, and reads the whole catalogue. The list of this thread holds until a new snapshot has the tool.
 */
import type { Clock } from '../../../base/clock.ts'
import type { LinkedOrigin } from '../../../snapshot/linked-types/mcp.ts'
import type { OriginReply } from '../../origin/answer.ts'
import { type MirroredParam, mirroredFault, mirroredParams } from '../../origin/envelope.ts'
import { isMembers, type Members } from '../../protocol/message.ts'
import { createSseSessions, type SseSessions, type SseSessionsTools } from '../sessions/sse-sessions.ts'
import {
  createStandaloneStreams,
  type StandaloneStreams,
  type StandaloneStreamsTools,
} from '../sessions/standalone-streams.ts'

/** Asks for a page of the tools of an origin, in the name of the caller. @param params with the cursor. Never rejects. */
type ListTools = (params: Members) => Promise<OriginReply>

export interface ArgumentHeaders {
  /** The marked arguments of a tool. @param schema as the snapshot has it */
  of(schema: Members): readonly MirroredParam[]
  /**
   * Lists the tools of an origin that has refused the headers of a call.
   * @param tool its name at the origin
   * @returns when {@link of} gives what the origin has listed. Never rejects.
   */
  renew(origin: LinkedOrigin, tool: string, schema: Members, list: ListTools): Promise<void>
}

export interface ArgumentHeadersTools {
  readonly clock: Pick<Clock, 'monotonic'>
  readonly isPersonal: (origin: LinkedOrigin) => boolean
  /** The catalogue of an origin does not say any more what the origin does. @param origin its id */
  readonly stale: (origin: string) => void
}

/** By the name of the tool; without those whose marks are not legal. */
type Marks = ReadonlyMap<string, readonly MirroredParam[]>

const LIST_MS = 5000
const PAGES_MAX = 100

function createArgumentHeaders({ clock, isPersonal, stale }: ArgumentHeadersTools): ArgumentHeaders {
  const renewed = new WeakMap<Members, readonly MirroredParam[]>()
  const listed = new WeakMap<LinkedOrigin, { readonly at: number; readonly marks: Promise<Marks> }>()

  function marksOf(origin: LinkedOrigin, list: ListTools): Promise<Marks> {
    const at = clock.monotonic()
    const last = listed.get(origin)
    if (last !== undefined && at - last.at < LIST_MS && !isPersonal(origin)) return last.marks
    stale(origin.id)
    const marks = readMarks(list)
    listed.set(origin, { at, marks })
    return marks
  }

  return {
    of: (schema) => renewed.get(schema) ?? mirroredParams(schema),
    async renew(origin, tool, schema, list) {
      const marks = (await marksOf(origin, list)).get(tool)
      if (marks !== undefined) renewed.set(schema, marks)
    },
  }
}

async function readMarks(list: ListTools): Promise<Marks> {
  const marks = new Map<string, readonly MirroredParam[]>()
  let params: Members = {}
  for (let page = 0; page < PAGES_MAX; page++) {
    const reply = await list(params)
    if (reply.kind !== 'result') break
    const { tools, nextCursor } = reply.result
    for (const tool of Array.isArray(tools) ? (tools as readonly unknown[]) : []) {
      const { name, inputSchema } = isMembers(tool) ? tool : {}
      if (typeof name === 'string' && isMembers(inputSchema) && mirroredFault(inputSchema) === null)
        marks.set(name, mirroredParams(inputSchema))
    }
    if (typeof nextCursor !== 'string') break
    params = { cursor: nextCursor }
  }
  return marks
}

/** What all calls of one gateway thread to origins share, whoever makes them. */
export interface OriginAccess {
  readonly own: SseSessionsTools['own']
  readonly standaloneStreams: StandaloneStreams
  readonly streams: SseSessions
  readonly argumentHeaders: ArgumentHeaders
}

export function createOriginAccess(
  tools: StandaloneStreamsTools & SseSessionsTools & ArgumentHeadersTools,
): OriginAccess {
  return {
    own: tools.own,
    standaloneStreams: createStandaloneStreams(tools),
    streams: createSseSessions(tools),
    argumentHeaders: createArgumentHeaders(tools),
  }
}
