/**
 * Notifies clients about the status of tasks: `taskIds` of `subscriptions/listen` (SEP-2663, task status notifications).
 *
 * 1. A notification has what `tasks/get` would answer at that moment, and is judged in the same way.
 * 2. At an origin of 2026-07-28, one listen serves the tasks of one listen of a client. An origin of 2025-11-25 notifies on
 *    the stream of the session that has the task.
 * 3. A task is fetched once when its origin starts to notify, so earlier changes are not missed. The end of a task is
 *    notified once.
 * 4. Tasks of origins without notifications are not accepted.
 * 5. Streams to an origin are opened again when the origin changes.
 */
import type { GatewayPort } from '../../../gateway/port.ts'
import type { JoinedVirtualMcp, Member } from '../../../snapshot/find/virtual-mcps.ts'
import type { LinkedOrigin } from '../../../snapshot/linked-types/mcp.ts'
import type { Sender } from '../../http/message.ts'
import { StandingStream } from '../../origin/change-stream.ts'
import { isMembers, isModernVersion, type Members } from '../../protocol/message.ts'
import type { RelayedRequest } from '../../protocol/relay-port.ts'
import {
  isOver,
  readTask,
  readTaskDetail,
  type TaskDetail,
  taskMembers,
  withTasks,
} from '../../protocol/tasks.ts'
import { OriginLine, type OriginLineTools } from '../call/origin-line.ts'
import { inputFault } from '../input/input-requests.ts'
import type { OriginSession } from '../sessions/sessions.ts'
import { type StreamsTools, streamToolsOf } from '../streams/watch-tools.ts'
import type { TaskPlace } from './task-calls.ts'
import { taskIn } from './task-following.ts'
import { coreDetail } from './task-message.ts'

/** How long a client waits at most until it is told which tasks are honoured, milliseconds. */
const READY_MS = 2000
const NO_LISTS = { lists: false, uris: new Set<string>() } as const
const ACKNOWLEDGED = 'notifications/subscriptions/acknowledged'
const TOLD = 'notifications/tasks'
const TOLD_BY_CORE = 'notifications/tasks/status'

/** A task that a client listens for. */
interface WatchedTask {
  /** As the client knows it. */
  readonly id: string
  readonly place: TaskPlace
}

export interface TaskNewsTools extends OriginLineTools, StreamsTools {
  readonly gateway: GatewayPort
}

/** The listen of a client. */
export interface TaskListen {
  readonly joined: JoinedVirtualMcp
  readonly sender: Sender
  readonly request: RelayedRequest
  readonly tasks: readonly WatchedTask[]
  /** A result of a tool of an origin, as callers see it. @param origin its id */
  shown(origin: string, result: Members, client: Pick<RelayedRequest, 'version'>): Members
  /** Takes the parameters of a notification. */
  told(task: Members): void
}

export interface TaskNews {
  /** Ids of the tasks that are honoured, once that is known. Never rejects. */
  readonly honoured: Promise<readonly string[]>
  close(): void
}

/** Opens what tells of the tasks. */
export function watchTasks(tools: TaskNewsTools, listen: TaskListen): TaskNews {
  const { gateway } = tools
  const { caller } = listen.sender
  const { slug } = listen.joined.virtualMcp.fragment
  const byOrigin = Map.groupBy(listen.tasks, ({ place }) => place.member)
  const open = new Map<string, { readonly origin: LinkedOrigin; readonly watches: readonly Watch[] }>()

  function begin(id: string, joined: JoinedVirtualMcp): void {
    const member = joined.members.get(id)
    if (member === undefined) return
    const tasks = byOrigin.get(id)!
    open.set(id, { origin: member.origin, watches: watchesOf(tools, { ...listen, joined }, member, tasks) })
  }

  function end(id: string): void {
    for (const watch of open.get(id)?.watches ?? []) watch.close()
    open.delete(id)
  }

  for (const id of byOrigin.keys()) begin(id, listen.joined)
  const all = [...open.values()].flatMap(({ watches }) => watches.map(({ honoured }) => honoured))
  // What was opened to an origin as it was must end
  const stop = gateway.onApplied(() => {
    const joined = gateway.virtualMcp(caller, slug)
    for (const [id, { origin }] of [...open]) {
      if (joined?.members.get(id)?.origin === origin) continue
      end(id)
      if (joined !== null) begin(id, joined)
    }
  })
  return {
    honoured: Promise.all(all).then((some) => some.flat()),
    close() {
      stop()
      for (const id of [...open.keys()]) end(id)
    },
  }
}

function watchesOf(
  tools: TaskNewsTools,
  listen: TaskListen,
  member: Member,
  all: readonly WatchedTask[],
): readonly Watch[] {
  const { verdict } = member.origin.fragment
  const isModern = verdict !== null && isModernVersion(verdict.version)
  const tasks = all.filter(({ place }) => verdict !== null && place.isModern === isModern)
  if (tasks.length === 0) return []
  if (isModern) return [new ModernWatch(tools, listen, member, tasks)]
  const bySession = Map.groupBy(tasks, ({ place }) => place.session)
  return [...bySession].map(([session, some]) => new CoreWatch(tools, listen, member, session, some))
}

/** Tasks of one origin, or of one session there. */
abstract class Watch {
  readonly honoured: Promise<readonly string[]>
  protected readonly listen: TaskListen
  protected readonly line: OriginLine
  protected readonly tasks: ReadonlyMap<string, WatchedTask>
  /** What the client was told last, by the id at the origin. */
  readonly #last = new Map<string, string>()
  readonly #tools: TaskNewsTools
  #isClosed = false
  #settle: (honoured: readonly string[]) => void = () => {}

  constructor(tools: TaskNewsTools, listen: TaskListen, member: Member, tasks: readonly WatchedTask[]) {
    const { joined, sender, request } = listen
    this.#tools = tools
    this.listen = listen
    this.tasks = new Map(tasks.map((task) => [task.place.id, task]))
    const requestId = `${sender.requestId}.tasks-${member.origin.id}`
    const publicName = tasks[0]!.place.tool
    this.line = new OriginLine(
      tools,
      { joined, member, sender, request, publicName, requestId, memory: null, guard: null },
      // It has been probed
      member.origin.fragment.verdict!.version,
    )
    this.honoured = new Promise((resolve) => {
      const timer = setTimeout(() => this.#settle([]), READY_MS).unref()
      this.#settle = (honoured) => {
        clearTimeout(timer)
        resolve(honoured)
      }
    })
  }

  /** The origin tells of the tasks from now on. @param ids at the origin */
  protected stands(ids: readonly string[]): void {
    const some = ids.flatMap((id) => this.tasks.get(id) ?? [])
    this.#settle(some.map(({ id }) => id))
    for (const task of some) void this.#ask(task)
  }

  protected abstract ask(task: WatchedTask): Promise<TaskDetail | null>

  abstract close(): void

  async #ask(task: WatchedTask): Promise<void> {
    const detail = await this.ask(task)
    if (detail !== null && detail.state.status !== 'working') this.tell(detail)
  }

  protected tell({ id, state, detail }: TaskDetail): void {
    const task = this.tasks.get(id)
    if (this.#isClosed || task === undefined || !this.#isThere(task.place)) return
    const { clientCapabilities } = this.listen.request
    if (inputFault(detail['inputRequests'], clientCapabilities) !== null) return
    const { result } = detail
    const shown = isMembers(result)
      ? { result: this.listen.shown(task.place.member, result, this.listen.request) }
      : detail
    const told = { ...taskMembers(task.id, state, true), ...shown }
    const text = JSON.stringify(told)
    if (this.#last.get(id) === text) return
    this.#last.set(id, text)
    this.listen.told(told)
  }

  protected ended(): void {
    this.#isClosed = true
    this.#settle([])
  }

  /** The caller still sees the tool. */
  #isThere({ member, tool }: TaskPlace): boolean {
    const { gateway } = this.#tools
    const { caller } = this.listen.sender
    const joined = gateway.virtualMcp(caller, this.listen.joined.virtualMcp.fragment.slug)
    return joined?.capabilities.find(gateway.policySubject(caller), 'tools', tool)?.member === member
  }
}

class ModernWatch extends Watch {
  readonly #stream: StandingStream

  constructor(tools: TaskNewsTools, listen: TaskListen, member: Member, tasks: readonly WatchedTask[]) {
    super(tools, listen, member, tasks)
    const nothing = (): void => {}
    this.#stream = new StandingStream(
      streamToolsOf(member.origin, listen.sender.caller, tools.gateway, tools),
      {
        opened: nothing,
        reopened: nothing,
        listsChanged: nothing,
        updated: nothing,
        failed: nothing,
        told: (method, params) => this.#told(method, params),
      },
    )
    this.#stream.want({ ...NO_LISTS, tasks: new Set(this.tasks.keys()) })
  }

  close(): void {
    this.ended()
    this.#stream.close()
  }

  #told(method: string, params: Members): void {
    if (method === ACKNOWLEDGED) {
      const { notifications } = params
      const ids: unknown = isMembers(notifications) ? notifications['taskIds'] : null
      this.stands(Array.isArray(ids) ? ids.filter((id) => typeof id === 'string') : [])
    } else if (method === TOLD) {
      const detail = readTaskDetail(params)
      if (detail !== null) this.tell(detail)
    }
  }

  protected async ask({ place: { id: taskId } }: WatchedTask): Promise<TaskDetail | null> {
    const able = withTasks(this.listen.request.clientCapabilities)
    return taskIn(await this.line.inquire('tasks/get', { taskId }, able), taskId)
  }
}

class CoreWatch extends Watch {
  readonly #leave: () => void

  constructor(
    tools: TaskNewsTools,
    listen: TaskListen,
    member: Member,
    session: string | null,
    tasks: readonly WatchedTask[],
  ) {
    super(tools, listen, member, tasks)
    this.line.use(session)
    const { origin } = member
    const own: OriginSession = tools.sessions.find(origin, session)
    const unhold = own.hold()
    const { caller } = listen.sender
    const place = { session: own, origin, caller, version: this.line.version }
    const leave = tools.standaloneStreams.join(
      place,
      (message) => this.#heard(message),
      (isStanding) => this.stands(isStanding && session !== null ? [...this.tasks.keys()] : []),
      false,
    )
    this.#leave = () => {
      leave()
      unhold()
    }
  }

  close(): void {
    this.ended()
    this.#leave()
  }

  #heard({ method, params }: Members): void {
    const read = method === TOLD_BY_CORE ? readTask(params) : null
    if (read !== null && this.tasks.has(read.id)) void this.#give(read)
  }

  async #give(read: Pick<TaskDetail, 'id' | 'state'>): Promise<void> {
    if (isOver(read.state)) this.line.taskEnded(read.id)
    this.tell(await coreDetail(read, this.line))
  }

  protected async ask({ place: { id: taskId } }: WatchedTask): Promise<TaskDetail | null> {
    const reply = await this.line.inquire('tasks/get', { taskId }, {})
    const read = reply.kind === 'result' ? readTask(reply.result) : null
    return read?.id === taskId ? coreDetail(read, this.line) : null
  }
}
