import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Commit, PROGRAM } from './base/program.ts'

/** Version of this checkout or package. */
export const VERSION: string =
  // package.json belongs to the program and has this member.
  (JSON.parse(readFileSync(join(PROGRAM, 'package.json'), 'utf8')) as { version: string }).version

/** The commit that is checked out in a folder; null where git does not know. */
export function commitOf(folder: string): Commit | null {
  // Only this needs it
  const { execFileSync } = process.getBuiltinModule('node:child_process')
  const git = (...args: string[]): string =>
    execFileSync('git', args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  try {
    const [id, time] = git('show', '--no-patch', '--format=%H %cI', 'HEAD').split(' ') as [string, string]
    return { id, time: new Date(time).toISOString(), isChanged: git('status', '--porcelain') !== '' }
  } catch {
    return null
  }
}
