/**
 * Loaded before a program (`node --import`), counts what a gateway thread of it does: bytes on its heap, promises, writes to
 * sockets. Young generations are so large that nothing is collected meanwhile. {@link askCounts} reads the counts.
 */
import { createRequire } from 'node:module'
import { getHeapStatistics, promiseHooks } from 'node:v8'
import workerThreads, { BroadcastChannel, isMainThread, threadName } from 'node:worker_threads'

const CHANNEL = 'counts of work'
/** A third of it is what V8 allocates in; with {@link COUNTING_FLAGS} from the start. */
const YOUNG_MB = 768

/** What a thread has done since it started. */
export interface WorkCounts {
  /** Bytes of its heap, garbage too. */
  readonly bytes: number
  readonly promises: number
  /** Writes to sockets, of one or several pieces each. */
  readonly writes: number
}

/**
 * Flags of the process that is counted. Code runs interpreted: compiled code leaves out allocations from the moment that it is
 * compiled, which is another one in each run.
 */
export const COUNTING_FLAGS: readonly string[] = [
  '--no-opt',
  '--no-maglev',
  '--no-sparkplug',
  '--no-lazy-feedback-allocation',
  '--min-semi-space-size=256',
  '--max-semi-space-size=256',
]

/** The counts of the thread of that name. */
export function askCounts(name: string): Promise<WorkCounts> {
  const channel = new BroadcastChannel(CHANNEL)
  return new Promise((done) => {
    channel.onmessage = (event) => {
      const { of, counts } = (event as MessageEvent).data as { of?: string; counts?: WorkCounts }
      if (of !== name || counts === undefined) return
      channel.close()
      done(counts)
    }
    channel.postMessage({ ask: name })
  })
}

function countHere(): void {
  let promises = 0
  let writes = 0
  promiseHooks.onInit(() => {
    promises++
  })
  const { TCP } = (process as unknown as { binding(name: string): { TCP: { prototype: object } } }).binding(
    'tcp_wrap',
  )
  const prototype = Object.getPrototypeOf(TCP.prototype) as Record<string, (...given: unknown[]) => unknown>
  for (const name of ['writev', 'writeBuffer', 'writeUtf8String', 'writeAsciiString', 'writeLatin1String']) {
    const its = prototype[name] ?? (TCP.prototype as typeof prototype)[name]
    if (its === undefined) throw new Error(`sockets have no ${name}`)
    ;(TCP.prototype as typeof prototype)[name] = function (this: unknown, ...given) {
      writes++
      return its.apply(this, given)
    }
  }
  const channel = new BroadcastChannel(CHANNEL)
  channel.onmessage = (event) => {
    if ((event as MessageEvent).data.ask !== threadName) return
    const counts: WorkCounts = { bytes: getHeapStatistics().used_heap_size, promises, writes }
    channel.postMessage({ of: threadName, counts })
  }
  ;(channel as unknown as { unref(): void }).unref()
}

if (threadName?.startsWith('gateway-') === true) countHere()
else if (isMainThread && process.execArgv.includes(COUNTING_FLAGS[0]!)) {
  const { Worker } = workerThreads
  // The program bounds young generations, which would collect
  workerThreads.Worker = class extends Worker {
    constructor(file: string | URL, options: object) {
      super(file, { ...options, resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB } })
    }
  }
  createRequire(import.meta.url)('node:module').syncBuiltinESMExports()
}
