import { createWriteStream, rmSync } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout } from 'node:timers/promises'
import type { Operation } from '../../operations/engine/define.ts'
import type { Client } from '../client/client.ts'
import type { CliPorts } from './ports.ts'

const FIRST_WAIT_MS = 50
const WAIT_MS_MAX = 2000

/** Operations by which exports are followed. */
export interface ExportOperations {
  readonly get: Operation
  readonly download: Operation
}

/** Writes the bytes that an operation answers into a file, which only the user may read. */
export async function downloadTo(
  ports: Pick<CliPorts, 'err'>,
  client: Client,
  operation: Operation,
  id: string,
  file: string,
): Promise<void> {
  const bytes = await client.download(operation, { id })
  try {
    // The stream of fetch is that of node:stream/web
    await pipeline(
      Readable.fromWeb(bytes as Parameters<typeof Readable.fromWeb>[0]),
      createWriteStream(file, { mode: 0o600 }),
    )
  } catch (error) {
    rmSync(file, { force: true })
    throw new Error(`${file} could not be written: ${(error as Error).message}.`, { cause: error })
  }
  ports.err(`Written to ${file}.\n`)
}

/** Waits until an export is done, and writes its file where there is one. Gives it as it is then. */
export async function awaitExport(
  ports: Pick<CliPorts, 'err'>,
  client: Client,
  { get, download }: ExportOperations,
  id: string,
  file: string,
): Promise<Record<string, unknown>> {
  for (let wait = FIRST_WAIT_MS; ; wait = Math.min(wait * 2, WAIT_MS_MAX)) {
    const { body } = await client.call(get, { id })
    if (body['state'] === 'ready') await downloadTo(ports, client, download, id, file)
    if (body['state'] !== 'queued' && body['state'] !== 'running') return body
    await setTimeout(wait)
  }
}
