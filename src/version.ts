import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { PROGRAM } from './base/program.ts'

/** Version of this checkout or package. */
export const VERSION: string =
  // package.json belongs to the program and has this member.
  (JSON.parse(readFileSync(join(PROGRAM, 'package.json'), 'utf8')) as { version: string }).version
