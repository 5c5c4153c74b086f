import type { z } from 'zod'
import type { Principal } from '../access/principal.ts'
import type { Clock } from '../base/clock.ts'
import type { AuditEntry } from '../model/audit.ts'
import type { RequestRecord } from '../model/record.ts'
import type { Via, WriteOptions } from './define.ts'

/** What a handler may use. Filled in by invoke; the ports behind it are wired by serve.ts. */
export interface OperationContext {
  readonly principal: Principal
  readonly via: Via
  readonly options: WriteOptions
  readonly clock: Clock
  readonly records: RecordQueries
}

export interface RecordQueries {
  list(
    filter: Record<string, unknown>,
  ): Promise<{ items: z.output<typeof RequestRecord>[]; next_cursor: string | null }>
  get(id: string): Promise<z.output<typeof RequestRecord> | undefined>
}

export type { AuditEntry }
