/**
 * A gateway thread's side of the thread that asks servers.
 *
 * 1. The thread starts with the first question, and ends after a time without one.
 * 2. If it ends, its questions fail with `lost`, and the next question starts another thread.
 */
import type { Worker } from 'node:worker_threads'
import {
  type FromServices,
  OVERLOADED,
  type ServiceResult,
  type ServiceRunner,
  type ToServices,
} from './port.ts'

interface Options {
  readonly start: () => Pick<Worker, 'postMessage' | 'on' | 'terminate' | 'unref'>
  /** Questions at the same time. */
  readonly questions?: number
  /** Without a question, milliseconds. */
  readonly idleMs?: number
}

type Done = (result: ServiceResult) => void

export function createServiceClient({
  start,
  questions = 256,
  idleMs = 120_000,
}: Options): ServiceRunner & { close(): void } {
  const asked = new Map<number, Done>()
  let worker: ReturnType<Options['start']> | null = null
  let timer: NodeJS.Timeout | undefined
  let lastId = 0

  function open(): NonNullable<typeof worker> {
    const opened = start()
    // It holds up no end of its process
    opened.unref()
    opened.on('message', ({ id, result }: FromServices) => {
      if (worker === opened) settle(id)?.(result)
    })
    opened.on('error', () => end(opened))
    opened.on('exit', () => end(opened))
    worker = opened
    return opened
  }

  function settle(id: number): Done | undefined {
    const done = asked.get(id)
    asked.delete(id)
    if (asked.size === 0 && worker !== null) {
      const idle = worker
      clearTimeout(timer)
      timer = setTimeout(() => end(idle), idleMs).unref()
    }
    return done
  }

  function end(ended: NonNullable<typeof worker>): void {
    if (worker !== ended) return
    worker = null
    clearTimeout(timer)
    void ended.terminate()
    const left = [...asked.values()]
    asked.clear()
    for (const done of left)
      done({ ok: false, kind: 'lost', message: 'the thread that asks servers has ended' })
  }

  return {
    run(task, done) {
      if (asked.size >= questions) {
        let isGivenUp = false
        queueMicrotask(() => {
          if (!isGivenUp) done({ ok: false, kind: OVERLOADED, message: 'too many questions to servers wait' })
        })
        return () => {
          isGivenUp = true
        }
      }
      const id = ++lastId
      asked.set(id, done)
      clearTimeout(timer)
      const to = worker ?? open()
      to.postMessage({ id, task } satisfies ToServices)
      return () => {
        if (!asked.has(id)) return
        settle(id)
        if (worker === to) to.postMessage({ id, task: null } satisfies ToServices)
      }
    },
    close() {
      asked.clear()
      if (worker !== null) end(worker)
    },
  }
}
