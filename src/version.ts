import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'

/** Version of this checkout or package. */
export const VERSION: string =
  // package.json belongs to the program and has this member.
  (JSON.parse(readFileSync(resolve(import.meta.dirname, '../package.json'), 'utf8')) as { version: string })
    .version
