/** As much of `pg` as is used here: https://node-postgres.com */
import type { Duplex } from 'node:stream'
import { loadDriver } from '../driver.ts'

export interface PgConnection {
  /** Another one when TLS begins. */
  stream: Duplex
  parse(statement: { readonly name: string; readonly text: string; readonly types: readonly number[] }): void
  bind(portal: {
    readonly portal: string
    readonly statement: string
    readonly values: readonly (string | Buffer | null)[]
    readonly binary: boolean
  }): void
  describe(what: { readonly type: 'P'; readonly name: string }): void
  /** @param limit 0 rows are all rows. */
  execute(limit: { readonly portal: string; readonly rows: number }): void
  sync(): void
  sendCopyFail(reason: string): void
  on(event: 'parseComplete', listener: () => void): void
  off(event: 'parseComplete', listener: () => void): void
  prependListener(
    event: 'authenticationCleartextPassword' | 'authenticationSASLContinue',
    listener: () => void,
  ): void
}

/** What a client calls for a query of another class. */
export interface Submittable {
  submit(connection: PgConnection): void
  handleRowDescription(message: {
    readonly fields: readonly { readonly name: string; readonly dataTypeID: number }[]
  }): void
  handleDataRow(message: { readonly fields: readonly (string | null)[] }): void
  handlePortalSuspended(): void
  handleCommandComplete(message: { readonly text: string }): void
  handleEmptyQuery(): void
  handleCopyInResponse(connection: PgConnection): void
  handleError(error: Error): void
  handleReadyForQuery(): void
}

export interface PgClient {
  readonly connection: PgConnection
  /** Of the server, for a request to cancel. */
  readonly processID: number | null
  readonly secretKey: number | null
  connect(): Promise<unknown>
  query(text: string): Promise<unknown>
  query(statement: Submittable): void
  on(event: 'error' | 'end', listener: (error: Error) => void): void
}

interface Pg {
  readonly Client: new (options: Readonly<Record<string, unknown>>) => PgClient
}

/** @throws ServiceFailure where it is not installed */
export async function loadPg(): Promise<Pg> {
  return (await loadDriver('pg')) as Pg
}
