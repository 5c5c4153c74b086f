/**
 * The main thread's side of the recorder thread: starts and restarts it, joins gateway threads to it, and asks it to flush,
 * follow and remove.
 */
import { MessageChannel, type MessagePort, type Worker } from 'node:worker_threads'
import { CannotStart, refuse } from '../base/refusal.ts'
import type {
  FollowedRecords,
  FromRecorderThread,
  NodeGroup,
  RecorderState,
  Removal,
  ToRecorderThread,
} from './messages.ts'
import type { RecordFilter, RecordSelection } from './record-selection.ts'

/** Wait before a recorder that died is started again. */
const RESTART_MS = 500

const FLUSH_DEADLINE_MS = 1000
const STOP_DEADLINE_MS = 5000
/** Beyond what a follower waits. */
const FOLLOW_DEADLINE_MS = 5000
/** Followers that wait at a time. */
const FOLLOWERS_MAX = 64
/** Of these, those of one caller. */
const FOLLOWERS_OF_ONE_MAX = 16
/** More than the thread gives itself. */
const REMOVE_DEADLINE_MS = 6000

export interface Recorder {
  /**
   * Joins a gateway thread: `attach` gets the thread's port now and a new one whenever the recorder was restarted.
   * Returns what ends it.
   */
  connect(attach: (port: MessagePort) => void): () => void
  /** Resolves when what gateway threads held is in the store, or after a second. */
  flush(): Promise<void>
  /**
   * Deletes the records that fit, as many as there is time for, or only counts them. Refuses with records_unavailable.
   */
  remove(selection: RecordSelection, onlyCount: boolean): Promise<Removal>
  /**
   * Records that were stored after a place. If none fits, waits up to `waitMs` milliseconds. Refuses with records_unavailable.
   * @param by id of the caller: no caller takes all the places
   */
  follow(filter: RecordFilter, waitMs: number, by: string): Promise<FollowedRecords>
  /** Ends all waiting, now and later, so that a stop does not wait for it. */
  endFollowing(): void
  /** Which nodes count quotas together. A recorder that is started again has it from its setup. */
  setNodes(nodes: NodeGroup): void
  /** Reports the fault of the store, or null for none, at once and whenever the recorder has checked. */
  watch(report: (fault: RecorderState['fault']) => void): void
  /** Stores what is left and ends the thread. */
  stop(): Promise<void>
  /** A second old at most; `running` is false while a recorder that died is being replaced. */
  readonly state: RecordingState
}

interface RecordingState {
  readonly running: boolean
  /** Rows received and not stored yet. */
  readonly queued: number
  /** Rows lost since the start by the recorder; those that gateway threads drop are counted in shared memory. */
  readonly dropped: number
  /** Why the store did not take rows the last time; null once it does. */
  readonly lastError: string | null
}

/**
 * The main thread's end of the recorder thread. Rejects with CannotStart when the first start fails (a damaged or newer file); a
 * later death is answered by a restart, and gateway threads notice nothing but a new port.
 */
export async function startRecorder(start: () => Worker, log: (text: string) => void): Promise<Recorder> {
  const attached = new Set<(port: MessagePort) => void>()
  const flushing = new Map<number, () => void>()
  const removing = new Map<number, (removal: Removal | Error) => void>()
  const following = new Map<number, (records: FollowedRecords | Error) => void>()
  /** Id of the caller of each follower. */
  const followers = new Map<number, string>()
  let isFollowed = true
  let asked = 0
  let state: RecorderState = { queued: 0, dropped: 0, lastError: null, fault: null }
  /** Drops of recorders that died. */
  let droppedBefore = 0
  let worker: Worker | null = null
  let restart: NodeJS.Timeout | undefined
  let stopping = false
  let tell = (_: RecorderState['fault']): void => {}
  let stopped = (): void => {}

  const say = (message: ToRecorderThread, transfer: MessagePort[] = []): void =>
    worker?.postMessage(message, transfer)
  const connect = (attach: (port: MessagePort) => void): void => {
    const { port1, port2 } = new MessageChannel()
    say({ kind: 'connect', port: port1 }, [port1])
    attach(port2)
  }
  const hear = (message: FromRecorderThread): void => {
    if (message.kind === 'state') {
      state = message.state
      tell(state.fault)
    } else if (message.kind === 'flushed') flushing.get(message.id)?.()
    else if (message.kind === 'removed') removing.get(message.id)?.(message.removal)
    else if (message.kind === 'not_removed') removing.get(message.id)?.(new Error(message.error))
    else if (message.kind === 'followed') following.get(message.id)?.(message.records)
    else if (message.kind === 'stopped') stopped()
  }
  const launch = (): Promise<void> =>
    new Promise((ready, failed) => {
      const fresh = start()
      let lastError: unknown
      fresh.on('message', (message: FromRecorderThread) => {
        if (message.kind === 'ready') {
          ready()
          if (stopping) return void fresh.terminate()
          worker = fresh
          for (const attach of attached) connect(attach)
        } else hear(message)
      })
      fresh.on('error', (error) => {
        lastError = error
      })
      fresh.on('exit', () => {
        // Errors of other threads arrive without their class.
        const why = lastError instanceof Error ? lastError.message : 'the recorder thread ended early'
        failed(new CannotStart(why, lastError))
        if (worker === fresh) died(lastError)
      })
    })
  const died = (error: unknown): void => {
    worker = null
    for (const done of flushing.values()) done()
    for (const done of removing.values()) done(new Error('the recorder thread ended'))
    for (const done of following.values()) done(new Error('the recorder thread ended'))
    stopped()
    if (stopping) return
    log(`the recorder thread ended and is started again: ${error instanceof Error ? error.message : error}`)
    // What was queued counts at the gateway threads, where it was not acknowledged.
    droppedBefore += state.dropped
    state = { ...state, queued: 0, dropped: 0, lastError: 'the recorder thread ended' }
    relaunch()
  }
  const relaunch = (): void => {
    restart = setTimeout(() => {
      launch().catch((error: unknown) => {
        log(`the recorder thread does not start: ${error instanceof Error ? error.message : error}`)
        if (!stopping) relaunch()
      })
    }, RESTART_MS)
  }

  await launch()
  return {
    connect(attach) {
      attached.add(attach)
      if (worker !== null) connect(attach)
      return () => attached.delete(attach)
    },
    flush: () =>
      new Promise((done) => {
        if (worker === null) return done()
        const id = ++asked
        const finish = (): void => {
          clearTimeout(timer)
          flushing.delete(id)
          done()
        }
        const timer = setTimeout(finish, FLUSH_DEADLINE_MS)
        flushing.set(id, finish)
        say({ kind: 'flush', id })
      }),
    remove: (selection, onlyCount) =>
      new Promise((done, failed) => {
        const id = ++asked
        const finish = (removal: Removal | Error): void => {
          clearTimeout(timer)
          removing.delete(id)
          if (removal instanceof Error) failed(notRemoved(removal))
          else done(removal)
        }
        const timer = setTimeout(() => finish(new Error('no answer in time')), REMOVE_DEADLINE_MS)
        removing.set(id, finish)
        if (worker === null) finish(new Error('the recorder thread is being replaced'))
        else say({ kind: 'remove', id, selection, onlyCount })
      }),
    follow: (filter, waitMs, by) =>
      new Promise((done, failed) => {
        if ([...followers.values()].filter((one) => one === by).length >= FOLLOWERS_OF_ONE_MAX)
          return failed(
            refuse('records_unavailable', {
              detail: `You already follow request records ${FOLLOWERS_OF_ONE_MAX} times. End one of them, or list the records.`,
            }),
          )
        if (following.size >= FOLLOWERS_MAX)
          return failed(
            refuse('records_unavailable', {
              detail: `${FOLLOWERS_MAX} callers already follow request records. Try again later, or list the records.`,
            }),
          )
        const id = ++asked
        const finish = (records: FollowedRecords | Error): void => {
          clearTimeout(timer)
          following.delete(id)
          followers.delete(id)
          if (records instanceof Error)
            failed(
              refuse('records_unavailable', {
                detail: 'The request records cannot be followed at the moment. Try again.',
                inner: records.message,
              }),
            )
          else done(records)
        }
        const timer = setTimeout(() => finish(new Error('no answer in time')), waitMs + FOLLOW_DEADLINE_MS)
        following.set(id, finish)
        followers.set(id, by)
        if (worker === null || !isFollowed)
          finish(new Error('the recorder thread is being replaced, or Postern stops'))
        else say({ kind: 'follow', id, filter, waitMs })
      }),
    endFollowing() {
      isFollowed = false
      for (const done of following.values()) done(new Error('Postern is stopping'))
    },
    setNodes: (nodes) => say({ kind: 'nodes', nodes }),
    watch(report) {
      tell = report
      report(state.fault)
    },
    async stop() {
      stopping = true
      clearTimeout(restart)
      const last = worker
      if (last === null) return
      await new Promise<void>((done) => {
        const timer = setTimeout(done, STOP_DEADLINE_MS)
        stopped = () => {
          clearTimeout(timer)
          done()
        }
        say({ kind: 'stop' })
      })
      if (state.queued > 0)
        log(
          `${state.queued} request records were lost when Postern stopped: ${state.lastError ?? 'the recorder thread did not answer'}`,
        )
      worker = null
      await last.terminate()
    },
    get state() {
      return {
        running: worker !== null,
        queued: state.queued,
        dropped: droppedBefore + state.dropped,
        lastError: state.lastError,
      }
    },
  }
}

function notRemoved(cause: Error) {
  return refuse('records_unavailable', {
    detail: 'Not all records could be deleted. Repeat the call.',
    inner: cause.message,
  })
}
