import { Worker } from 'node:worker_threads'
import { broken } from './plain-data.ts'
import type { YamlRead, YamlTask } from './yaml-thread.ts'

/** Below the time in which a gateway thread gives up waiting for the control plane. */
const READ_MS_MAX = 60_000
/** Memory of the thread. The parser takes some 500 bytes for a value of one. */
const MEGABYTES_MAX = 1536

const TOO_MUCH = 'too much to read as YAML; convert it to JSON'

/** Texts are read one after another, so that several cannot take all memory and all cores. */
let last: Promise<unknown> = Promise.resolve()

/**
 * Reads YAML as {@link readYaml} does, but in a thread of its own: 8 MiB of short values take a minute and gigabytes,
 * in which the main thread would answer nobody. Refuses with document_invalid what takes more than its bounds too.
 */
export function readYamlApart(text: string, msMax: number = READ_MS_MAX): Promise<unknown> {
  return inTurn({ text, isStream: false }, msMax)
}

/** The same for a text of any number of documents: their list. */
export async function readYamlStreamApart(text: string): Promise<unknown[]> {
  // What the thread reads of a stream is a list
  return (await inTurn({ text, isStream: true }, READ_MS_MAX)) as unknown[]
}

function inTurn(task: YamlTask, msMax: number): Promise<unknown> {
  const read = last.then(() => readInThread(task, msMax))
  last = read.catch(() => {})
  return read
}

function readInThread(task: YamlTask, msMax: number): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./yaml-thread.ts', import.meta.url), {
      name: 'yaml',
      workerData: task,
      resourceLimits: { maxOldGenerationSizeMb: MEGABYTES_MAX },
    })
    const timer = setTimeout(() => {
      reject(broken('', TOO_MUCH))
      void worker.terminate()
    }, msMax)
    worker.on('message', (read: YamlRead) => {
      if ('json' in read) resolve(JSON.parse(read.json))
      else reject(broken(read.fault.pointer, read.fault.reason))
    })
    worker.on('error', (error: NodeJS.ErrnoException) =>
      reject(error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? broken('', TOO_MUCH) : error),
    )
    worker.on('exit', () => {
      clearTimeout(timer)
      reject(new Error('the thread that reads YAML ended without a word'))
    })
  })
}
