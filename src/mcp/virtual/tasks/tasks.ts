/**
 * Tasks at a virtual MCP: work of a tool that continues after its call was answered.
 *
 * 1. Clients get ids that Postern has sealed for them (`task-calls.ts`). No state is stored, and no task is listed.
 * 2. Each message about a task is judged like the call: a tool that was hidden since has no tasks.
 * 3. A client gets tasks only if it supports them. For other clients, Postern itself waits for the end of a task that a tool
 *    insists on.
 * 4. A task of an origin of an earlier era is asked for in the session that has it.
 */
import type { Clock } from '../../../base/clock.ts'
import type { GatewayPort } from '../../../gateway/port.ts'
import type { JoinedVirtualMcp, Member } from '../../../snapshot/find/virtual-mcps.ts'
import type { Sender } from '../../http/message.ts'
import { RPC } from '../../protocol/answer.ts'
import { isMembers, type Members } from '../../protocol/message.ts'
import type { RelayedAnswer, RelayedRequest } from '../../protocol/relay-port.ts'
import {
  declaresTasks,
  NEEDS_TASKS,
  TASKS_VERSION,
  type TasksServed,
  tasksServed,
  withTasks,
} from '../../protocol/tasks.ts'
import { OriginCall, type OriginCallTools, type Target } from '../call/origin-call.ts'
import { MISSING_CAPABILITY } from '../call/origin-error.ts'
import { fitToolResult, withPublicUris } from '../call/results.ts'
import type { StreamsTools } from '../streams/watch-tools.ts'
import { createTaskIds, TaskCall, type TaskCallTools, type TaskPlace } from './task-calls.ts'
import { waitForTask } from './task-following.ts'
import { TaskMessage, UNKNOWN_TASK } from './task-message.ts'
import { type TaskNews, watchTasks } from './task-news.ts'

export interface TaskTools extends OriginCallTools, StreamsTools {
  readonly gateway: GatewayPort
  /** 32 bytes that seal ids of tasks; the same on every thread and node. */
  readonly sealKey: Uint8Array
  readonly clock: Clock
  /** Who alone may use what was sealed for a caller. */
  readonly principalOf: (sender: Sender) => string
}

export interface Tasks {
  /** What clients of one era are told of tasks, as members of the capabilities. */
  capabilities(isModern: boolean): Members
  /**
   * Calls a tool of an origin, as a task where client and tool agree.
   * @param plain calls it where neither speaks of tasks
   */
  call(
    sender: Sender,
    request: RelayedRequest,
    target: Target,
    plain: (target: Target) => void,
    done: Done,
  ): void
  /**
   * Opens what tells a client of 2026-07-28 of its tasks; those that are not there for it are left out.
   * @param ids as the client gave them @param told takes the parameters of a notification
   */
  watch(
    sender: Sender,
    request: RelayedRequest,
    ids: readonly string[],
    told: (task: Members) => void,
  ): TaskNews
  /** Answers a message about a task. False for a method that is not there for the client's revision, or for this virtual MCP. */
  answer(sender: Sender, request: RelayedRequest, done: Done): boolean
}

type Done = (answer: RelayedAnswer) => void

const MODERN_METHODS: ReadonlySet<string> = new Set(['tasks/get', 'tasks/update', 'tasks/cancel'])
const CORE_METHODS: ReadonlySet<string> = new Set(['tasks/get', 'tasks/result', 'tasks/cancel'])

/** The tasks of a virtual MCP as it is in one snapshot. */
export function createTasks(joined: JoinedVirtualMcp, tools: TaskTools): Tasks {
  const { capabilities, members } = joined
  const ids = createTaskIds(tools.sealKey, joined.virtualMcp.id, tools.clock)
  // Guardrails look at results of calls: where some do, no work goes on behind them
  const served = new Map(
    [...members].map(([id, member]) => [id, isGuarded(member) ? null : servedBy(member)]),
  )
  const hasAny = [...served.values()].some((one) => one !== null)
  const callTools: TaskCallTools = {
    ask: (sender, request, target, done) =>
      new OriginCall(joined, tools, sender, request, target, done).begin(),
    seal: (sender, place, ttlMs) => ids.seal(tools.principalOf(sender), place, ttlMs),
    wait(waited, origin, done) {
      // Origins of targets and places are members
      const member = members.get(origin)!
      waitForTask(
        tools,
        { ...waited, member, shown: (result) => shown(origin, result, waited.request) },
        done,
      )
    },
    shown,
  }

  function shown(origin: string, result: Members, { version }: Pick<RelayedRequest, 'version'>): Members {
    const toPublicUri = (uri: string, isQuick: boolean): string =>
      capabilities.publicUri(origin, uri, isQuick)
    const fitted = fitToolResult(result, { version, isModernOrigin: served.get(origin) === 'extension' })
    return withPublicUris('tools/call', fitted, toPublicUri, null)
  }

  /** The caller still sees the tool, and its origin still has such tasks. */
  function isThere({ member, tool, isModern }: TaskPlace, { caller }: Sender): boolean {
    if (served.get(member) !== (isModern ? 'extension' : 'core')) return false
    const item = capabilities.find(tools.gateway.policySubject(caller), 'tools', tool)
    return item?.member === member
  }

  return {
    capabilities(isModern) {
      if (!hasAny) return {}
      return isModern ? withTasks({}) : { tasks: { cancel: {}, requests: { tools: { call: {} } } } }
    },

    call(sender, request, target, plain, done) {
      const by = served.get(target.member) ?? null
      if (by === null && target.params['task'] === undefined) return plain(target)
      const { task: asked, ...params } = target.params
      const { isModern, version } = request
      const { taskSupport = null } = target
      const call = new TaskCall(callTools, sender, request, { ...target, params }, done)
      if (!isModern && isMembers(asked) && version === TASKS_VERSION && hasAny) {
        const { ttl } = asked
        if (by === 'core' && taskSupport !== null) call.ofCore(typeof ttl === 'number' ? { ttl } : {})
        else done(notAsTask(target.name))
      } else if (by === 'core' && taskSupport === 'required') {
        if (isModern && declaresTasks(request.clientCapabilities)) call.ofCore({})
        else call.endOfCore()
      } else if (by === 'extension' && !isModern) call.endOfExtension()
      else if (by === 'extension' && declaresTasks(request.clientCapabilities)) call.ofExtension()
      else plain(asked === undefined ? target : { ...target, params })
    },

    watch(sender, request, asked, told) {
      const tasks = asked.flatMap((id) => {
        const place = ids.open(tools.principalOf(sender), id)
        return place === null || !isThere(place, sender) ? [] : [{ id, place }]
      })
      return watchTasks(tools, { joined, sender, request, tasks, shown, told })
    },

    answer(sender, request, done) {
      const { method, params, isModern, version, received } = request
      const methods = isModern ? MODERN_METHODS : CORE_METHODS
      if (!hasAny || !methods.has(method) || (!isModern && version !== TASKS_VERSION)) return false
      if (isModern && !declaresTasks(request.clientCapabilities)) {
        done(NOT_DECLARED)
        return true
      }
      const { taskId } = params
      const place = typeof taskId === 'string' ? ids.open(tools.principalOf(sender), taskId) : null
      if (place === null || !isThere(place, sender)) {
        done(UNKNOWN_TASK)
        return true
      }
      received.tool = place.tool
      new TaskMessage(callTools, sender, request, String(taskId), place, done).answer()
      return true
    },
  }
}

/** The answer to a client of 2026-07-28 that asks for tasks and declares none. */
export const NOT_DECLARED: RelayedAnswer = {
  kind: 'error',
  code: MISSING_CAPABILITY,
  message: 'The client does not declare tasks',
  data: NEEDS_TASKS,
  status: 400,
}

/** 2025-11-25, basic/utilities: tasks (tool-level negotiation). */
function notAsTask(tool: string): RelayedAnswer {
  const message = `The tool cannot be called as a task: ${tool.slice(0, 128)}`
  return { kind: 'error', code: RPC.methodNotFound, message }
}

function isGuarded({ guardrails }: Member): boolean {
  return guardrails !== null && (guardrails.request !== null || guardrails.response !== null)
}

function servedBy({ origin: { fragment } }: Member): TasksServed {
  const { verdict } = fragment
  if (verdict === null) return null
  // As the probe has read it
  return tasksServed(verdict.version, JSON.parse(verdict.capabilities) as Members)
}
