import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { Worker } from 'node:worker_threads'

/** Only Linux is known to drop what asks for a connection when the queue of a listener is full. */
export const skip =
  process.platform === 'linux' ? false : 'no other system is known to leave a connect unanswered here'

/** Connections that fit the queue of `stalled-listener.ts`. */
export const QUEUE = 2
const SYN_SENT = '02'

interface Heard {
  /** Connections taken so far. */
  readonly connections: number
  readonly text: string
}

/** A port where connecting gets no answer until `letGo`. */
export async function stalled(t: TestContext) {
  const gate = new SharedArrayBuffer(4)
  const program = new URL('../programs/stalled-listener.ts', import.meta.url)
  const worker = new Worker(program, { workerData: gate })
  const [{ port }] = (await once(worker, 'message')) as [{ port: number }]
  const heard: Heard[] = []
  worker.on('message', (message: Heard) => heard.push(message))
  const fillers: Socket[] = []
  t.after(async () => {
    for (const filler of fillers) filler.destroy()
    await worker.terminate()
  })
  for (let i = 0; i < QUEUE; i++) {
    const filler = connect(port, '127.0.0.1')
    fillers.push(filler)
    await once(filler, 'connect')
  }
  /** Connections to the port that the system is still asking for. */
  const asking = (): number => {
    const remote = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`
    return readFileSync('/proc/net/tcp', 'latin1')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter((columns) => columns[2] === remote && columns[3] === SYN_SENT).length
  }
  const letGo = (): void => {
    Atomics.store(new Int32Array(gate), 0, 1)
    Atomics.notify(new Int32Array(gate), 0)
  }
  return { port, heard, asking, letGo }
}
