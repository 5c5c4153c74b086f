/** How a thread gets the data with which it was started. */
import { type MessagePort, workerData } from 'node:worker_threads'

/** What this thread was started with; waits for it where the thread was started ahead. To be called once. */
export function threadData<T>(): Promise<T> {
  // `createWorkers` gives each thread a port for that, and what is sent there is of the type that the entry reads.
  const port = workerData as MessagePort
  return new Promise((resolve) => {
    port.once('message', (data: T) => {
      port.close()
      resolve(data)
    })
  })
}
