/**
 * Runs the code of workflows in QuickJS, one task after the other. At most two for each gateway thread, started by the first code,
 * with a lower priority than all other threads. Rules: `sandbox/pool.ts`, `sandbox/isolate.ts`.
 */
import { parentPort } from 'node:worker_threads'
import { yieldToOthers } from '../base/threads/process.ts'
import { openIsolate } from '../sandbox/isolate.ts'
import { type CodeTask, READY } from '../sandbox/port.ts'

/** Code takes what processors have left: requests that run none must not wait for it. */
const NICE = 10

if (parentPort === null) throw new Error('threads/code.ts runs as a worker thread only')
const pool = parentPort
const run = await openIsolate()
yieldToOthers(NICE)
pool.postMessage(READY)
// A throw ends the thread: its engine is not used again
pool.on('message', (task: CodeTask) => pool.postMessage(run(task)))
