import { Worker } from 'node:worker_threads'

/**
 * Starts a thread of this folder.
 * @param data plain data of the type that the entry reads. @param name shown by debuggers and `top`.
 */
export function startWorker(
  entry: 'gateway' | 'recorder' | 'query',
  data: unknown,
  name: string = entry,
): Worker {
  return new Worker(new URL(`./${entry}.ts`, import.meta.url), { name, workerData: data })
}
