/** Calls of tools that are tasks, or become tasks, in the forms of client and origin. */

import { hash } from 'node:crypto'
import type { Clock } from '../../../base/clock.ts'
import type { Sender } from '../../http/message.ts'
import { isMembers, isModernVersion, type Members } from '../../protocol/message.ts'
import type { RelayedAnswer, RelayedRequest } from '../../protocol/relay-port.ts'
import { createSealer } from '../../protocol/sealed-elicitation.ts'
import { isOver, needsTasks, readTask, relatedTo, taskMembers, withTasks } from '../../protocol/tasks.ts'
import type { Target } from '../call/origin-call.ts'
import { MISSING_CAPABILITY } from '../call/origin-error.ts'
import {
  type Handling,
  NO_TASK,
  type OriginLine,
  PASSED,
  TAKEN,
  type TaskTerms,
} from '../call/origin-line.ts'
import { resultFor } from '../call/results.ts'
import type { WaitedTask } from './task-following.ts'

type Done = (answer: RelayedAnswer) => void

/** What calls need of the virtual MCP that they belong to. */
export interface TaskCallTools {
  /** Sends a request to its origin, by way of the stages. */
  ask(sender: Sender, request: RelayedRequest, target: Target, done: Done): void
  /** Null for a place that is too long for an id. */
  seal(sender: Sender, place: TaskPlace, ttlMs: number | null): string | null
  wait(waited: Omit<WaitedTask, 'member' | 'shown'>, origin: string, done: Done): void
  /** A result of a tool of an origin, as callers see it. @param origin its id */
  shown(origin: string, result: Members, client: Pick<RelayedRequest, 'version'>): Members
}

/** One call of a tool. */
export class TaskCall {
  readonly #tools: TaskCallTools
  readonly #sender: Sender
  readonly #request: RelayedRequest
  readonly #target: Target
  readonly #done: Done

  constructor(tools: TaskCallTools, sender: Sender, request: RelayedRequest, target: Target, done: Done) {
    this.#tools = tools
    this.#sender = sender
    this.#request = request
    this.#target = target
    this.#done = done
  }

  /** At an origin of the extension, for a client that knows it: the origin decides whether the call becomes a task. */
  ofExtension(): void {
    this.#ask(this.#request, this.#target, {
      replied: (reply, line) => {
        if (reply.kind !== 'result' || reply.result['resultType'] !== 'task') return PASSED
        return this.#created(reply.result, reply.result['_meta'], line)
      },
    })
  }

  /** As a core task. @param task what the client says of it */
  ofCore(task: Members): void {
    this.#askAsTask(task, (result, line) => this.#created(result['task'], result['_meta'], line))
  }

  /** As a core task whose end Postern waits for, since the client knows no tasks. What the task says comes with its result. */
  endOfCore(): void {
    this.#askAsTask({}, (created, line) => {
      const read = readTask(created['task'])
      if (read === null) return NO_TASK
      const params = { taskId: read.id }
      const terms: TaskTerms = {
        session: line.sessionId,
        progressToken: this.#sender.requestId,
        replied: (reply) => {
          if (reply.kind !== 'result') return PASSED
          const result = this.#tools.shown(this.#target.member, relatedTo(null, reply.result), this.#request)
          this.#done({ kind: 'result', text: resultFor('tools/call', result, false, this.#request.isModern) })
          return TAKEN
        },
        gaveUp: (own) => void own.inquire('tasks/cancel', params, {}),
      }
      // An id is used once in a session
      const waiting = { ...this.#sender, requestId: `${this.#sender.requestId}.result` }
      const target = { ...this.#target, params, task: terms }
      this.#tools.ask(waiting, { ...this.#request, method: 'tasks/result' }, target, this.#done)
      return TAKEN
    })
  }

  /** For a client of an earlier era: where the origin insists on a task, Postern knows tasks, and waits for the end. */
  endOfExtension(): void {
    const able = { ...this.#request, clientCapabilities: withTasks(this.#request.clientCapabilities) }
    const asTask: TaskTerms = {
      replied: (reply, line) => {
        if (reply.kind !== 'result' || reply.result['resultType'] !== 'task') return PASSED
        const begun = readTask(reply.result)
        if (begun === null) return NO_TASK
        // What belongs to another status comes with the first question
        const first = { ...begun, state: { ...begun.state, status: 'working' as const }, detail: {} }
        const drop = (): void =>
          void line.inquire('tasks/cancel', { taskId: begun.id }, able.clientCapabilities)
        const mark = (content: Members): Members => content
        const waited = { sender: this.#sender, request: able, line, first, mark, drop }
        this.#tools.wait(waited, this.#target.member, this.#done)
        return TAKEN
      },
    }
    this.#ask(this.#request, this.#target, {
      replied: (reply) => {
        const isMissing = reply.kind === 'error' && reply.error.code === MISSING_CAPABILITY
        if (!isMissing || !needsTasks(reply.error.data)) return PASSED
        // It was refused before anything was done
        const again = { ...this.#sender, requestId: `${this.#sender.requestId}.task` }
        this.#tools.ask(again, able, { ...this.#target, task: asTask }, this.#done)
        return TAKEN
      },
    })
  }

  #ask(request: RelayedRequest, target: Target, task: TaskTerms): void {
    this.#tools.ask(this.#sender, request, { ...target, task }, this.#done)
  }

  #askAsTask(task: Members, created: (result: Members, line: OriginLine) => Handling): void {
    const target = { ...this.#target, params: { ...this.#target.params, task } }
    this.#ask(this.#request, target, {
      replied: (reply, line) => (reply.kind === 'result' ? created(reply.result, line) : PASSED),
    })
  }

  /** Tells the client of the task, under an id of its own. */
  #created(value: unknown, meta: unknown, line: OriginLine): Handling {
    const read = readTask(value)
    if (read === null) return NO_TASK
    const { member, name: tool } = this.#target
    const isModernOrigin = isModernVersion(line.version)
    const place = { member, tool, id: read.id, session: line.sessionId, isModern: isModernOrigin }
    const id = this.#tools.seal(this.#sender, place, read.state.ttlMs)
    if (id === null) return { kind: 'refused', reason: 'the id of its task is too long' }
    if (!isModernOrigin && !isOver(read.state)) line.taskBegan(read.id, read.state.ttlMs)
    const { isModern } = this.#request
    const task = taskMembers(id, read.state, isModern)
    const more = relatedTo(null, isMembers(meta) ? { _meta: meta } : {})
    const result = isModern ? { resultType: 'task', ...task, ...more } : { task, ...more }
    this.#done({ kind: 'result', text: JSON.stringify(result) })
    return TAKEN
  }
}

// Ids of tasks for clients: the place of the task at its origin, sealed for one principal at one virtual MCP. No state is
// stored, so every thread and node finds the task.
//
// 1. Broken, foreign and expired ids get the same answer: unknown.
// 2. An id proves nothing. Its sender was authenticated before, and the capability policy is asked again.

/** Where a task is. */
export interface TaskPlace {
  /** Id of the origin. */
  readonly member: string
  /** Public name of the tool that was called. */
  readonly tool: string
  /** Id of the task at the origin. */
  readonly id: string
  /** Session of an origin of an earlier era that has the task; null for one without sessions. */
  readonly session: string | null
  /** The origin spoke 2026-07-28 or later. */
  readonly isModern: boolean
}

export interface TaskIds {
  /**
   * @param principal who alone may use the id
   * @param ttlMs what the origin says, null for no end. The origin may prolong it, so that an id holds for a day at least.
   * @returns null for a place that is too long
   */
  seal(principal: string, place: TaskPlace, ttlMs: number | null): string | null
  open(principal: string, id: string): TaskPlace | null
}

/** Characters of an id: it travels in a header. */
const ID_CHARS_MAX = 3072
/** How long an id holds, milliseconds. */
const HOLDS_MS = { least: 24 * 3_600_000, most: 30 * 24 * 3_600_000 }

type Sealed = readonly [
  principal: string,
  expiresAt: number,
  member: string,
  tool: string,
  id: string,
  session: string | null,
  isModern: boolean,
]

/** @param keyBytes 32 bytes, the same on every thread and node. @param virtualMcp id of the virtual MCP */
export function createTaskIds(keyBytes: Uint8Array, virtualMcp: string, clock: Clock): TaskIds {
  const sealer = createSealer(keyBytes, `mcp-task:1:${virtualMcp}`, ID_CHARS_MAX)
  return {
    seal(principal, { member, tool, id, session, isModern }, ttlMs) {
      const holdsMs = Math.min(HOLDS_MS.most, Math.max(HOLDS_MS.least, ttlMs ?? HOLDS_MS.most))
      const expiresAt = clock.now() + holdsMs
      const text: Sealed = [nameOf(principal), expiresAt, member, tool, id, session, isModern]
      const sealed = sealer.seal(JSON.stringify(text))
      return sealed.length > ID_CHARS_MAX ? null : sealed
    },
    open(principal, sealed) {
      const opened = sealer.open(sealed)
      if (opened === null) return null
      // Sealed above
      const [of, expiresAt, member, tool, id, session, isModern] = JSON.parse(opened.text) as Sealed
      if (of !== nameOf(principal) || clock.now() > expiresAt) return null
      return { member, tool, id, session, isModern }
    },
  }
}

function nameOf(principal: string): string {
  return hash('sha256', principal, 'base64url').slice(0, 22)
}
