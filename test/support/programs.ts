/** Servers of Debian that tests start for themselves: in a folder of their own, on loopback, ended by their id. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually } from './eventually.ts'

interface User {
  readonly uid: number
  readonly gid: number
}

/** Whom programs run as that refuse root; null where the tests are not root. */
function plainUser(name: string): User | null {
  if (process.getuid?.() !== 0) return null
  const line = readFileSync('/etc/passwd', 'utf8').split('\n')
  const [, , uid, gid] = (line.find((one) => one.startsWith(`${name}:`)) ?? 'nobody:x:65534:65534').split(':')
  return { uid: Number(uid), gid: Number(gid) }
}

/** The first of these files that there is; null where none is installed. */
export function installed(...paths: readonly string[]): string | null {
  return paths.find((path) => existsSync(path)) ?? null
}

/** The newest PostgreSQL of Debian: the folder of its programs. */
export function installedPostgres(): string | null {
  const top = '/usr/lib/postgresql'
  const versions = existsSync(top) ? readdirSync(top).sort((a, b) => Number(b) - Number(a)) : []
  return installed(...versions.map((version) => `${top}/${version}/bin`))
}

/** A folder and the processes that have it, which all end together. */
export class Place implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'postern-program-'))
  readonly #user: User | null
  readonly #children: ChildProcess[] = []

  /** @param user Whose the folder is, where the tests are root. */
  constructor(user: string) {
    this.#user = plainUser(user)
    chmodSync(this.directory, 0o700)
    if (this.#user !== null) chownSync(this.directory, this.#user.uid, this.#user.gid)
  }

  /** Runs a program to its end; gives what it prints. */
  run(command: string, args: readonly string[], input: string = ''): string {
    const how = { ...this.#user, cwd: this.directory, input, stdio: 'pipe' } as const
    return execFileSync(command, [...args], how).toString()
  }

  /** Writes a file of the user. */
  write(name: string, text: string): void {
    const path = join(this.directory, name)
    writeFileSync(path, text, { mode: 0o600 })
    if (this.#user !== null) chownSync(path, this.#user.uid, this.#user.gid)
  }

  /** Starts a server, and waits until it takes connections. */
  async serve(command: string, args: readonly string[], port: number): Promise<void> {
    let said = ''
    const child = spawn(command, [...args], {
      ...this.#user,
      cwd: this.directory,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#children.push(child)
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (piece: Buffer) => {
        said += piece.toString()
      })
    await eventually(
      () => {
        if (child.exitCode !== null) throw new Error(`${command} has ended: ${said}`)
        return isListening(port)
      },
      () => `${command}: ${said}`,
    )
  }

  /** Sends a signal to the servers that run. */
  signal(signal: NodeJS.Signals): void {
    for (const child of this.#children) child.kill(signal)
  }

  /** Ends the servers; the folder stays, and they may be started again. */
  async stop(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    for (const child of this.#children.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      child.kill(signal)
      await once(child, 'exit')
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
    rmSync(this.directory, { recursive: true, force: true })
  }
}

function isListening(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect({ port, host: '127.0.0.1' })
    const end = (is: boolean): void => {
      socket.destroy()
      done(is)
    }
    socket.once('connect', () => end(true))
    socket.once('error', () => end(false))
  })
}
