/**
 * A message of a client about one of its tasks. It goes to the origin as a request of the client, through the stages. If the
 * eras divide messages differently, further requests fetch the rest.
 */
import type { Sender } from '../../http/message.ts'
import type { OriginReply } from '../../origin/answer.ts'
import { RPC } from '../../protocol/answer.ts'
import { isMembers, type Members } from '../../protocol/message.ts'
import type { RelayedAnswer, RelayedRequest } from '../../protocol/relay-port.ts'
import { isOver, readTask, relatedTo, type TaskDetail, taskMembers, withTasks } from '../../protocol/tasks.ts'
import { type Handling, NO_TASK, type OriginLine, PASSED, TAKEN } from '../call/origin-line.ts'
import { inputFault } from '../input/input-requests.ts'
import type { TaskCallTools, TaskPlace } from './task-calls.ts'
import { taskIn } from './task-following.ts'

type Done = (answer: RelayedAnswer) => void
type Replied = (reply: Extract<OriginReply, { kind: 'result' }>, line: OriginLine) => Handling

const ACKNOWLEDGED = '{"resultType":"complete"}'

/** The answer about a task that is not there for the caller. */
export const UNKNOWN_TASK: RelayedAnswer = {
  kind: 'error',
  code: RPC.invalidParams,
  message: 'Unknown task',
  data: { pointer: '/params/taskId' },
}

export class TaskMessage {
  readonly #tools: TaskCallTools
  readonly #sender: Sender
  /** As the origin is told of it. */
  readonly #request: RelayedRequest
  /** Capabilities of the client itself. */
  readonly #capabilities: Members
  /** The id that the client knows. */
  readonly #id: string
  readonly #place: TaskPlace
  readonly #done: Done

  /** @param id of the task, as the client gave it. @param place what is sealed in the id */
  constructor(
    tools: TaskCallTools,
    sender: Sender,
    request: RelayedRequest,
    id: string,
    place: TaskPlace,
    done: Done,
  ) {
    this.#tools = tools
    this.#sender = sender
    this.#capabilities = request.clientCapabilities
    this.#request = place.isModern
      ? { ...request, clientCapabilities: withTasks(request.clientCapabilities) }
      : { ...request, ...markedTalk(request, place.id, id) }
    this.#id = id
    this.#place = place
    this.#done = done
  }

  /** Answers the message, whose method the client's revision has. */
  answer(): void {
    const { method, isModern } = this.#request
    const isModernOrigin = this.#place.isModern
    if (method === 'tasks/get') {
      if (isModernOrigin) this.#getFromExtension()
      else if (isModern) this.#getWithResult()
      else this.#pass()
    } else if (method === 'tasks/update') this.#update()
    else if (method === 'tasks/result') {
      if (isModernOrigin) this.#waitForResult()
      else this.#passResult()
    } else if (isModern) {
      if (isModernOrigin) this.#send('tasks/cancel', {}, () => this.#acknowledge())
      else this.#cancelCore()
    } else if (isModernOrigin) this.#cancelExtension()
    else this.#pass()
  }

  #getFromExtension(): void {
    const { isModern } = this.#request
    this.#send('tasks/get', {}, (reply) => {
      const task = taskIn(reply, this.#place.id)
      if (task === null) return NO_TASK
      if (!isModern) return this.#give(taskMembers(this.#id, task.state, false))
      const reason = inputFault(task.detail['inputRequests'], this.#capabilities)
      return reason === null ? this.#giveDetail(task) : { kind: 'refused', reason }
    })
  }

  /** A core task with its result, which is fetched by another request. */
  #getWithResult(): void {
    this.#send('tasks/get', {}, ({ result }, line) => {
      const read = readTask(result)
      if (read?.id !== this.#place.id) return NO_TASK
      void coreDetail(read, line).then((task) => this.#giveDetail(task))
      return TAKEN
    })
  }

  /** What both sides write alike. */
  #pass(): void {
    this.#send(this.#request.method, {}, ({ result }) => {
      const read = readTask(result)
      return read?.id === this.#place.id ? this.#give(taskMembers(this.#id, read.state, false)) : NO_TASK
    })
  }

  #passResult(): void {
    this.#send('tasks/result', {}, ({ result }) => this.#give(relatedTo(this.#id, this.#shown(result))))
  }

  #waitForResult(): void {
    this.#send('tasks/get', {}, (reply, line) => {
      const first = taskIn(reply, this.#place.id)
      if (first === null) return NO_TASK
      const mark = (content: Members): Members => relatedTo(this.#id, content)
      const waited = { sender: this.#sender, request: this.#request, line, first, mark, drop() {} }
      this.#tools.wait(waited, this.#place.member, this.#done)
      return TAKEN
    })
  }

  #update(): void {
    const { inputResponses } = this.#request.params
    if (!isMembers(inputResponses)) {
      const message = 'inputResponses must be an object'
      const data = { pointer: '/params/inputResponses' }
      this.#done({ kind: 'error', code: RPC.invalidParams, message, data })
      return
    }
    if (this.#place.isModern) this.#send('tasks/update', { inputResponses }, () => this.#acknowledge())
    // A core task asks nothing here, and what was not asked is ignored
    else this.#send('tasks/get', {}, () => this.#acknowledge())
  }

  /** A core task that has ended cannot be cancelled; 2026-07-28 acknowledges all the same. */
  #cancelCore(): void {
    this.#send('tasks/get', {}, ({ result }, line) => {
      const read = readTask(result)
      if (read?.id !== this.#place.id) return NO_TASK
      if (isOver(read.state)) return this.#acknowledge()
      void line.inquire('tasks/cancel', { taskId: read.id }, {}).then(() => this.#acknowledge())
      return TAKEN
    })
  }

  #cancelExtension(): void {
    const { clientCapabilities } = this.#request
    this.#send('tasks/get', {}, (reply, line) => {
      const task = taskIn(reply, this.#place.id)
      if (task === null) return NO_TASK
      if (isOver(task.state)) {
        const message = `The task is ${task.state.status} already`
        this.#done({ kind: 'error', code: RPC.invalidParams, message, data: { pointer: '/params/taskId' } })
        return TAKEN
      }
      void cancelled(task, line, clientCapabilities).then(({ state }) =>
        this.#give(taskMembers(this.#id, state, false)),
      )
      return TAKEN
    })
  }

  /** Sends a request about the task. What the origin refuses as unknown is unknown here. */
  #send(method: string, params: Members, replied: Replied): void {
    const { member, tool, id, session, isModern } = this.#place
    const { _meta } = this.#request.params
    const inner = { ...(isMembers(_meta) ? { _meta } : {}), ...params, taskId: id }
    const task = {
      ...(isModern ? {} : { session }),
      replied: (reply: OriginReply, line: OriginLine): Handling => {
        if (reply.kind === 'result') {
          if (!isModern && endsTask(method, reply.result)) line.taskEnded(id)
          return replied(reply, line)
        }
        if (!isUnknown(reply, method)) return PASSED
        this.#done(UNKNOWN_TASK)
        return TAKEN
      },
    }
    const target = { member, name: tool, params: inner, endpoint: null, task }
    this.#tools.ask(this.#sender, { ...this.#request, method }, target, this.#done)
  }

  #giveDetail({ state, detail }: TaskDetail): Handling {
    const { result } = detail
    const shown = isMembers(result) ? { result: this.#shown(result) } : detail
    return this.#give({ resultType: 'complete', ...taskMembers(this.#id, state, true), ...shown })
  }

  #shown(result: Members): Members {
    return this.#tools.shown(this.#place.member, result, this.#request)
  }

  #give(content: Members): Handling {
    this.#done({ kind: 'result', text: JSON.stringify(content) })
    return TAKEN
  }

  #acknowledge(): Handling {
    this.#done({ kind: 'result', text: ACKNOWLEDGED })
    return TAKEN
  }
}

/** True for the answer about a core task that has ended. */
function endsTask(method: string, result: Members): boolean {
  if (method === 'tasks/result') return true
  const read = readTask(result)
  return read !== null && isOver(read.state)
}

/** The origin has no such task. The core says the same of a task that has ended and cannot be cancelled, and of no result. */
function isUnknown(reply: OriginReply, method: string): boolean {
  if (reply.kind === 'session_gone') return true
  const isJudged = method === 'tasks/get' || method === 'tasks/update'
  return isJudged && reply.kind === 'error' && reply.error.code === RPC.invalidParams
}

/** A core task with its result, which is fetched where the task has ended. */
export async function coreDetail(
  read: Pick<TaskDetail, 'id' | 'state'>,
  line: OriginLine,
): Promise<TaskDetail> {
  const { state } = read
  if (state.status === 'cancelled') return { ...read, detail: {} }
  // What it waits for is told on a stream of its own, which no client of 2026-07-28 reads
  if (!isOver(state)) return { ...read, state: { ...state, status: 'working' }, detail: {} }
  const reply = await line.inquire('tasks/result', { taskId: read.id }, {})
  // A tool that has failed has a result, which tells of the error
  if (reply.kind === 'result')
    return {
      ...read,
      state: { ...state, status: 'completed' },
      detail: { result: relatedTo(null, reply.result) },
    }
  const { code, message, data } =
    reply.kind === 'error'
      ? reply.error
      : { code: RPC.internalError, message: 'The origin does not give the result', data: undefined }
  const error = { code, message, ...(data === undefined ? {} : { data }) }
  return { ...read, state: { ...state, status: 'failed' }, detail: { error } }
}

/** The task after it was cancelled; origins may take their time. */
async function cancelled(task: TaskDetail, line: OriginLine, capabilities: Members): Promise<TaskDetail> {
  const params = { taskId: task.id }
  await line.inquire('tasks/cancel', params, capabilities)
  return taskIn(await line.inquire('tasks/get', params, capabilities), task.id) ?? task
}

/** What the client is told while it waits for the end of a core task belongs to the id that it knows. */
function markedTalk(
  { ask, notify }: RelayedRequest,
  taskId: string,
  id: string,
): Pick<RelayedRequest, 'ask' | 'notify'> {
  return {
    ask: ask === null ? null : (method, params, done) => ask(method, relatedTo(id, params), done),
    notify(text) {
      if (!text.includes(JSON.stringify(taskId))) return notify(text)
      // Written by Postern
      const { params, ...message } = JSON.parse(text) as Members
      notify(JSON.stringify({ ...message, params: relatedTo(id, isMembers(params) ? params : {}) }))
    },
  }
}
