import type { DatabaseAddress } from '../../base/net/database-url.ts'
import type { Operation } from '../../operations/engine/define.ts'
import type { Place } from './completion-scripts.ts'

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

export interface BackupRequest {
  readonly data: string
  readonly out: string
  readonly keyFile: string
  readonly withKey: boolean
  readonly withRecords: boolean
  /** Told how far the copy of something is, 0 to 1. */
  readonly progress: (what: string, part: number) => void
}

export interface BackupSummary {
  readonly file: string
  /** RFC 3339. */
  readonly created_at: string
  /** Of the program that made it. */
  readonly version: string
  readonly schema_version: number
  /** Of the configuration. */
  readonly revision: number
  readonly key_id: string
  readonly files: readonly string[]
}

export interface RestoreRequest {
  readonly data: string
  readonly from: string
  /** A key file that is put into the data directory. */
  readonly keyFile: string | null
  /** A key file that stays where it is. */
  readonly keyFileElsewhere: string | null
  readonly isForced: boolean
}

export interface RestoreSummary extends Omit<BackupSummary, 'file'> {
  readonly data: string
  /** Where the data directory of before is now. */
  readonly before: string | null
}

export interface MigrateRequest {
  readonly data: string
  readonly to: DatabaseAddress
  readonly keyFile: string
  /** Checks everything and changes nothing. */
  readonly isDryRun: boolean
  /** Told how far a step is, 0 to 1. */
  readonly progress: (step: string, part: number) => void
}

export interface MigrateSummary {
  readonly data: string
  /** The database, without the password. */
  readonly to: string
  readonly dry_run: boolean
  /** The move was complete before, and was interrupted at its end. Then nothing more is known of it. */
  readonly finished_earlier: boolean
  /** Of the configuration. */
  readonly revision: number | null
  readonly audit_seq: number | null
  readonly rows: number | null
  readonly tables: readonly { readonly table: string; readonly rows: number; readonly sha256: string }[]
}

interface SchemaRequest {
  readonly database: DatabaseAddress
  /** A role that may use the tables; null for none. */
  readonly grantTo: string | null
}

interface SchemaSummary {
  /** Without the password. */
  readonly database: string
  readonly schema: string
  /** Before and after; 0 for none. */
  readonly from: number
  readonly to: number
  readonly granted_to: string | null
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

export interface ExamineRequest {
  /** Null leaves it to the environment. */
  readonly data: string | null
  readonly env: Readonly<Record<string, string | undefined>>
  readonly isNetworkAsked: boolean
}

/** What a check of `postern doctor` has found. */
export interface Finding {
  readonly check: string
  readonly state: 'ok' | 'warn' | 'fail'
  readonly found: string
  /** What to do; null where there is nothing to do. */
  readonly fix: string | null
}

export interface RunnerRequest {
  readonly file: string
  /** Only checks the file. */
  readonly isCheck: boolean
}

/** What a program was made of, and what it runs on. */
export interface Build {
  /** `package`: the bundle of a package. `bundle`: that of a checkout. */
  readonly form: 'package' | 'bundle' | 'sources'
  /** Null where it is not known. */
  readonly commit: { readonly id: string; readonly time: string; readonly isChanged: boolean } | null
}

/** Where a command prints. */
export type Printer = Pick<CliPorts, 'out' | 'err' | 'colour' | 'env'>

/** What the commands need of the process around them; `main.ts` gives the real ones. */
export interface CliPorts {
  readonly operations: readonly Operation[]
  readonly version: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly out: (text: string) => void
  readonly err: (text: string) => void
  /** All of standard input. */
  readonly readStdin: () => Promise<string>
  /** Standard input, line by line, until it ends. */
  readonly lines: () => AsyncIterable<string>
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
  /** Runs the demo with the flags after `demo`; resolves with the exit code when it has ended. */
  readonly demo: (flags: readonly string[]) => Promise<number>
  readonly build: () => Build
  /** Runs stdio MCP servers; resolves when it has stopped, or has checked the file, with the names of the entries. */
  readonly runner: (request: RunnerRequest) => Promise<readonly string[]>
  /** The settings, for the help of `up`. */
  readonly upHelp: () => Promise<string>
  /** What completion needs of every command, as the bundle has it; null where the sources run. */
  readonly builtPlaces: () => readonly Place[] | null
  readonly fetch?: typeof fetch
  /** Copies a data directory into an archive. Throws a plain Error with one sentence, as the next one does. */
  readonly backUp: (request: BackupRequest) => Promise<BackupSummary>
  /** Makes a data directory of an archive. */
  readonly restore: (request: RestoreRequest) => Promise<RestoreSummary>
  /** Moves a data directory to a database. */
  readonly migrate: (request: MigrateRequest) => Promise<MigrateSummary>
  /** Makes the tables of a database, or brings them to the newest version. */
  readonly migrateSchema: (request: SchemaRequest) => Promise<SchemaSummary>
  /** Looks for what is wrong with this machine, the settings and the data directory. */
  readonly examine: (request: ExamineRequest) => Promise<readonly Finding[]>
  /** Shows an address in the person's browser; false where there is none to open. */
  readonly openBrowser: (url: string) => Promise<boolean>
  /** Resolves at the first stop signal after this call; a second signal ends the process at once. */
  readonly stopSignal: () => Promise<unknown>
  /** Waits until no other process holds the lock of that name, and holds it until the answer is called or the process ends. */
  readonly lock: (file: string) => Promise<() => void>
}
