/**
 * A gateway thread's side of the thread that asks servers.
 *
 * 1. The thread starts with the first question, and ends after a time without one.
 * 2. If it ends, its questions fail with `lost`, and the next question starts another thread.
 * 3. Holders share the questions at the same time, so that one caller leaves room for others.
 */
import type { Worker } from 'node:worker_threads'
import { PoolShare } from '../base/memory/pool-share.ts'
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

interface Asked {
  readonly holder: string
  readonly done: (result: ServiceResult) => void
}

export function createServiceClient({
  start,
  questions = 256,
  idleMs = 120_000,
}: Options): ServiceRunner & { close(): void } {
  const asked = new Map<number, Asked>()
  let places = new PoolShare(questions)
  let worker: ReturnType<Options['start']> | null = null
  let timer: NodeJS.Timeout | undefined
  let lastId = 0

  function open(): NonNullable<typeof worker> {
    const opened = start()
    // It holds up no end of its process
    opened.unref()
    opened.on('message', ({ id, result }: FromServices) => {
      if (worker === opened) settle(id)?.done(result)
    })
    opened.on('error', () => end(opened))
    opened.on('exit', () => end(opened))
    worker = opened
    return opened
  }

  function settle(id: number): Asked | undefined {
    const question = asked.get(id)
    if (asked.delete(id)) places.give(question!.holder)
    if (asked.size === 0 && worker !== null) {
      const idle = worker
      clearTimeout(timer)
      timer = setTimeout(() => end(idle), idleMs).unref()
    }
    return question
  }

  function end(ended: NonNullable<typeof worker>): void {
    if (worker !== ended) return
    worker = null
    clearTimeout(timer)
    void ended.terminate()
    const left = [...asked.values()]
    clear()
    for (const { done } of left)
      done({ ok: false, kind: 'lost', message: 'the thread that calls servers has ended' })
  }

  function clear(): void {
    asked.clear()
    places = new PoolShare(questions)
  }

  return {
    run(task, done) {
      const { holder } = task
      if (!places.mayTake(holder)) {
        let isGivenUp = false
        queueMicrotask(() => {
          if (!isGivenUp) done({ ok: false, kind: OVERLOADED, message: 'too many calls to servers wait' })
        })
        return () => {
          isGivenUp = true
        }
      }
      const id = ++lastId
      places.take(holder)
      asked.set(id, { holder, done })
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
      clear()
      if (worker !== null) end(worker)
    },
  }
}
