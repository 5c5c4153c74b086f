/**
 * Reads the files of all stores for damage, reports and ends. It starts soon after the process and once a day. Rules:
 * `upkeep/start/file-check.ts`.
 */
import { parentPort } from 'node:worker_threads'
import { PLACES } from '../serve/places.ts'
import { type CheckSetup, checkFiles } from '../upkeep/start/file-check.ts'
import { threadData } from './data.ts'

if (parentPort === null) throw new Error('threads/check.ts runs as a worker thread only')
const main = parentPort
const { data } = await threadData<CheckSetup>()
for await (const checked of checkFiles(data, PLACES)) main.postMessage(checked)
