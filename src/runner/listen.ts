import { existsSync, lstatSync, rmSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import { connect } from 'node:net'
import { dirname } from 'node:path'
import { CannotStart } from '../base/refusal.ts'
import type { RunnerListen } from './file.ts'

/** Time in which a whole request must have arrived, milliseconds. */
const REQUEST_MS = 60_000
const HEADER_BYTES_MAX = 32_768
const CONNECTIONS_MAX = 4096

/**
 * An HTTP server at the place that the file names. A socket has mode 0600 from its first moment; one that a killed runner
 * has left is removed. @throws CannotStart
 */
export async function listen(place: RunnerListen, listener: RequestListener): Promise<Server> {
  // Node.js says EACCES for a directory that does not exist
  if (place.kind === 'socket' && !existsSync(dirname(place.path)))
    throw new CannotStart(
      `The runner cannot listen on ${place.path}: the directory ${dirname(place.path)} does not exist. Create it, owned by the user of the runner.`,
    )
  const server = createServer(
    { requestTimeout: REQUEST_MS, maxHeaderSize: HEADER_BYTES_MAX, keepAliveTimeout: 60_000 },
    listener,
  )
  server.maxConnections = CONNECTIONS_MAX
  if (place.kind === 'socket') await removeLeft(place.path)
  const mask = process.umask(0o177)
  try {
    await new Promise<void>((done, reject) => {
      server.once('error', reject)
      if (place.kind === 'socket') server.listen(place.path, done)
      else server.listen(place.port, place.host, done)
    })
  } catch (error) {
    throw new CannotStart(
      `The runner cannot listen on ${placeText(place)}: ${(error as Error).message}`,
      error,
    )
  } finally {
    process.umask(mask)
  }
  return server
}

/** The place as a person reads it. */
export function placeText(place: RunnerListen): string {
  return place.kind === 'socket' ? place.path : `${place.host}:${place.port}`
}

async function removeLeft(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found === undefined) return
  if (!found.isSocket())
    throw new CannotStart(`${path} is no socket; remove it, or set listen.socket to another path.`)
  if (await answers(path))
    throw new CannotStart(
      `Another process listens on ${path}; stop it, or set listen.socket to another path.`,
    )
  rmSync(path, { force: true })
}

function answers(path: string): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(path)
    const end = (isThere: boolean): void => {
      socket.destroy()
      done(isThere)
    }
    socket.once('connect', () => end(true))
    socket.once('error', () => end(false))
  })
}
