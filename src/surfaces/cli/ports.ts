import type { Operation } from '../../operations/define.ts'

export interface IssuedToken {
  readonly token: string
  /** RFC 3339. */
  readonly expires_at: string
}

export interface TokenRequest {
  /** One of role and grants. */
  readonly role?: string
  /** Such as `modifier:proxies@payments`. */
  readonly grants?: readonly string[]
  /** Such as `15m`. */
  readonly ttl: string
  readonly name: string
}

export interface SetUpLink {
  readonly url: string
  /** RFC 3339. */
  readonly expires_at: string
}

export interface ResetRequest {
  /** Slug or email of a local user; null for a new administrator. */
  readonly user: string | null
}

/** What the commands need of the process around them; `main.ts` gives the real ones. */
export interface CliPorts {
  readonly operations: readonly Operation[]
  readonly version: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly out: (text: string) => void
  readonly err: (text: string) => void
  /** All of standard input. */
  readonly readStdin: () => Promise<string>
  /** Whether someone can be asked. */
  readonly interactive: boolean
  /** Whether the output may have colours. `NO_COLOR` is looked at besides. */
  readonly colour: boolean
  /** Asks the person at the terminal and gives the line they type. */
  readonly ask: (question: string) => Promise<string>
  /** Issues a token under the lock of a data directory that no process serves. Throws a plain Error with one sentence. */
  readonly issueOffline: (dataDir: string, request: TokenRequest) => Promise<IssuedToken>
  /** As {@link issueOffline}, a set-up link. */
  readonly resetOffline: (dataDir: string, request: ResetRequest) => Promise<SetUpLink>
  /** Starts the gateway with the flags after `up`; resolves when it has stopped. */
  readonly up: (flags: readonly string[]) => Promise<void>
  /** The settings, for the help of `up`. */
  readonly upHelp: string
  readonly fetch?: typeof fetch
}
