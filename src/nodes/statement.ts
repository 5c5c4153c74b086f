/** Settings and inputs of nodes that send one statement to a database. */
import { z } from 'zod'

const TEXT_CHARS_MAX = 64 * 1024

/** Statements that read, and those that change rows. Others would change the session, the schema or the server. */
const READING = ['SELECT', 'WITH', 'VALUES', 'TABLE']
const WRITING = [...READING, 'INSERT', 'UPDATE', 'DELETE', 'MERGE', 'REPLACE', 'CALL']

export const STATEMENT_MEMBERS = {
  statement: z
    .string()
    .min(1)
    .max(TEXT_CHARS_MAX)
    .refine((text) => !text.includes('\0'), 'contains a NUL character')
    .refine((text) => !text.includes('{{'), 'is fixed, without expressions; bind values by the input values')
    .describe('One SQL statement. Values are bound, not part of the text'),
  row_limit: z
    .int()
    .min(1)
    .max(10_000)
    .default(1000)
    .describe('Maximum number of rows; further rows are not read'),
  read_only: z.boolean().default(true).describe('The transaction refuses changes'),
}

/** The first word of a statement is one of those that a node may send. */
export function checkStatement(
  context: z.core.ParsePayload<{ readonly statement: string; readonly read_only: boolean }>,
): void {
  const { statement, read_only } = context.value
  const word = /^\s*\(*\s*([A-Za-z]+)/.exec(statement)?.[1]?.toUpperCase() ?? ''
  const allowed = read_only ? READING : WRITING
  if (allowed.includes(word)) return
  const hint = WRITING.includes(word)
    ? `${word} needs read_only: false`
    : `must begin with ${allowed.join(', ')}`
  context.issues.push({ code: 'custom', message: hint, path: ['statement'], input: statement })
}

export const STATEMENT_INPUTS = {
  'values?': 'list: at most 100 values, bound in their order; objects and lists are bound as JSON',
}

export const STATEMENT_OUTPUTS = {
  rows: 'list: objects, by the names of the columns',
  count: 'integer: number of returned rows; without columns, number of changed rows',
  truncated: 'boolean: there are more rows than row_limit',
}

/** Name of a database: it stands in messages of the protocol that end with a NUL character. */
export const DatabaseName = z
  .string()
  .min(1)
  .max(63)
  .regex(/^[^\p{Cc}]+$/u, 'without control characters')
