/**
 * Starts the threads of this folder. Loading its modules takes most of the start of a thread and nothing that the main thread
 * has to open before, so a thread may be started ahead: it loads, and waits for the data that its entry asks for
 * (`data.ts`). It opens nothing before it has them.
 */
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads'
import { entryUrl } from '../base/program.ts'

type Entry = 'gateway' | 'recorder' | 'query' | 'leases' | 'sinks' | 'check'

/** Megabytes of a thread's young generation. With 24, calls over MCP cost a fifth more CPU: more of what they make outlives a collection. */
const YOUNG_MB_MAX = 96

export interface Workers {
  /** Starts a thread that `start` takes when its name is asked for. @param name shown by debuggers and `top` */
  ahead(entry: Entry, name?: string): void
  /** @param data plain data of the type that the entry reads */
  start(entry: Entry, data: unknown, name?: string): Worker
  /** Ends the threads that were started ahead and that nothing has asked for. */
  endUnused(): Promise<void>
}

/** Name of the gateway thread in a slot. */
export function gatewayName(slot: number): string {
  return `gateway-${slot}`
}

interface Loading {
  readonly worker: Worker
  /** The data go there. */
  readonly port: MessagePort
}

export function createWorkers(): Workers {
  const unused = new Map<string, Loading>()

  function load(entry: Entry, name: string): Loading {
    const { port1: port, port2: data } = new MessageChannel()
    const worker = new Worker(entryUrl(entry), {
      name,
      workerData: data,
      transferList: [data],
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB_MAX },
    })
    return { worker, port }
  }

  return {
    ahead(entry, name = entry) {
      const loading = load(entry, name)
      unused.set(name, loading)
      // Another is started when it is needed, and tells the fault
      loading.worker.on('error', () => unused.delete(name))
    },
    start(entry, data, name = entry) {
      const { worker, port } = unused.get(name) ?? load(entry, name)
      unused.delete(name)
      port.postMessage(data)
      port.unref()
      return worker
    },
    async endUnused() {
      const left = [...unused.values()]
      unused.clear()
      await Promise.all(left.map(({ worker }) => worker.terminate()))
    },
  }
}
