/** Reads one YAML text in a thread of its own; see {@link readYamlApart}. */
import { parentPort, workerData } from 'node:worker_threads'
import { Refusal } from '../../../base/refusal.ts'
import { readYaml } from './yaml.ts'

/** JSON crosses between threads faster than an object of many parts. */
export type YamlRead =
  | { readonly json: string }
  | { readonly fault: { readonly pointer: string; readonly reason: string } }

function read(text: string): YamlRead {
  try {
    return { json: JSON.stringify(readYaml(text)) }
  } catch (error) {
    const fault = error instanceof Refusal ? error.facts.errors?.[0] : undefined
    if (fault === undefined) throw error
    return { fault }
  }
}

// Its only starter gives it a text.
parentPort?.postMessage(read(workerData as string))
