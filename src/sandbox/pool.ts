/**
 * The threads that run code of workflows, so that no gateway thread does.
 *
 * 1. A thread has one task at a time. Further tasks wait. Holders take turns, and tasks of one holder keep their order. Too many are
 *    refused: one holder fills at most half of the line.
 * 2. A thread that does not answer in time, or ends, is replaced: the code may have found a fault of the engine.
 * 3. Threads start when they are first needed, and end after a time without a task.
 */
import type { Worker } from 'node:worker_threads'
import { WaitingLine } from '../base/memory/pool-share.ts'
import { type CodeResult, type CodeRunner, type CodeTask, READY } from './port.ts'

export interface CodePoolOptions {
  readonly start: () => Pick<Worker, 'postMessage' | 'on' | 'terminate' | 'unref'>
  /** Threads at the same time. */
  readonly threads?: number
  /** Tasks that wait. */
  readonly waiting?: number
  /** For the start of a thread, milliseconds. */
  readonly startMs?: number
  /**
   * For an answer of a thread that has started, milliseconds. The isolate ends code by its CPU time; this is for an isolate that fails,
   * and far longer, since threads that run code get what others leave of the processors.
   */
  readonly answerMs?: number
  /** Without a task, milliseconds. */
  readonly idleMs?: number
}

const DEFAULTS = { threads: 2, waiting: 64, startMs: 30_000, answerMs: 15_000, idleMs: 60_000 }

interface Asked {
  readonly task: CodeTask
  readonly holder: string
  /** Null for a task that was given up. */
  done: ((result: CodeResult) => void) | null
}

interface Thread {
  readonly worker: ReturnType<CodePoolOptions['start']>
  /** Null while it has nothing to do. */
  asked: Asked | null
  hasStarted: boolean
  timer: NodeJS.Timeout | undefined
}

export function createCodePool({ start, ...given }: CodePoolOptions): CodeRunner & { close(): void } {
  const { threads: most, waiting: waitingMax, startMs, answerMs, idleMs } = { ...DEFAULTS, ...given }
  const threads = new Set<Thread>()
  const line = new WaitingLine<Asked>(waitingMax)

  function next(): void {
    if (line.size === 0) return
    const thread = [...threads].find((one) => one.asked === null) ?? (threads.size < most ? open() : null)
    const asked = thread === null ? null : line.next()
    if (thread === null || asked === null) return
    thread.asked = asked
    if (thread.hasStarted) awaitAnswer(thread)
    thread.worker.postMessage(asked.task)
    next()
  }

  function awaitAnswer(thread: Thread): void {
    clearTimeout(thread.timer)
    thread.timer = setTimeout(() => end(thread, 'the code did not end in time', 'time'), answerMs)
  }

  function open(): Thread {
    const worker = start()
    // It holds up no end of its process
    worker.unref()
    const thread: Thread = {
      worker,
      asked: null,
      hasStarted: false,
      timer: setTimeout(() => end(thread, 'a thread for code did not start in time', 'lost'), startMs),
    }
    threads.add(thread)
    worker.on('message', (result: CodeResult | typeof READY) => {
      if (!threads.has(thread)) return
      if (result === READY) {
        thread.hasStarted = true
        if (thread.asked !== null) awaitAnswer(thread)
        return
      }
      const { asked } = thread
      rest(thread)
      asked?.done?.(result)
      next()
    })
    worker.on('error', (error: Error) => end(thread, error.message, 'lost'))
    worker.on('exit', () => end(thread, 'its thread has ended', 'lost'))
    return thread
  }

  function rest(thread: Thread): void {
    clearTimeout(thread.timer)
    thread.asked = null
    thread.timer = setTimeout(() => end(thread, '', 'lost'), idleMs).unref()
  }

  function end(thread: Thread, message: string, fault: 'time' | 'lost'): void {
    if (!threads.delete(thread)) return
    const { asked } = thread
    thread.asked = null
    clearTimeout(thread.timer)
    void thread.worker.terminate()
    asked?.done?.({ ok: false, fault, message })
    next()
  }

  return {
    run(task, holder, done) {
      const asked: Asked = { task, holder, done }
      // No end of its own: whoever asks gives up
      if (line.add(asked, Infinity)) next()
      else
        queueMicrotask(() =>
          asked.done?.({ ok: false, fault: 'overloaded', message: 'too many runs of code wait' }),
        )
      return () => {
        asked.done = null
        line.delete(asked)
      }
    },
    close() {
      line.clear()
      for (const thread of threads) {
        thread.asked = null
        end(thread, '', 'lost')
      }
    },
  }
}
