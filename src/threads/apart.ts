/**
 * Does the long work of operations, such as imports, one job after the other. At most two such threads, and one more for jobs inside of a
 * transaction. They have a lower priority, start when they are needed, and end after 30 seconds without work. Rules: `operations/engine/apart.ts`.
 */
import { parentPort } from 'node:worker_threads'
import { yieldToOthers } from '../base/threads/process.ts'
import { JOBS } from '../operations/apart-jobs.ts'
import { type Asked, answerApart, handedBack } from '../operations/engine/apart.ts'
import { readJsonBody } from '../surfaces/rest/body.ts'

/** Requests through the gateway come first. */
const NICE = 10

if (parentPort === null) throw new Error('threads/apart.ts runs as a worker thread only')
const main = parentPort
yieldToOthers(NICE)
const jobs = new Map([...JOBS, readJsonBody].map((job) => [job.name, job]))
// A throw ends the thread: nothing is known of its state
main.on(
  'message',
  (asked: Asked) =>
    void answerApart(jobs, asked).then((answered) => main.postMessage(answered, handedBack(answered))),
)
