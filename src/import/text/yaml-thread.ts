/** Reads one YAML text in a thread of its own; see {@link readYamlApart}. */
import { parentPort, workerData } from 'node:worker_threads'
import { Refusal } from '../../base/refusal.ts'
import { readYaml, readYamlStream } from './yaml.ts'

/** JSON crosses between threads faster than an object of many parts. */
export type YamlRead =
  | { readonly json: string }
  | { readonly fault: { readonly pointer: string; readonly reason: string } }

/** `isStream`: any number of documents, as a list. */
export interface YamlTask {
  readonly text: string
  readonly isStream: boolean
}

function read({ text, isStream }: YamlTask): YamlRead {
  try {
    return { json: JSON.stringify(isStream ? readYamlStream(text) : readYaml(text)) }
  } catch (error) {
    const fault = error instanceof Refusal ? error.facts.errors?.[0] : undefined
    if (fault === undefined) throw error
    return { fault }
  }
}

// Its only starter gives it such a task.
parentPort?.postMessage(read(workerData as YamlTask))
