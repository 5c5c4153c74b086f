/**
 * Tasks in the forms of both eras: the extension `io.modelcontextprotocol/tasks` of 2026-07-28 (SEP-2663), and the core tasks
 * of 2025-11-25 (basic/utilities: tasks). The states are the same; the members have other names.
 */
import { isMembers, isModernVersion, type Members } from './message.ts'

/** Name of the extension in the capabilities of clients and servers. */
const TASKS_EXTENSION = 'io.modelcontextprotocol/tasks'
/** Member of `_meta` that names the task which a message of 2025-11-25 belongs to. */
const RELATED_TASK = 'io.modelcontextprotocol/related-task'
/** The one revision whose core has tasks. */
export const TASKS_VERSION = '2025-11-25'

/** Characters of the id of a task. */
const ID_CHARS_MAX = 512
const TEXT_CHARS_MAX = 4096
const TIME_CHARS_MAX = 64

const STATUSES = ['working', 'input_required', 'completed', 'failed', 'cancelled'] as const
type TaskStatus = (typeof STATUSES)[number]

/** What a server says of a task in both eras. */
export interface TaskState {
  readonly status: TaskStatus
  readonly statusMessage: string | null
  /** ISO 8601, as the server writes it. */
  readonly createdAt: string
  readonly lastUpdatedAt: string
  /** Milliseconds from the creation; null for no end. */
  readonly ttlMs: number | null
  /** How often the client should ask, milliseconds; null where the server does not say. */
  readonly pollIntervalMs: number | null
}

/** How a server offers tasks: by the extension, by the core of 2025-11-25, or not for calls of tools. */
export type TasksServed = 'extension' | 'core' | null

/** @param capabilities as the server declares them */
export function tasksServed(version: string, capabilities: Members): TasksServed {
  if (isModernVersion(version)) return declaresTasks(capabilities) ? 'extension' : null
  if (version !== TASKS_VERSION) return null
  const called = memberOf(memberOf(memberOf(capabilities['tasks'], 'requests'), 'tools'), 'call')
  return isMembers(called) ? 'core' : null
}

/** True for the capabilities of a client or server that know the extension. */
export function declaresTasks({ extensions }: Members): boolean {
  return isMembers(extensions) && isMembers(extensions[TASKS_EXTENSION])
}

/** The capabilities with the extension among them. */
export function withTasks(capabilities: Members): Members {
  const { extensions } = capabilities
  return {
    ...capabilities,
    extensions: { ...(isMembers(extensions) ? extensions : {}), [TASKS_EXTENSION]: {} },
  }
}

/** Data of the error that a server gives to a client which lacks the extension. */
export const NEEDS_TASKS: Members = Object.freeze({ requiredCapabilities: withTasks({}) })

/** True for the data of such an error. */
export function needsTasks(data: unknown): boolean {
  const needed = memberOf(data, 'requiredCapabilities')
  return isMembers(needed) && declaresTasks(needed)
}

/** True for a task whose status changes no more. */
export function isOver({ status }: TaskState): boolean {
  return status !== 'working' && status !== 'input_required'
}

/** Reads a task of either era; null for what is none. */
export function readTask(value: unknown): { readonly id: string; readonly state: TaskState } | null {
  if (!isMembers(value)) return null
  const { taskId, status, statusMessage, createdAt, lastUpdatedAt } = value
  const known = STATUSES.find((one) => one === status)
  if (typeof taskId !== 'string' || taskId === '' || taskId.length > ID_CHARS_MAX || known === undefined)
    return null
  if (!isTime(createdAt)) return null
  const ttl = value['ttlMs'] ?? value['ttl']
  const poll = value['pollIntervalMs'] ?? value['pollInterval']
  return {
    id: taskId,
    state: {
      status: known,
      statusMessage: typeof statusMessage === 'string' ? statusMessage.slice(0, TEXT_CHARS_MAX) : null,
      createdAt,
      lastUpdatedAt: isTime(lastUpdatedAt) ? lastUpdatedAt : createdAt,
      ttlMs: isDuration(ttl) ? Math.round(ttl) : null,
      pollIntervalMs: isDuration(poll) ? Math.round(poll) : null,
    },
  }
}

/** A task with what belongs to its status: requests to the client, a result, or an error. */
export interface TaskDetail {
  readonly id: string
  readonly state: TaskState
  readonly detail: Members
}

/** Reads a task as 2026-07-28 tells it; null for what is none, or lacks what its status has. */
export function readTaskDetail(value: unknown): TaskDetail | null {
  const read = readTask(value)
  const detail = read === null ? null : detailOf(read.state.status, value as Members)
  return read === null || detail === null ? null : { ...read, detail }
}

function detailOf(status: TaskStatus, { inputRequests, result, error }: Members): Members | null {
  switch (status) {
    case 'input_required':
      return isMembers(inputRequests) ? { inputRequests } : null
    case 'completed':
      return isMembers(result) ? { result } : null
    case 'failed':
      return toRpcError(error)
    default:
      return {}
  }
}

function toRpcError(error: unknown): Members | null {
  if (!isMembers(error) || !Number.isSafeInteger(error['code'])) return null
  const { code, message, data } = error
  return {
    error: {
      code,
      message: typeof message === 'string' ? message : '',
      ...(data === undefined ? {} : { data }),
    },
  }
}

/** The members of a task in the words of one era. */
export function taskMembers(id: string, state: TaskState, isModern: boolean): Members {
  const { status, statusMessage, createdAt, lastUpdatedAt, ttlMs, pollIntervalMs } = state
  return {
    taskId: id,
    status,
    ...(statusMessage === null ? {} : { statusMessage }),
    createdAt,
    lastUpdatedAt,
    [isModern ? 'ttlMs' : 'ttl']: ttlMs,
    ...(pollIntervalMs === null ? {} : { [isModern ? 'pollIntervalMs' : 'pollInterval']: pollIntervalMs }),
  }
}

/**
 * A result, or the parameters of a request, with the mark of 2025-11-25 that it belongs to a task.
 * @param id null takes a mark away
 */
export function relatedTo(id: string | null, content: Members): Members {
  const { _meta, ...rest } = content
  const { [RELATED_TASK]: _, ...kept } = isMembers(_meta) ? _meta : {}
  const meta = id === null ? kept : { ...kept, [RELATED_TASK]: { taskId: id } }
  return Object.keys(meta).length === 0 ? rest : { ...rest, _meta: meta }
}

/** What a tool of 2025-11-25 lets clients do; null where it is not called as a task. */
export function taskSupportOf(tool: Members): 'required' | 'optional' | null {
  const support = memberOf(tool['execution'], 'taskSupport')
  return support === 'required' || support === 'optional' ? support : null
}

function memberOf(value: unknown, name: string): unknown {
  return isMembers(value) && Object.hasOwn(value, name) ? value[name] : undefined
}

function isTime(value: unknown): value is string {
  return typeof value === 'string' && value.length <= TIME_CHARS_MAX && !Number.isNaN(Date.parse(value))
}

function isDuration(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER
}
